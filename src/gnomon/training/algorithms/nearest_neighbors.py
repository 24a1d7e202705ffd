"""Nearest neighbours: ``nearest-neighbors``.

Which rows are nearest turns on the last digit of a distance, and libraries break ties as it happens. So features are rounded
to a grid of whole numbers, on which every distance is an exact integer, however and wherever it is summed; and all rows that
tie for the last place count. The answer depends neither on the processor nor on the order of the rows.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.row_cap import capped_rows, told_cap

_LIMIT = 64.0
"""Numbers are held within this many deviations: beyond, a row is far from all others anyway."""
_FINEST_GRID = 13
"""Binary digits of a deviation that are kept."""
_EXACT_BITS = 53
"""Whole numbers up to 2 ** 53 are exact in float64."""
_ROWS_AT_ONCE = 256


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedNeighbors":
    """Remember at most ``max_rows`` rows."""
    used = capped_rows(rows, params["max_rows"])
    preprocessing = fit_for_linear(used.raw, _LIMIT)
    features = preprocessing.transform(used.raw)
    grid = grid_of(features.shape[1])
    answers = np.eye(rows.classes)[used.target.astype(np.int64)] if rows.classes else used.target[:, np.newaxis]
    return FittedNeighbors(
        preprocessing=preprocessing,
        grid=grid,
        points=on_grid(features, grid),
        answers=np.concatenate([answers, np.ones((len(answers), 1))], axis=1),
        neighbors=min(params["n_neighbors"], len(answers)),
        by_distance=params["weights"] == "distance",
        classes=rows.classes,
        notes=told_cap(rows, used),
    )


def grid_of(width: int) -> float:
    """Return how many steps of the grid a deviation has, so that no sum over ``width`` features leaves the exact integers."""
    # A squared distance is at most width * (2 * _LIMIT * grid) ** 2.
    most = (_EXACT_BITS - 1 - int(np.ceil(np.log2(width)))) // 2 - int(np.log2(2 * _LIMIT))
    return float(2 ** min(_FINEST_GRID, most))


def on_grid(features: NDArray[np.float32], grid: float) -> Floats:
    """Return features as whole numbers, halves rounded to even, float64 of the same shape."""
    return np.asarray(np.rint(features.astype(np.float64) * grid))


@dataclass(frozen=True, eq=False)
class FittedNeighbors:
    """Remembered rows.

    Args:
        preprocessing: What makes the features.
        grid: Steps of the grid in a deviation.
        points: The rows on the grid, float64 (M, features).
        answers: Their values, or a 1 at their class; then a 1: float64 (M, answers + 1).
        neighbors: How many of them answer, and those as near as the last.
        by_distance: Whether they weigh by the inverse of their distance; those at no distance then answer alone.
        classes: How many classes there are; 0 for regression.
        notes: What a report tells.
    """

    preprocessing: Preprocessing
    grid: float
    points: Floats
    answers: Floats
    neighbors: int
    by_distance: bool
    classes: int
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return the mean answer of the neighbours, in NumPy."""
        answers = np.concatenate([np.empty((0, self.answers.shape[1] - 1)), *self._answered(raw)])
        return answers if self.classes else answers[:, 0]

    def _answered(self, raw: Matrices) -> Iterator[Floats]:
        rows = on_grid(self.preprocessing.transform(raw), self.grid)
        own = (self.points * self.points).sum(axis=1)
        for begin in range(0, len(rows), _ROWS_AT_ONCE):
            some = rows[begin : begin + _ROWS_AT_ONCE]
            squared = (some * some).sum(axis=1, keepdims=True) + own - 2 * (some @ self.points.T)
            last = np.partition(squared, self.neighbors - 1, axis=1)[:, self.neighbors - 1 : self.neighbors]
            weights = (squared <= last).astype(np.float64)
            if self.by_distance:
                same = squared == 0
                inverse = 1 / np.sqrt(np.maximum(squared, 1))
                weights *= np.where(same.any(axis=1, keepdims=True), same, inverse)
            sums = weights @ self.answers
            yield sums[:, :-1] / sums[:, -1:]

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same; points are kept as int32."""
        features = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        rows = graph.node("Round", graph.node("Mul", features, graph.constant(np.array([self.grid]))))
        points = cast(graph, graph.constant(self.points.T.astype(np.int32)), DOUBLE)
        products = graph.node("MatMul", rows, points)
        twice = graph.node("Add", products, products)
        own = graph.constant((self.points * self.points).sum(axis=1))
        squares = graph.node("ReduceSum", graph.node("Mul", rows, rows), graph.integers(1), keepdims=1)
        squared = graph.node("Sub", graph.node("Add", squares, own), twice)
        nearest = graph.node("TopK", squared, graph.integers(self.neighbors), spare=1, axis=1, largest=0, sorted=1)
        last = graph.node("Gather", nearest, graph.integers(self.neighbors - 1), axis=1)
        weights = cast(graph, graph.node("LessOrEqual", squared, last), DOUBLE)
        if self.by_distance:
            none = graph.constant(np.zeros(1))
            first = graph.node("Gather", nearest, graph.integers(0), axis=1)
            root = graph.node("Sqrt", graph.node("Max", squared, graph.constant(np.ones(1))))
            inverse = graph.node("Reciprocal", root)
            same = cast(graph, graph.node("Equal", squared, none), DOUBLE)
            weights = graph.node("Mul", weights, graph.node("Where", graph.node("Equal", first, none), same, inverse))
        sums = graph.node("MatMul", weights, graph.constant(self.answers))
        width = self.answers.shape[1] - 1
        answers = graph.node("Slice", sums, graph.integers(0), graph.integers(width), graph.integers(1))
        count = graph.node("Gather", sums, graph.integers(width), axis=1)
        return cast(graph, graph.node("Div", answers, count), FLOAT)

    def found(self) -> dict[str, int | bool]:
        """Return how many rows were left out, where any were."""
        return dict(self.notes)
