"""What became of one condition of a gate, in figures and in words."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GateResult:
    """One condition, judged.

    Args:
        metric: What it is about.
        description: The condition, such as ``rmse <= 45``.
        passed: Whether it holds.
        measured: The figure that decided: the metric in its own unit, milliseconds or bytes; against another model the
            relative improvement or the ratio, against the whole the ratio or the gap of the worst slice; with a confidence
            the probability. None where there is none.
        bound: What it was held against, in the same unit.
        figure: ``measured`` in words.
        message: The whole of it in words, with figures.
    """

    metric: str
    description: str
    passed: bool
    measured: float | None
    bound: float | None
    figure: str
    message: str


def not_measured(metric: str, description: str, message: str, bound: float | None = None) -> GateResult:
    """Return the result of a condition whose figure is not there: it fails."""
    return GateResult(metric, description, False, None, bound, "not measured", message)  # noqa: FBT003 - the field is named
