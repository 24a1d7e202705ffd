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

Part = Literal[
    "minute_of_day", "hour", "minute", "weekday", "iso_weekday", "day_of_month", "month", "year", "day_of_year", "ordinal_day"
]
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

    Weekdays count from Monday, 0 to 6, and by ISO 8601 1 to 7; hours from 0; days and months from 1. Days of the year count
    29 February in every year, 1 to 366, so that a date has the same number in all of them; ordinal days do so in leap years.
    """
    known: NDArray[np.int64] = np.where(stamps == MISSING_TIMESTAMP, 0, np.clip(stamps, EARLIEST, LATEST))
    value: NDArray[np.int64] = _FORMULAS[part](known)
    return value


def is_missing(stamps: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return where a timestamp is missing."""
    missing: NDArray[np.bool_] = stamps == MISSING_TIMESTAMP
    return missing


def part_of_moment(stamp: int, part: Part) -> int:
    """Return one part of one timestamp, which is not missing."""
    value: int = _FORMULAS[part](min(max(stamp, EARLIEST), LATEST))
    return value


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

    def __mul__(self, other: "int | _Emitted") -> "_Emitted":
        return self._with("Mul", other)

    def __floordiv__(self, other: int) -> "_Emitted":
        return self._with("Div", other)

    def __mod__(self, other: int) -> "_Emitted":
        return self._with("Mod", other)


_T = TypeVar("_T", NDArray[np.int64], _Emitted, int)
"""The formulas are written once, for arrays, values of a graph and plain numbers. ``//`` never cuts off below zero in them."""


def _minute_of_day(stamps: _T) -> _T:
    return stamps % _DAY // _MINUTE


def _minute(stamps: _T) -> _T:
    return _minute_of_day(stamps) % 60


def _hour(stamps: _T) -> _T:
    return stamps % _DAY // (60 * _MINUTE)


def _days(stamps: _T) -> _T:
    return (stamps - stamps % _DAY) // _DAY


def _weekday(stamps: _T) -> _T:
    days: _T = _days(stamps)
    return (days + 3) % 7


def _iso_weekday(stamps: _T) -> _T:
    return _weekday(stamps) + 1


def _day_from_march(stamps: _T) -> _T:
    """Return the day of the year that begins on 1 March, from 0."""
    days: _T = _days(stamps)
    day = (days + _DAYS_TO_EPOCH) % _ERA
    year = _year_of_era(day)
    from_march: _T = day - year * 365 - year // 4 + year // 100
    return from_march


def _year_of_era(day: _T) -> _T:
    """Return the year, from 0, to which a day of an era belongs; years begin on 1 March."""
    return (day - day // 1460 + day // 36_524 - day // 146_096) // 365


def _year(stamps: _T) -> _T:
    days: _T = _days(stamps)
    day = days + _DAYS_TO_EPOCH
    of_era = day % _ERA
    era = (day - of_era) // _ERA
    # January and February, ten and eleven months after March, belong to the next year of the calendar.
    return _year_of_era(of_era) + era * 400 + _month_from_march(stamps) // 10


def _month_from_march(stamps: _T) -> _T:
    return (_day_from_march(stamps) * 5 + 2) // 153


def _day_of_month(stamps: _T) -> _T:
    return _day_from_march(stamps) - (_month_from_march(stamps) * 153 + 2) // 5 + 1


def _month(stamps: _T) -> _T:
    return (_month_from_march(stamps) + 2) % 12 + 1


def _day_of_year(stamps: _T) -> _T:
    return (_day_from_march(stamps) + 60) % 366 + 1


def _ordinal_day(stamps: _T) -> _T:
    from_march: _T = _day_from_march(stamps)
    year: _T = _year(stamps)
    # 306 days lie between 1 March and 31 December; the days before March are 59, or 60 in a leap year.
    is_late: _T = from_march // 306
    leap: _T = _divides(year, 4) - _divides(year, 100) + _divides(year, 400)
    early_day: _T = from_march + 60 + leap
    late_day: _T = from_march - 305
    return late_day * is_late + early_day * (is_late * -1 + 1)


def _divides(year: _T, by: int) -> _T:
    """Return 1 where ``by`` divides the year, else 0."""
    divides: _T = (year % by * -1 + by) // by
    return divides


_FORMULAS: dict[Part, Callable[[Any], Any]] = {
    "minute_of_day": _minute_of_day,
    "hour": _hour,
    "minute": _minute,
    "weekday": _weekday,
    "iso_weekday": _iso_weekday,
    "day_of_month": _day_of_month,
    "month": _month,
    "year": _year,
    "day_of_year": _day_of_year,
    "ordinal_day": _ordinal_day,
}
