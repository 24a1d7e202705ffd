"""Squared Euclidean distances from rows to points, in NumPy and in ONNX, as one matrix product in float64.

``|x - p|² = |x|² - 2 x·p + |p|²`` loses digits where rows and points are far from the origin compared with their distance;
features are standardised and held within ``preprocessing.DISTANCE_LIMIT`` deviations, so that 1e-10 of a deviation stays.
"""

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.features.graph import GraphBuilder

Floats = NDArray[np.float64]


def squared_distances(features: Floats, points: Floats) -> Floats:
    """Return the squared distance of every row, (N, d), to every point, (M, d): (N, M), not below zero."""
    rows = np.square(features).sum(axis=1, keepdims=True)
    return np.asarray(np.maximum(rows - 2 * (features @ points.T) + np.square(points).sum(axis=1), 0.0))


def emit_squared_distances(graph: GraphBuilder, features: str, points: Floats) -> str:
    """Emit the same: float64 (N, d) in, float64 (N, M) out."""
    rows = graph.node("ReduceSumSquare", features, graph.integers(1), keepdims=1)
    products = graph.node("MatMul", features, graph.constant(np.ascontiguousarray(-2 * points.T)))
    sums = graph.node("Add", graph.node("Add", rows, products), graph.constant(np.square(points).sum(axis=1)))
    return graph.node("Max", sums, graph.constant(np.zeros(1)))


def require_rows(features: Floats, wanted: int, what: str, parameter: str) -> None:
    """Refuse more clusters or components than there are different rows.

    Raises:
        TrainingError: There are fewer different rows than ``wanted``.
    """
    if len(features) > _FEW * wanted:
        head = np.unique(features[: _FEW * wanted], axis=0)
        if len(head) >= wanted:
            return
    different = len(np.unique(features, axis=0))
    if different < wanted:
        raise TrainingError(
            f"the training rows have {different} different values, too few for {wanted} {what}",
            f"lower {parameter}, or give the dataset more rows",
        )


_FEW = 100
"""Rows looked at for each cluster before all are."""
