"""What must hold of a model's windows and schedule, looking at the model alone."""

from collections.abc import Iterator
from datetime import timedelta
from math import gcd

from gnomon.resources.documents import NodePath
from gnomon.resources.model import ModelSpec, Window
from gnomon.resources.quantities import Months, format_span
from gnomon.resources.violation import Violation

_PATH: NodePath = ("spec", "window")
_HOUR = timedelta(hours=1)
_MOST_PARTS = 10_000
_LAST_COMMON_DAY = 28
"""The last day of a month that every month has."""


def window_violations(spec: ModelSpec) -> Iterator[Violation]:
    """Yield every rule that the windows and the schedule of a model break."""
    if spec.window is not None:
        yield from _lengths(spec.window)
        yield from _origin(spec.window)
        yield from _backfill(spec.window)
    if spec.retrain.schedule is None and spec.retrain.timezone != "UTC":
        path: NodePath = ("spec", "retrain", "timezone")
        yield Violation(path, "spec.retrain.timezone is the zone of no schedule", "add schedule, or remove it")


def _lengths(window: Window) -> Iterator[Violation]:
    fixed = True
    for key, value in (("span", window.span), ("every", window.step)):
        if isinstance(value, timedelta) and (value < _HOUR or value % _HOUR):
            fixed = False
            cause = f"spec.window.{key} is {format_span(value)}, and windows are of whole hours"
            yield Violation((*_PATH, key), cause, "write hours (6h), days (7d), weeks (1w), months (1mo) or years (1y)")
    span, every = window.span, window.step
    if isinstance(span, Months) and isinstance(every, timedelta):
        cause = f"windows of months ({format_span(span)}) do not fit steps of fixed length ({format_span(every)})"
        yield Violation((*_PATH, "every"), cause, "write every in months too, or span in days")
    elif fixed and isinstance(span, timedelta) and isinstance(every, timedelta):
        part = gcd(span // _HOUR, every // _HOUR)
        if max(span, every) // (part * _HOUR) > _MOST_PARTS:
            cause = f"steps of {format_span(every)} cut windows of {format_span(span)} into more than {_MOST_PARTS:,} parts"
            yield Violation((*_PATH, "every"), cause, "write a step that span is a multiple of")


def _origin(window: Window) -> Iterator[Violation]:
    origin = window.origin
    if origin is None or isinstance(window.step, timedelta):
        return
    if origin.day > _LAST_COMMON_DAY or origin.timetz().replace(tzinfo=None) != origin.min.time():
        cause = "steps of months begin at midnight of a day that every month has"
        yield Violation((*_PATH, "origin"), cause, "write a date up to the 28th, such as 2013-04-01")


def _backfill(window: Window) -> Iterator[Violation]:
    backfill = window.backfill
    if backfill is not None and (backfill.windows is None) == (backfill.since is None):
        cause = "spec.window.backfill needs one of windows and since"
        yield Violation((*_PATH, "backfill"), cause, "write {windows: 24} or {since: 2013-01-01}")
