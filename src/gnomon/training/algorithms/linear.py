"""Linear models: ``linear``, ``ridge``, ``lasso``, ``elastic-net`` and ``logistic``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import special

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.linear_design import Design
from gnomon.training.linear_solvers import LinearScores, elastic_net, least_squares, logistic
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import BLOCK_ROWS, Preprocessing
from gnomon.training.target_scale import TargetScale, scale_of

_UNSCALED = TargetScale(0.0, 1.0)


def fit(rows: TrainingRows, algorithm: str, params: Mapping[str, Any]) -> "FittedLinear":
    """Fit ``algorithm`` on the rows. The features are float32, sums of them float64, in training as in the graph.

    The penalty of ``lasso`` and ``elastic-net`` counts in deviations of the target, so that it means the same for every target.
    """
    preprocessing = fit_for_linear(rows.raw)
    match algorithm:
        case "logistic":
            classes, weights = rows.target.astype(np.int64), class_weights(rows, params)
            design = Design(preprocessing, rows.raw)
            scores, converged = logistic(design, classes, rows.classes, weights, params["C"], params["max_iter"])
            return FittedLinear(preprocessing, scores, _UNSCALED, rows.classes, {"converged": converged})
        case "linear" | "ridge":
            penalty = params["alpha"] if algorithm == "ridge" else 0.0
            scores = least_squares(Design(preprocessing, rows.raw), rows.target, penalty)
            return FittedLinear(preprocessing, scores, _UNSCALED, 0, {})
        case _:
            share = params["l1_ratio"] if algorithm == "elastic-net" else 1.0
            scale, design = scale_of(rows.target), Design(preprocessing, rows.raw)
            scores, converged = elastic_net(design, scale.standard(rows.target), params["alpha"], share, params["max_iter"])
            return FittedLinear(preprocessing, scores, scale, 0, {"converged": converged})


@dataclass(frozen=True, eq=False)
class FittedLinear:
    """A fitted linear model; of values, ``scale`` is what its scores are measured by."""

    preprocessing: Preprocessing
    scores: LinearScores
    scale: TargetScale
    classes: int
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return the answers in float64, made of a block of rows at a time."""
        scores = np.concatenate(
            [
                self.scores.of(self.preprocessing.transform(raw.take(np.arange(begin, min(len(raw), begin + BLOCK_ROWS)))))
                for begin in range(0, max(1, len(raw)), BLOCK_ROWS)
            ]
        )
        if not self.classes:
            return self.scale.restored(scores[:, 0])
        if self.classes > 2:
            return np.asarray(special.softmax(scores, axis=1))
        likely = special.expit(scores[:, 0])
        return np.stack([1 - likely, likely], axis=1)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums in float64, and for classes their probabilities."""
        sums = emit_sums(graph, self.preprocessing.emit(graph), self.scores.weights.T, self.scores.intercepts)
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
