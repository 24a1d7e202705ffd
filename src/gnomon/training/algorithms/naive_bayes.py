"""Naive Bayes of scikit-learn: ``naive-bayes``, Gaussian for numbers and by frequency for categories."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from gnomon.features.graph import DOUBLE, INT64, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import BayesInputs, fit_for_bayes
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedNaiveBayes":
    """Fit both distributions on the rows; ``fit_for_bayes`` says what is a number and what a category."""
    inputs = fit_for_bayes(rows.raw)
    weights = class_weights(rows, params)
    gaussian, categorical = None, None
    if inputs.numbers is not None:
        gaussian = GaussianNB(var_smoothing=params["var_smoothing"])
        gaussian.fit(inputs.numbers.transform(rows.raw).astype(np.float64), rows.target, sample_weight=weights)
    if inputs.categories is not None:
        categorical = CategoricalNB(alpha=params["alpha"], min_categories=np.array(inputs.highest) + 2)
        categorical.fit(_codes(inputs.categories, inputs.highest, rows.raw), rows.target, sample_weight=weights)
    return FittedNaiveBayes(inputs, gaussian, categorical, rows.classes)


def _codes(categories: Preprocessing, highest: tuple[int, ...], raw: Matrices) -> NDArray[np.int64]:
    """Return 0 for a missing value, else 1 more than the value, which is held between 0 and its ``highest``."""
    values = categories.transform(raw)
    known = np.clip(np.rint(values), 0, np.array(highest, dtype=np.float32)) + 1
    return np.where(np.isnan(values), 0, known).astype(np.int64)


@dataclass(frozen=True, eq=False)
class FittedNaiveBayes:
    """Fitted distributions; one is None where there are only numbers, or only categories."""

    inputs: BayesInputs
    gaussian: GaussianNB | None
    categorical: CategoricalNB | None
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return the probabilities by scikit-learn's likelihoods; the prior counts once."""
        logs = np.zeros((len(raw), self.classes))
        if self.gaussian is not None and self.inputs.numbers is not None:
            numbers = self.inputs.numbers.transform(raw).astype(np.float64)
            logs += self.gaussian.predict_joint_log_proba(numbers)
        if self.categorical is not None and self.inputs.categories is not None:
            codes = _codes(self.inputs.categories, self.inputs.highest, raw)
            logs += self.categorical.predict_joint_log_proba(codes)
            if self.gaussian is not None:
                logs -= self.categorical.class_log_prior_
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same, in float64."""
        logs = []
        if self.gaussian is not None and self.inputs.numbers is not None:
            logs.append(_emit_gaussian(graph, self.inputs.numbers.emit(graph), self.gaussian))
        if self.categorical is not None and self.inputs.categories is not None:
            counted_prior = self.categorical.class_log_prior_ if self.gaussian is None else np.zeros(self.classes)
            codes = _emit_codes(graph, self.inputs.categories.emit(graph), self.inputs.highest)
            logs.append(_emit_categorical(graph, codes, self.categorical, counted_prior))
        joint = logs[0] if len(logs) == 1 else graph.node("Add", *logs)
        return emit_probabilities(graph, joint, self.classes)

    def found(self) -> dict[str, int | bool]:
        """Return how many features are numbers, and how many categories."""
        numbers = 0 if self.gaussian is None else int(self.gaussian.n_features_in_)
        return {"numbers": numbers, "categories": len(self.inputs.highest)}


def _emit_gaussian(graph: GraphBuilder, numbers: str, fitted: GaussianNB) -> str:
    """Emit the logarithm of prior times density, float64 (N, classes): distances first, then squares, so that none cancel."""
    mean, variance = np.asarray(fitted.theta_), np.asarray(fitted.var_)
    constant = np.log(fitted.class_prior_) - 0.5 * np.log(2 * np.pi * variance).sum(axis=1)
    rows = graph.node("Unsqueeze", cast(graph, numbers, DOUBLE), graph.integers(1))
    away = graph.node("Sub", rows, graph.constant(mean))
    squares = graph.node("Div", graph.node("Mul", away, away), graph.constant(variance))
    sums = graph.node("ReduceSum", squares, graph.integers(2), keepdims=0)
    return graph.node("Sub", graph.constant(constant), graph.node("Mul", sums, graph.constant(np.array([0.5]))))


def _emit_codes(graph: GraphBuilder, values: str, highest: tuple[int, ...]) -> str:
    """Emit ``_codes``, int64 (N, categories)."""
    row = np.array(highest, dtype=np.float32)
    above = graph.node("Max", graph.node("Round", values), graph.constant(np.zeros(1, dtype=np.float32)))
    known = graph.node("Add", graph.node("Min", above, graph.constant(row)), graph.constant(np.ones(1, dtype=np.float32)))
    none = graph.constant(np.zeros(1, dtype=np.float32))
    return cast(graph, graph.node("Where", graph.node("IsNaN", values), none, known), INT64)


def _emit_categorical(graph: GraphBuilder, codes: str, fitted: CategoricalNB, prior: Floats) -> str:
    """Emit the sum of the logarithms of each category's frequency and of the prior, float64 (N, classes)."""
    tables = [np.asarray(table).T for table in fitted.feature_log_prob_]
    begins = np.cumsum([0, *(len(table) for table in tables[:-1])])
    places = graph.node("Add", codes, graph.integers(*begins.tolist()))
    logs = graph.node("Gather", graph.constant(np.concatenate(tables)), places, axis=0)
    return graph.node("Add", graph.node("ReduceSum", logs, graph.integers(1), keepdims=0), graph.constant(prior))
