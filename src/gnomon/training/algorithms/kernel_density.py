"""Density from normal kernels around training rows, of scikit-learn: ``kernel-density``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.neighbors import KernelDensity

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.resources.learning import Task
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.distances import emit_squared_distances
from gnomon.training.links import emit_log_sum_exp
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.row_cap import capped_rows, told_cap


def fit(rows: TrainingRows, preprocessing: Preprocessing, params: Mapping[str, Any], task: Task) -> "FittedKernels":
    """Put a kernel on each row, or on ``max_points`` of them drawn by the seed: every answer looks at all of them.

    The bandwidth is the same in all directions, in deviations; 0 takes D. W. Scott's rule, N to the power of -1/(d + 4).
    """
    used = capped_rows(rows, params["max_points"])
    points = preprocessing.transform(used.raw).astype(np.float64)
    # With several leaves, scikit-learn adds up bounds of whole nodes, and far from the points its log-densities are off by 100.
    estimator = KernelDensity(bandwidth=params["bandwidth"] or "scott", leaf_size=len(points)).fit(points)
    return FittedKernels(preprocessing, estimator, points, task, told_cap(rows, used))


@dataclass(frozen=True, eq=False)
class FittedKernels:
    """Kernels around ``points``, (M, features)."""

    preprocessing: Preprocessing
    estimator: KernelDensity
    points: Floats
    task: Task
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's log-densities, (N,), negated for anomalies."""
        features = self.preprocessing.transform(raw).astype(np.float64)
        density = self.estimator.score_samples(features) + self.preprocessing.log_scale
        return np.asarray(-density if self.task == "anomaly" else density)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same: the logarithm of the sum of all kernels, in float64."""
        features = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        count, dimensions = self.points.shape
        width = float(self.estimator.bandwidth_)
        constant = self.preprocessing.log_scale - math.log(count) - dimensions * (math.log(2 * math.pi) / 2 + math.log(width))
        kernels = graph.node(
            "Mul", emit_squared_distances(graph, features, self.points), graph.constant(np.array(-0.5 / width**2))
        )
        density = graph.node("Add", emit_log_sum_exp(graph, kernels), graph.constant(np.array([constant])))
        return cast(graph, graph.node("Neg", density) if self.task == "anomaly" else density, FLOAT)

    def found(self) -> dict[str, float]:
        """Return the bandwidth, in deviations, and how many rows were left out."""
        return {"bandwidth": float(self.estimator.bandwidth_), **self.notes}
