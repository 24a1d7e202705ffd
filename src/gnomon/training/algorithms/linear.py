"""Linear models of scikit-learn: ``linear``, ``ridge``, ``lasso``, ``elastic-net`` and ``logistic``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.convergence import with_convergence
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.target_scale import TargetScale, scale_of

_UNSCALED = TargetScale(0.0, 1.0)


def fit(rows: TrainingRows, algorithm: str, params: Mapping[str, Any]) -> "FittedLinear":
    """Fit ``algorithm`` on the rows. The features are float32, sums of them float64, in training as in the graph.

    The penalty of ``lasso`` and ``elastic-net`` counts in deviations of the target, so that it means the same for every target.
    """
    preprocessing = fit_for_linear(rows.raw)
    design = preprocessing.transform(rows.raw).astype(np.float64)
    estimator = _estimator(algorithm, params)
    scale = scale_of(rows.target) if algorithm in {"lasso", "elastic-net"} else _UNSCALED
    weights = class_weights(rows, params) if algorithm == "logistic" else None
    _, converged = with_convergence(lambda: estimator.fit(design, scale.standard(rows.target), sample_weight=weights))
    notes = converged if algorithm in {"lasso", "elastic-net", "logistic"} else {}
    return FittedLinear(preprocessing, estimator, scale, rows.classes if algorithm == "logistic" else 0, notes)


def _estimator(algorithm: str, params: Mapping[str, Any]) -> Any:
    match algorithm:
        case "linear":
            return LinearRegression()
        case "ridge":
            return Ridge(alpha=params["alpha"])
        case "lasso":
            return Lasso(alpha=params["alpha"], max_iter=params["max_iter"])
        case "elastic-net":
            return ElasticNet(alpha=params["alpha"], l1_ratio=params["l1_ratio"], max_iter=params["max_iter"])
        case _:
            return LogisticRegression(C=params["C"], max_iter=params["max_iter"])


@dataclass(frozen=True, eq=False)
class FittedLinear:
    """A fitted linear model; of values, ``scale`` is what the estimator's answers are measured by."""

    preprocessing: Preprocessing
    estimator: Any
    scale: TargetScale
    classes: int
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers."""
        design = self.preprocessing.transform(raw).astype(np.float64)
        if self.classes:
            return np.asarray(self.estimator.predict_proba(design), dtype=np.float64)
        return self.scale.restored(np.asarray(self.estimator.predict(design), dtype=np.float64))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums in float64, and for classes their probabilities."""
        sums = emit_sums(graph, self.preprocessing.emit(graph), self.estimator.coef_, self.estimator.intercept_)
        if self.classes:
            return emit_probabilities(graph, sums, self.classes if self.classes > 2 else 1)
        return cast(graph, sums, FLOAT) if self.scale == _UNSCALED else self.scale.emit_restored(graph, sums)

    def found(self) -> dict[str, int | bool]:
        """Return whether the solver converged, where it is iterative."""
        return dict(self.notes)


def emit_sums(graph: GraphBuilder, features: str, coefficients: Any, intercepts: Any) -> str:
    """Emit the scores of a linear model: float32 (N, features) in, float64 (N, scores) out.

    Args:
        graph: What is written to.
        features: The name of the features.
        coefficients: float64 (features,) or (scores, features).
        intercepts: One number, or float64 (scores,).
    """
    weights = np.atleast_2d(coefficients).T.astype(np.float64)
    product = graph.node("MatMul", cast(graph, features, DOUBLE), graph.constant(weights))
    return graph.node("Add", product, graph.constant(np.atleast_1d(intercepts).astype(np.float64)))
