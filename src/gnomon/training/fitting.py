"""A planned candidate and its rows become a native model, and the native model one ONNX graph."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.features.graph import GraphBuilder
from gnomon.inference.signature import Signature
from gnomon.resources.learning import DEFAULT_CONTAMINATION, TARGET_TASKS, Task
from gnomon.training.algorithms import (
    forest,
    gaussian_mixture,
    hist_gradient_boosting,
    isolation_forest,
    k_means,
    kernel_density,
    lightgbm,
    linear,
    linear_svm,
    naive_bayes,
    nearest_neighbors,
    neural_network,
    pca,
    svm,
)
from gnomon.training.algorithms.interface import Fitted, Floats, TrainingRows
from gnomon.training.candidates import CandidatePlan
from gnomon.training.estimator_inputs import fit_for_distances
from gnomon.training.links import emit_spread, spread
from gnomon.training.matrices import Matrices
from gnomon.training.outputs import Meaning, emit_outputs, measures_distance
from gnomon.training.preprocessing import Preprocessing, declare_inputs

if TYPE_CHECKING:  # it needs polars, which starts threads: steps that fit are forked from a process that has loaded this
    from gnomon.training.feature_plan import FeatureGraph


@dataclass(frozen=True, eq=False)
class NativeModel:
    """A fitted model in the model's own classes: ``known`` are the indices of those that training saw, of ``classes``."""

    fitted: Fitted
    known: NDArray[np.int64]
    classes: int
    meaning: Meaning
    """What its answers mean."""
    unit: float = 1.0
    """What differences between answers are measured in, besides the target's deviation."""

    def predict(self, raw: Matrices) -> Floats:
        """Return (N,) values or (N, width) of them, such as probabilities; a class never seen in training has 0."""
        answers = self.fitted.predict(raw)
        return spread(answers, self.known, self.classes) if self.classes else answers

    def found(self) -> dict[str, float]:
        """Return what the fit found out besides, and above which score a row is anomalous."""
        threshold = {"threshold": self.meaning.threshold} if self.meaning.task == "anomaly" else {}
        return {**self.fitted.found(), **threshold}


def fit_model(
    plan: CandidatePlan, rows: TrainingRows, task: Task | None = None, contamination: float = DEFAULT_CONTAMINATION
) -> NativeModel:
    """Fit a candidate; of ``rows.classes``, some may not occur.

    Args:
        plan: What is fitted.
        rows: The rows to learn from.
        task: What is learnt; by default a regression, or a classification where there are classes.
        contamination: Anomalies: the share of the rows that the threshold leaves above it.

    Raises:
        TrainingError: The rows do not suffice, or the library refuses them.
    """
    task = task or ("classification" if rows.classes else "regression")
    if task not in TARGET_TASKS:
        return _fit_without_target(plan, rows, task, contamination)
    known = np.unique(rows.target.astype(np.int64)) if rows.classes else np.empty(0, dtype=np.int64)
    if rows.classes and len(known) < 2:
        raise TrainingError(
            f"all {len(rows.target)} training rows are of one class",
            "divide the rows by split.by: stratified, or get more rows",
        )
    present = rows
    if rows.classes:
        target = np.searchsorted(known, rows.target).astype(np.float64)
        present = TrainingRows(rows.raw, target, len(known), rows.ordered, rows.seed)
    try:
        fitted = _fitted(plan, present)
    except (ValueError, ArithmeticError, LightGBMError) as error:
        raise _refused(plan, error) from error
    return NativeModel(fitted, known, rows.classes, Meaning(task, max(1, rows.classes)))


def _refused(plan: CandidatePlan, error: Exception) -> TrainingError:
    return TrainingError(
        f"candidate {plan.name} cannot be fitted: {str(error).partition('.')[0]}",
        "check the target and the features for extreme values, or use another algorithm",
    )


def _fitted(plan: CandidatePlan, rows: TrainingRows) -> Fitted:  # noqa: C901 - one case for each algorithm
    match plan.algorithm:
        case "linear" | "ridge" | "lasso" | "elastic-net" | "logistic":
            return linear.fit(rows, plan.algorithm, plan.params)
        case "linear-svm":
            return linear_svm.fit(rows, plan.params)
        case "svm":
            return svm.fit(rows, plan.params)
        case "nearest-neighbors":
            return nearest_neighbors.fit(rows, plan.params)
        case "naive-bayes":
            return naive_bayes.fit(rows, plan.params)
        case "decision-tree" | "random-forest" | "extra-trees":
            return forest.fit(rows, plan.algorithm, plan.params)
        case "hist-gradient-boosting":
            return hist_gradient_boosting.fit(rows, plan.params)
        case "lightgbm":
            return lightgbm.fit(rows, plan.params)
        case "xgboost":
            return _fitted_xgboost(plan, rows)
        case "neural-network":
            return neural_network.fit(rows, plan.params)
        case "torch-mlp" | "torch-cnn" | "torch-rnn" | "torch-lstm":
            return _fitted_torch_network(plan, rows)
        case _:
            raise TrainingError(f"candidate {plan.name}: {plan.algorithm} learns no target", "use another algorithm")


def _fitted_torch_network(plan: CandidatePlan, rows: TrainingRows) -> Fitted:
    try:
        from gnomon.training.algorithms import torch_network  # noqa: PLC0415 - an extra, which other candidates do without
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise TrainingError(
            f"candidate {plan.name} needs PyTorch, which is not installed where steps run",
            "install gnomon[torch] there, or use neural-network",
        ) from error
    return torch_network.fit(rows, plan.algorithm, plan.params)


def _fitted_xgboost(plan: CandidatePlan, rows: TrainingRows) -> Fitted:
    try:
        from gnomon.training.algorithms import xgboost  # noqa: PLC0415 - an extra, which other candidates do without
    except ModuleNotFoundError as error:
        if error.name != "xgboost":
            raise
        raise TrainingError(
            f"candidate {plan.name} needs XGBoost, which is not installed where steps run",
            "install gnomon[xgboost] there, or use lightgbm or hist-gradient-boosting",
        ) from error
    return xgboost.fit(rows, plan.params)


def _fitted_without_target(plan: CandidatePlan, rows: TrainingRows, preprocessing: Preprocessing, task: Task) -> Fitted:
    match plan.algorithm:
        case "k-means":
            return k_means.fit(rows, preprocessing, plan.params)
        case "gaussian-mixture":
            return gaussian_mixture.fit(rows, preprocessing, plan.params, task)
        case "kernel-density":
            return kernel_density.fit(rows, preprocessing, plan.params, task)
        case "pca":
            return pca.fit(rows, preprocessing, plan.params, task)
        case "isolation-forest":
            return isolation_forest.fit(rows, preprocessing, plan.params)
        case _:
            raise TrainingError(f"candidate {plan.name}: {plan.algorithm} cannot learn {task}", "use another algorithm")


def _fit_without_target(plan: CandidatePlan, rows: TrainingRows, task: Task, contamination: float) -> NativeModel:
    """Fit a candidate that learns no target; its unit follows from its answers to the rows, its threshold from unseen ones."""
    preprocessing = fit_for_distances(rows.raw)
    try:
        fitted = _fitted_without_target(plan, rows, preprocessing, task)
        answers = fitted.predict(rows.raw)
        scores = _unseen_scores(plan, rows, preprocessing, answers) if task == "anomaly" else None
    except (ValueError, ArithmeticError) as error:
        raise _refused(plan, error) from error
    width = 1 if answers.ndim == 1 else answers.shape[1]
    threshold = 0.0 if scores is None else float(np.float32(np.quantile(scores, 1 - contamination)))
    unit = 1.0 if task == "clustering" else max(_LEAST_UNIT, float(answers.std()))
    meaning = Meaning(task, width, measures_distance(plan.algorithm), threshold)
    return NativeModel(fitted, np.empty(0, dtype=np.int64), 0, meaning, unit)


def _unseen_scores(plan: CandidatePlan, rows: TrainingRows, preprocessing: Preprocessing, own: Floats) -> Floats:
    """Return how unusual each row is to a model of the other folds: to its own model, every row that it learnt is too usual.

    With many rows, one more or less among them hardly matters: their own scores stand.
    """
    count = len(rows.target)
    if count > _CROSSED_ROWS:
        return own
    fold = np.random.default_rng(rows.seed).permutation(count) % _FOLDS
    scores = np.empty(count)
    for k in range(_FOLDS):
        others = _fitted_without_target(plan, rows.take(np.flatnonzero(fold != k)), preprocessing, "anomaly")
        scores[fold == k] = others.predict(rows.raw.take(np.flatnonzero(fold == k)))
    return scores


_FOLDS = 5
_CROSSED_ROWS = 20_000
_LEAST_UNIT = 1e-3
"""Answers that hardly vary are held against this instead of their deviation; features vary by 1."""


def export(model: NativeModel, raw: Matrices, signature: Signature, features: "FeatureGraph | None" = None) -> bytes:
    """Return the ONNX model; of ``raw``, only the widths matter. ``features`` are computed in front of it."""
    graph = GraphBuilder()
    declare_inputs(graph, raw)
    if features is not None:
        features.emit(graph)
    answers = model.fitted.emit(graph)
    if model.classes:
        answers = emit_spread(graph, answers, model.known, model.classes)
    emit_outputs(graph, answers, model.meaning, signature.classes)
    return graph.build()
