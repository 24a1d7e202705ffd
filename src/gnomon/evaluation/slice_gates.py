"""Gates ``by`` a column: no slice much worse than the whole, none beyond a bound, none far from another."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gnomon.evaluation.figures import format_apart, format_figure
from gnomon.evaluation.gate_result import GateResult, not_measured
from gnomon.resources.learning import DEFAULT_SLICE_ROWS
from gnomon.resources.model import Gate
from gnomon.resources.quantities import format_share
from gnomon.training.selection import LOSSES

_ROUNDING = 1e-9


@dataclass(frozen=True)
class _Measured:
    """The slices of a column that hold enough rows, with the figure of each; ``few`` counts the others."""

    values: Mapping[str, float]
    whole: float
    few: int
    least_rows: int

    @property
    def beside(self) -> str:
        """What is to be said besides of all that was looked at."""
        if not self.few:
            return ""
        return f"; {self.few} slice{'s' if self.few > 1 else ''} with fewer than {self.least_rows} rows left out"


def slice_results(gate: Gate, report: Mapping[str, Any]) -> Iterator[GateResult]:
    """Yield one result for every condition of a gate that has ``by``.

    A slice with fewer than ``minRows`` rows is left out. Where none is left, or the metric is undefined in one that is left,
    or values were left out that have so many rows, nothing was checked, and the condition fails.
    """
    measured = _measured(gate, report)
    for condition in _conditions(gate):
        if isinstance(measured, str):
            yield not_measured(gate.metric, condition.description, measured, condition.bound)
            continue
        match condition.kind:
            case "max" | "min":
                yield _bounded(condition, measured)
            case "ratio":
                yield _ratio(condition, measured)
            case "gap":
                yield _gap(condition, measured)


@dataclass(frozen=True)
class _Condition:
    kind: Literal["max", "min", "ratio", "gap"]
    metric: str
    description: str
    bound: float


def _conditions(gate: Gate) -> Iterator[_Condition]:
    metric, every = gate.metric, f"for every {gate.by}"
    if gate.max is not None and not isinstance(gate.max, str):
        yield _Condition("max", metric, f"{metric} <= {gate.max} {every}", float(gate.max))
    if gate.min is not None:
        yield _Condition("min", metric, f"{metric} >= {gate.min} {every}", float(gate.min))
    if gate.max_ratio is not None:
        yield _Condition("ratio", metric, f"{metric} within {gate.max_ratio:g} x the whole {every}", float(gate.max_ratio))
    if gate.max_gap is not None:
        told = f"{metric} at most {format_share(gate.max_gap)} apart between {gate.by}"
        yield _Condition("gap", metric, told, gate.max_gap)


def _measured(gate: Gate, report: Mapping[str, Any]) -> "_Measured | str":
    """Return the figures of the slices that count, or why there are none."""
    slices = report.get("slices") or {}
    least = DEFAULT_SLICE_ROWS if gate.min_rows is None else gate.min_rows
    for other in slices.get("unavailable", ()):
        if other["column"] == gate.by:
            return str(other["cause"])
    found = next((each for each in slices.get("columns", ()) if each["column"] == gate.by), None)
    if found is None:
        return f"the rows were not cut by {gate.by}"
    if found["leftOut"]["largestRows"] >= least:
        return (
            f"{gate.by} has more than {len(found['slices'])} values with {least} rows: raise minRows above "
            f"{found['leftOut']['largestRows']}, or cut by another column"
        )
    kept = [each for each in found["slices"] if each["rows"] >= least]
    if not kept:
        return f"no value of {gate.by} has {least} test rows: lower minRows, or enlarge split.test"
    if gate.max_gap is not None and len(kept) < 2:
        return f"only {kept[0]['condition']} has {least} test rows, and a gap is between two: lower minRows"
    values: dict[str, float] = {}
    for each in kept:
        value = each["metrics"].get(gate.metric, {}).get("value")
        if value is None or not math.isfinite(value):
            return f"{gate.metric} is undefined where {each['condition']} ({each['rows']} rows)"
        values[each["condition"]] = float(value)
    whole = slices["whole"].get(gate.metric)
    if whole is None:
        return f"{gate.metric} is undefined on these rows"
    return _Measured(values, float(whole), len(found["slices"]) - len(kept), least)


def _ratio(condition: _Condition, measured: _Measured) -> GateResult:
    metric, description, bound, is_loss = condition.metric, condition.description, condition.bound, condition.metric in LOSSES
    if min(measured.whole, *measured.values.values()) < 0:
        return not_measured(metric, description, f"{metric} is below zero, where a ratio means nothing: use max or min", bound)
    worst = (max if is_loss else min)(measured.values, key=measured.values.__getitem__)
    value = measured.values[worst]
    above, below = (value, measured.whole) if is_loss else (measured.whole, value)
    passed = above <= bound * below * (1 + _ROUNDING)
    ratio = above / below if below else None
    told = "divided by 0" if ratio is None else f"{ratio:.5g} x"
    texts = format_apart(metric, value, measured.whole)
    message = (
        f"{metric} is worst where {worst}: {texts[0]} against {texts[1]} of all rows, {told}, asked is at most "
        f"{bound:g} x{measured.beside}"
    )
    return GateResult(metric, description, passed, ratio, bound, told, message)


def _bounded(condition: _Condition, measured: _Measured) -> GateResult:
    metric, bound, upper = condition.metric, condition.bound, condition.kind == "max"
    worst = (max if upper else min)(measured.values, key=measured.values.__getitem__)
    value = measured.values[worst]
    passed = value <= bound if upper else value >= bound
    figure, limit = format_apart(metric, value, bound)
    relation = ("at most" if upper else "at least") if passed else ("above" if upper else "below")
    side = "largest" if upper else "smallest"
    message = f"{metric} is {side} where {worst}: {figure}, {relation} {limit}{measured.beside}"
    return GateResult(metric, condition.description, passed, value, bound, figure, message)


def _gap(condition: _Condition, measured: _Measured) -> GateResult:
    metric, bound = condition.metric, condition.bound
    most = max(measured.values, key=measured.values.__getitem__)
    least = min(measured.values, key=measured.values.__getitem__)
    gap = measured.values[most] - measured.values[least]
    told = f"{gap * 100:.3g}%"
    figures = [f"{format_figure(metric, measured.values[name])} where {name}" for name in (most, least)]
    message = (
        f"{metric} is {figures[0]} and {figures[1]}: {told} apart, asked is at most {format_share(bound)}{measured.beside}"
    )
    return GateResult(metric, condition.description, gap <= bound + _ROUNDING, gap, bound, told, message)
