"""A report of figures becomes a verdict: each condition of each gate, passed or not, in words with its figures.

A condition passes only where its figure was measured: a gate that checked nothing has not passed.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gnomon.evaluation.figures import format_apart, format_gain
from gnomon.evaluation.gate_result import GateResult
from gnomon.evaluation.gate_result import not_measured as _failed
from gnomon.evaluation.slice_gates import slice_results
from gnomon.resources.model import Gate, ModelSpec, has_baseline
from gnomon.resources.quantities import format_share, parse_duration, parse_size
from gnomon.training.selection import LOSSES, selection_metric

_LOSSES = LOSSES | {"latencyP99", "size"}

_ASKED = {False: "asked is no worse", True: "asked is better"}
_ROUNDING = 1e-9
"""Share of the champion's figure that is rounding: 9.9 is 1% better than 10, though floats say 0.9999999999999964%."""


def judge(gates: Sequence[Gate], report: Mapping[str, Any]) -> tuple[GateResult, ...]:
    """Return one result for every condition of every gate, in their order.

    A gate ``against: champion`` that names neither ``improveBy`` nor ``maxRatio`` asks for a candidate no worse than the
    champion. It passes where there is no champion yet, and fails where there is one that cannot be compared: a model must
    not get past its gates because they could not look. ``maxRatio`` bounds candidate / champion of a loss, and champion /
    candidate of a score: in both cases by which factor the candidate may be worse.

    Args:
        gates: The gates of a model.
        report: What ``evaluation.steps.evaluate`` measured.
    """
    return tuple(result for gate in gates for result in _judged(gate, report))


def gates_of(spec: ModelSpec) -> tuple[Gate, ...]:
    """Return the gates of a model: those that it declares, and before them that it must beat the baseline of its task.

    That one is left out with ``beatBaseline: false``, where the task has no baseline, and where a gate of its own says more.
    """
    metric = selection_metric(spec)
    said = any(gate.against == "baseline" and gate.metric == metric for gate in spec.gates)
    if not spec.beat_baseline or said or not has_baseline(spec, metric):
        return spec.gates
    return Gate(metric=metric, against="baseline"), *spec.gates


def gates_table(results: Sequence[GateResult]) -> str:
    """Return the results as a plain text table, for the body of a release commit; it ends without a newline."""
    if not results:
        return "no gates are declared"
    head = ("gate", "measured", "verdict")
    rows = [(r.description, r.figure, "passed" if r.passed else "FAILED") for r in results]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(3)]
    lines = (head, tuple("-" * width for width in widths), *rows)
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)


def _judged(gate: Gate, report: Mapping[str, Any]) -> Iterator[GateResult]:
    if gate.by is not None:
        yield from slice_results(gate, report)
        return
    if gate.max is not None:
        yield _bounded(gate.metric, gate.max, report, upper=True)
    if gate.min is not None:
        yield _bounded(gate.metric, gate.min, report, upper=False)
    if gate.against is not None:
        yield from _against(gate, gate.against, report)
    elif gate.improve_by is not None or gate.max_ratio is not None or gate.confidence is not None:
        compares = "improveBy, maxRatio and confidence compare with something: add against: champion"
        yield _failed(gate.metric, gate.metric, compares)
    elif gate.max is None and gate.min is None:
        yield _failed(gate.metric, gate.metric, "the gate states no condition: give it max, min or against")


def _bounded(metric: str, written: float | str, report: Mapping[str, Any], *, upper: bool) -> GateResult:
    description = f"{metric} {'<=' if upper else '>='} {written}"
    try:
        bound = _bound(metric, written)
    except ValueError as error:
        return _failed(metric, description, f"the bound {written!r} of {metric} cannot be read: {error}")
    value, why = _value(report, metric)
    if value is None:
        return _failed(metric, description, f"{metric} was not measured: {why}", bound)
    passed = value <= bound if upper else value >= bound
    relation = ("at most" if upper else "at least") if passed else ("above" if upper else "below")
    figure, limit = format_apart(metric, value, bound)
    return GateResult(metric, description, passed, value, bound, figure, f"{metric} is {figure}, {relation} {limit}")


def _bound(metric: str, written: float | str) -> float:
    """Return a written bound in the unit that the report measures in. Raises ValueError."""
    if metric == "latencyP99":
        return parse_duration(written) / timedelta(milliseconds=1)
    if metric == "size":
        return float(parse_size(written))
    if isinstance(written, str):
        raise ValueError("write a number")  # noqa: TRY004 - parse_duration and parse_size raise the same
    if not math.isfinite(written):
        raise ValueError("write a finite number")
    return float(written)


@dataclass(frozen=True)
class _Comparison:
    """One condition against a rival: a least relative improvement, or a largest ratio. ``strict``: equal does not do."""

    rival: str
    metric: str
    description: str
    improve_by: float | None = None
    max_ratio: float | None = None
    confidence: float | None = None
    strict: bool = False

    @property
    def is_loss(self) -> bool:
        return self.metric in _LOSSES

    @property
    def bound(self) -> float:
        return self.max_ratio if self.max_ratio is not None else self.improve_by or 0.0

    @property
    def least_gain(self) -> float:
        """The relative gain from which on the condition holds."""
        if self.max_ratio is None:
            return self.improve_by or 0.0
        return 1 - self.max_ratio if self.is_loss else 1 / self.max_ratio - 1

    def holds(self, ours: float, theirs: float) -> bool:
        """Whether the condition holds; multiplied out, so that a champion at zero needs no special case."""
        slack = _ROUNDING * abs(theirs)
        if self.max_ratio is not None:
            above, below = (ours, theirs) if self.is_loss else (theirs, ours)
            return above <= self.max_ratio * below + slack
        if self.strict:
            return self.gained(ours, theirs) > slack
        return self.gained(ours, theirs) >= (self.improve_by or 0.0) * abs(theirs) - slack

    def gained(self, ours: float, theirs: float) -> float:
        return theirs - ours if self.is_loss else ours - theirs

    def measured(self, ours: float, theirs: float) -> tuple[float | None, str]:
        """Return the improvement or the ratio, and the same in words."""
        if self.max_ratio is None:
            gain = self.gained(ours, theirs) / abs(theirs) if theirs else None
            return gain, f"{self.rival} is 0" if gain is None else format_gain(gain)
        above, below = (ours, theirs) if self.is_loss else (theirs, ours)
        ratio = above / below if below else None
        return ratio, "divided by 0" if ratio is None else f"{ratio:.5g} x"


def _against(gate: Gate, rival: str, report: Mapping[str, Any]) -> Iterator[GateResult]:
    metric, confidence = gate.metric, gate.confidence
    sure = "" if confidence is None else f", {confidence * 100:g}% sure"
    if gate.improve_by is not None or gate.max_ratio is None:
        strict = rival == "baseline" and gate.improve_by is None
        equal = f"better than {rival}" if strict else f"no worse than {rival}"
        wanted = f"better than {rival} by {format_share(gate.improve_by)}" if gate.improve_by else equal
        told = f"{metric} {wanted}{sure}"
        yield _compared(_Comparison(rival, metric, told, gate.improve_by or 0.0, None, confidence, strict), report)
    if gate.max_ratio is not None:
        told = f"{metric} within {gate.max_ratio:g} x {rival}{sure}"
        yield _compared(_Comparison(rival, metric, told, None, float(gate.max_ratio), confidence), report)


def _compared(condition: _Comparison, report: Mapping[str, Any]) -> GateResult:
    metric, description, bound, rival = condition.metric, condition.description, condition.bound, condition.rival
    theirs_sheet = report.get(rival)
    if theirs_sheet is None and rival == "champion":
        return GateResult(metric, description, True, None, bound, "no champion", "there is no champion yet")  # noqa: FBT003
    obstacle = _obstacle(condition, report, theirs_sheet)
    if obstacle or theirs_sheet is None:
        return _failed(metric, description, obstacle, bound)
    ours, theirs = float(report["metrics"][metric]["value"]), float(theirs_sheet["metrics"][metric]["value"])
    measured, figure = condition.measured(ours, theirs)
    texts = format_apart(metric, ours, theirs)
    message = f"{metric} is {texts[0]} against the {rival}'s {texts[1]}, {_in_words(condition, ours, theirs)}"
    if condition.confidence is None or not condition.holds(ours, theirs):
        return GateResult(metric, description, condition.holds(ours, theirs), measured, bound, figure, message)
    return _sure(condition, condition.confidence, message, figure, report)


def _obstacle(condition: _Comparison, report: Mapping[str, Any], theirs: Mapping[str, Any] | None) -> str:
    """Return why the two cannot be compared, or an empty text."""
    metric = condition.metric
    if theirs is None:
        return f"there is no {condition.rival} of this task"
    if not theirs.get("comparable", True):
        return f"the {condition.rival} cannot be compared: {theirs['cause']} ({theirs['mend']})"
    for whose, sheet in (("", report), (f" of the {condition.rival}", theirs)):
        value, why = _value(sheet, metric)
        if value is None:
            return f"{metric}{whose} was not measured: {why}"
        if condition.max_ratio is not None and value < 0:
            return f"{metric}{whose} is below zero, where a ratio means nothing: use improveBy"
    return ""


def _sure(condition: _Comparison, confidence: float, message: str, figure: str, report: Mapping[str, Any]) -> GateResult:
    """Judge a condition that holds on the test rows, and shall hold in a share of their resamples too."""
    metric, description = condition.metric, condition.description
    compared = report["baseline"] if condition.rival == "baseline" else report
    gains = compared.get("comparison", {}).get(metric, {}).get("gains") or ()
    if not gains:
        return _failed(metric, description, f"{message}; how sure that is was not measured: drop confidence", confidence)
    least = condition.least_gain + (_ROUNDING if condition.strict else -_ROUNDING)
    share = sum(gain >= least for gain in gains) / len(gains)
    told = (
        f"{message}; it holds in {share * 100:.4g}% of {len(gains)} resamples of the test rows, asked are {confidence * 100:g}%"
    )
    figure = f"{figure}, {share * 100:.4g}% sure"
    return GateResult(metric, description, share >= confidence, share, confidence, figure, told)


def _in_words(condition: _Comparison, ours: float, theirs: float) -> str:
    if condition.max_ratio is not None:
        return f"{condition.measured(ours, theirs)[1]}, asked is at most {condition.max_ratio:g} x"
    gain, _ = condition.measured(ours, theirs)
    asked = f"asked is {format_share(condition.improve_by)} better" if condition.improve_by else _ASKED[condition.strict]
    if gain is None:
        return asked
    return f"{abs(gain) * 100:.3g}% {'better' if gain > 0 else 'worse'}, {asked}" if gain else f"equal, {asked}"


def _value(report: Mapping[str, Any], metric: str) -> tuple[float | None, str]:
    """Return a measured value, or None and why there is none."""
    entry = report.get("metrics", {}).get(metric)
    if entry is None:
        return None, "it does not belong to this task"
    value = entry.get("value")
    if value is None or not math.isfinite(value):
        return None, entry.get("note") or "it is undefined on these rows"
    return float(value), ""


def format_verdict(results: Sequence[GateResult]) -> str:
    """Return the verdict in a line: how many conditions hold, or that there are none."""
    if not results:
        return "no gates are declared"
    passed = sum(result.passed for result in results)
    return f"{passed} of {len(results)} gate conditions hold"
