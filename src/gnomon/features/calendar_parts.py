"""A timestamp becomes parts of the calendar (UTC) by integer arithmetic alone, in NumPy and in ONNX.

Days become dates by H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013): years begin on 1 March, eras have
400 years. Timestamps are held within the years 1 to 9999, so that nothing overflows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import GraphBuilder
from gnomon.inference.signature import MISSING_TIMESTAMP

Part = Literal["minute_of_day", "hour", "weekday", "day_of_month", "month", "day_of_year"]
PARTS: tuple[Part, ...] = get_args(Part)

EARLIEST = -62_135_596_800_000_000
"""0001-01-01T00:00:00Z in microseconds."""
LATEST = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds."""

_MINUTE = 60_000_000
_DAY = 86_400_000_000
_DAYS_TO_EPOCH = 719_468
"""Days from 0000-03-01 to 1970-01-01."""
_ERA = 146_097
"""Days of 400 years."""


def calendar_part(stamps: NDArray[np.int64], part: Part) -> NDArray[np.int64]:
    """Return one part of each timestamp, of the same shape; where it is missing, that of the epoch.

    Weekdays count from Monday, 0 to 6; hours from 0; days and months from 1. Days of the year count 29 February in every
    year, 1 to 366, so that a date has the same number in all of them.
    """
    known: NDArray[np.int64] = np.where(stamps == MISSING_TIMESTAMP, 0, np.clip(stamps, EARLIEST, LATEST))
    value: NDArray[np.int64] = _FORMULAS[part](known)
    return value


def is_missing(stamps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a timestamp is missing."""
    missing: NDArray[np.bool_] = stamps == MISSING_TIMESTAMP
    return missing


def emit_calendar_part(graph: GraphBuilder, stamps: str, part: Part) -> str:
    """Emit ``calendar_part``: int64 in, int64 of the same shape out."""
    held = graph.node("Clip", stamps, graph.constant(np.array(EARLIEST)), graph.constant(np.array(LATEST)))
    known = graph.node("Where", emit_is_missing(graph, stamps), graph.integers(0), held)
    value: _Emitted = _FORMULAS[part](_Emitted(graph, known))
    return value.name


def emit_is_missing(graph: GraphBuilder, stamps: str) -> str:
    """Emit ``is_missing``: int64 in, bool of the same shape out."""
    return graph.node("Equal", stamps, graph.integers(MISSING_TIMESTAMP))


@dataclass(frozen=True)
class _Emitted:
    """A value of a graph; arithmetic emits nodes."""

    graph: GraphBuilder
    name: str

    def _with(self, op: str, other: "int | _Emitted") -> "_Emitted":
        operand = self.graph.integers(other) if isinstance(other, int) else other.name
        return _Emitted(self.graph, self.graph.node(op, self.name, operand))

    def __add__(self, other: "int | _Emitted") -> "_Emitted":
        return self._with("Add", other)

    def __sub__(self, other: "int | _Emitted") -> "_Emitted":
        return self._with("Sub", other)

    def __mul__(self, other: int) -> "_Emitted":
        return self._with("Mul", other)

    def __floordiv__(self, other: int) -> "_Emitted":
        return self._with("Div", other)

    def __mod__(self, other: int) -> "_Emitted":
        return self._with("Mod", other)


_T = TypeVar("_T", NDArray[np.int64], _Emitted)
"""The formulas are written once, for arrays and for values of a graph. ``//`` never cuts off below zero in them."""


def _minute_of_day(stamps: _T) -> _T:
    return stamps % _DAY // _MINUTE


def _hour(stamps: _T) -> _T:
    return stamps % _DAY // (60 * _MINUTE)


def _days(stamps: _T) -> _T:
    return (stamps - stamps % _DAY) // _DAY


def _weekday(stamps: _T) -> _T:
    days: _T = _days(stamps)
    return (days + 3) % 7


def _day_from_march(stamps: _T) -> _T:
    """Return the day of the year that begins on 1 March, from 0."""
    days: _T = _days(stamps)
    day = (days + _DAYS_TO_EPOCH) % _ERA
    year = (day - day // 1460 + day // 36_524 - day // 146_096) // 365
    from_march: _T = day - year * 365 - year // 4 + year // 100
    return from_march


def _month_from_march(stamps: _T) -> _T:
    return (_day_from_march(stamps) * 5 + 2) // 153


def _day_of_month(stamps: _T) -> _T:
    return _day_from_march(stamps) - (_month_from_march(stamps) * 153 + 2) // 5 + 1


def _month(stamps: _T) -> _T:
    return (_month_from_march(stamps) + 2) % 12 + 1


def _day_of_year(stamps: _T) -> _T:
    return (_day_from_march(stamps) + 60) % 366 + 1


_FORMULAS: dict[Part, Callable[[Any], Any]] = {
    "minute_of_day": _minute_of_day,
    "hour": _hour,
    "weekday": _weekday,
    "day_of_month": _day_of_month,
    "month": _month,
    "day_of_year": _day_of_year,
}
