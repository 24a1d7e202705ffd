"""A target in units of its own deviation, for algorithms whose penalties and margins count in those units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import FLOAT, GraphBuilder, cast


@dataclass(frozen=True)
class TargetScale:
    """What a target is measured by: its mean, and its standard deviation or 1 where it does not vary."""

    mean: float
    deviation: float

    def standard(self, target: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the target in deviations from its mean."""
        return (target - self.mean) / self.deviation

    def restored(self, standard: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what ``standard`` made."""
        return standard * self.deviation + self.mean

    def emit_restored(self, graph: GraphBuilder, standard: str) -> str:
        """Emit ``restored``: float64 in, float32 of the same shape out."""
        stretched = graph.node("Mul", standard, graph.constant(np.array([self.deviation])))
        return cast(graph, graph.node("Add", stretched, graph.constant(np.array([self.mean]))), FLOAT)


def scale_of(target: NDArray[np.float64]) -> TargetScale:
    """Return the scale of a target, (N,)."""
    return TargetScale(float(target.mean()), float(target.std()) or 1.0)
