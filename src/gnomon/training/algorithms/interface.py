"""What every algorithm shares: the rows it learns from, and the fitted model it gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import GraphBuilder
from gnomon.training.matrices import Matrices

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """N rows to learn from.

    Args:
        raw: The raw columns.
        target: float64 (N,): the value, or the index of the class, 0 to ``classes`` - 1, each of which occurs.
        classes: How many classes there are; 0 for regression.
        ordered: Whether the rows stand in the order of time, the newest last.
        seed: Start of every random choice.
    """

    raw: Matrices
    target: Floats
    classes: int
    ordered: bool
    seed: int

    def take(self, rows: NDArray[np.int64]) -> "TrainingRows":
        """Return some of the rows."""
        return TrainingRows(self.raw.take(rows), self.target[rows], self.classes, self.ordered, self.seed)


class Fitted(Protocol):
    """A fitted model: the native one, and how to write it as a graph."""

    def predict(self, raw: Matrices) -> Floats:
        """Return the library's own answers: (N,) values, or (N, width) of them, such as probabilities or distances."""
        ...

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same: (N, 1) values or (N, width) of them, float32."""
        ...

    def found(self) -> Mapping[str, float]:
        """Return what the fit found out besides, such as the number of trees."""
        ...


def class_weights(rows: TrainingRows, params: Mapping[str, Any]) -> Floats | None:
    """Return the weight of each row: with ``class_weight: balanced``, every class weighs the same in sum; else None."""
    if not rows.classes or params["class_weight"] == "none":
        return None
    classes = rows.target.astype(np.int64)
    return np.asarray((len(classes) / (rows.classes * np.bincount(classes)))[classes])
