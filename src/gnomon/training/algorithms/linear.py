"""Linear models of scikit-learn: ``linear``, ``ridge`` and ``logistic``."""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing


def fit(rows: TrainingRows, algorithm: str, params: Mapping[str, Any]) -> "FittedLinear":
    """Fit ``algorithm`` on the rows. The features are float32, sums of them float64, in training as in the graph."""
    preprocessing = fit_for_linear(rows.raw)
    design = preprocessing.transform(rows.raw).astype(np.float64)
    if algorithm == "logistic":
        estimator = LogisticRegression(C=params["C"], max_iter=params["max_iter"])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator.fit(design, rows.target, sample_weight=class_weights(rows, params))
        converged = not any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
        return FittedLinear(preprocessing, estimator, rows.classes, {"converged": converged})
    estimator = Ridge(alpha=params["alpha"]) if algorithm == "ridge" else LinearRegression()
    estimator.fit(design, rows.target)
    return FittedLinear(preprocessing, estimator, 0, {})


@dataclass(frozen=True, eq=False)
class FittedLinear:
    """A fitted linear model."""

    preprocessing: Preprocessing
    estimator: LinearRegression | Ridge | LogisticRegression
    classes: int
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers."""
        design = self.preprocessing.transform(raw).astype(np.float64)
        answers = self.estimator.predict_proba(design) if self.classes else self.estimator.predict(design)
        return np.asarray(answers, dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums in float64, and for classes their probabilities."""
        design = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        weights = np.atleast_2d(self.estimator.coef_).T.astype(np.float64)
        intercept = np.atleast_1d(self.estimator.intercept_).astype(np.float64)
        sums = graph.node("Add", graph.node("MatMul", design, graph.constant(weights)), graph.constant(intercept))
        return emit_probabilities(graph, sums, weights.shape[1]) if self.classes else cast(graph, sums, FLOAT)

    def found(self) -> dict[str, int | bool]:
        """Return whether the solver converged, where it is iterative."""
        return dict(self.notes)
