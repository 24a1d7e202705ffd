"""A planned candidate and its rows become a native model, and the native model one ONNX graph."""

from dataclasses import dataclass

import numpy as np
from lightgbm.basic import LightGBMError
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.features.graph import FLOAT, STRING, GraphBuilder
from gnomon.inference.signature import Signature
from gnomon.training.algorithms import (
    forest,
    hist_gradient_boosting,
    lightgbm,
    linear,
    linear_svm,
    naive_bayes,
    nearest_neighbors,
    neural_network,
    svm,
)
from gnomon.training.algorithms.interface import Fitted, Floats, TrainingRows
from gnomon.training.candidates import CandidatePlan
from gnomon.training.links import emit_spread, spread
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import declare_inputs


@dataclass(frozen=True, eq=False)
class NativeModel:
    """A fitted model in the model's own classes: ``known`` are the indices of those that training saw, of ``classes``."""

    fitted: Fitted
    known: NDArray[np.int64]
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return (N,) values or (N, classes) probabilities; a class never seen in training has 0."""
        answers = self.fitted.predict(raw)
        return spread(answers, self.known, self.classes) if self.classes else answers


def fit_model(plan: CandidatePlan, rows: TrainingRows) -> NativeModel:
    """Fit a candidate; of ``rows.classes``, some may not occur.

    Raises:
        TrainingError: The rows do not suffice, or the library refuses them.
    """
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
        raise TrainingError(
            f"candidate {plan.name} cannot be fitted: {str(error).partition('.')[0]}",
            "check the target and the features for extreme values, or use another algorithm",
        ) from error
    return NativeModel(fitted, known, rows.classes)


def _fitted(plan: CandidatePlan, rows: TrainingRows) -> Fitted:
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


def export(model: NativeModel, raw: Matrices, signature: Signature) -> bytes:
    """Return the ONNX model; of ``raw``, only the widths matter."""
    graph = GraphBuilder()
    declare_inputs(graph, raw)
    answers = model.fitted.emit(graph)
    if not model.classes:
        graph.add_output("prediction", graph.node("Reshape", answers, graph.integers(-1)), FLOAT)
        return graph.build()
    probabilities = emit_spread(graph, answers, model.known, model.classes)
    likeliest = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
    names = graph.constant(np.array(signature.classes, dtype=object))
    graph.add_output("prediction", graph.node("Gather", names, likeliest), STRING)
    graph.add_output("probabilities", probabilities, FLOAT, [model.classes])
    return graph.build()
