"""Quantities that people write, each typed once.

Durations (``5m``), spans of the calendar (``1mo``), moments (``2013-01-01``), shares (``20%``) and sizes (``512MiB``).

Text and value convert into each other exactly: what is written out reads back as the same value.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationInfo, WithJsonSchema

_NUMBER = r"([0-9]{1,19}(?:\.[0-9]{1,20})?)"
DURATION_PATTERN = rf"^{_NUMBER}(ms|s|m|h|d)$"
_DURATION = re.compile(DURATION_PATTERN)
_DURATION_UNITS = {
    "d": timedelta(days=1),
    "h": timedelta(hours=1),
    "m": timedelta(minutes=1),
    "s": timedelta(seconds=1),
    "ms": timedelta(milliseconds=1),
}
_MICROSECOND = timedelta(microseconds=1)
_LONGEST = timedelta(days=36_500)
SPAN_PATTERN = rf"^(?:{_NUMBER}(?:s|m|h|d|w)|[1-9][0-9]{{0,3}}(?:mo|y))$"
_SPAN = re.compile(SPAN_PATTERN)
_MONTHS = re.compile(r"^([1-9][0-9]{0,3})(mo|y)$")
_WEEKS = re.compile(rf"^{_NUMBER}w$")
_YEAR = 12
_MOST_MONTHS = 1200
_WEEK = timedelta(weeks=1)
MOMENT_PATTERN = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$"
)
_MOMENT = re.compile(MOMENT_PATTERN)
SHARE_PATTERN = rf"^{_NUMBER}%$"
_SHARE = re.compile(SHARE_PATTERN)
SIZE_PATTERN = rf"^{_NUMBER}(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)$"
_SIZE = re.compile(SIZE_PATTERN)
_SIZE_UNITS = {
    "TiB": 2**40,
    "GiB": 2**30,
    "MiB": 2**20,
    "KiB": 2**10,
    "TB": 10**12,
    "GB": 10**9,
    "MB": 10**6,
    "KB": 10**3,
    "B": 1,
}
_LARGEST_SIZE = 2**60


def parse_duration(text: object) -> timedelta:
    """Return the duration that ``text`` writes, such as ``30s``, ``5m``, ``1.5h`` or ``7d``, to the microsecond.

    Raises:
        ValueError: ``text`` is not a number with one of the units ms, s, m, h, d, or is over 36,500 days.
    """
    match = _DURATION.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a duration as a number and a unit: 500ms, 30s, 5m, 2h or 7d")
    microseconds = int(Decimal(match[1]) * (_DURATION_UNITS[match[2]] // _MICROSECOND))
    if microseconds > _LONGEST // _MICROSECOND:
        raise ValueError(f"write a duration of at most {_LONGEST.days}d")
    return microseconds * _MICROSECOND


@dataclass(frozen=True, order=True)
class Months:
    """A span of whole months of the calendar, whose length in days depends on where it stands."""

    count: int


def parse_span(text: object) -> timedelta | Months:
    """Return the span that ``text`` writes: of fixed length such as ``12h``, ``90d`` or ``1w``, or of months: ``1mo``, ``1y``.

    Raises:
        ValueError: ``text`` is no number with one of the units s, m, h, d, w, mo, y, or is over 36,500 days or 100 years.
    """
    if not isinstance(text, str) or _SPAN.fullmatch(text) is None:
        raise ValueError("write a span as a number and a unit: 12h, 7d, 1w, 1mo or 1y")
    months, weeks = _MONTHS.fullmatch(text), _WEEKS.fullmatch(text)
    if months is not None:
        count = int(months[1]) * (_YEAR if months[2] == "y" else 1)
        if count > _MOST_MONTHS:
            raise ValueError(f"write a span of at most {_MOST_MONTHS // _YEAR}y")
        return Months(count)
    return parse_duration(text if weeks is None else f"{Decimal(weeks[1]) * 7:f}d")


def format_span(value: timedelta | Months) -> str:
    """Return ``value`` in the largest unit that writes it as a whole number; a week is ``1w``."""
    if isinstance(value, Months):
        return f"{value.count // _YEAR}y" if value.count % _YEAR == 0 else f"{value.count}mo"
    return "1w" if value == _WEEK else format_duration(value)


def parse_moment(text: object) -> datetime:
    """Return the moment that ``text`` writes: midnight of a date in UTC, or a time with its zone.

    Raises:
        ValueError: ``text`` is neither a date such as ``2013-01-01`` nor a time such as ``2013-01-01T06:00:00Z``.
    """
    if not isinstance(text, str) or _MOMENT.fullmatch(text) is None:
        raise ValueError("write a date such as 2013-01-01, or a time in UTC such as 2013-01-01T06:00:00Z")
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"write a day of the calendar and an hour of the day: {text} is none") from None


def format_moment(value: datetime) -> str:
    """Return ``value`` as a date where it is midnight in UTC, else with its time."""
    at = value.astimezone(UTC)
    is_midnight = at.time() == datetime.min.time()
    return at.date().isoformat() if is_midnight else at.isoformat().replace("+00:00", "Z")


def parse_share(text: object) -> float:
    """Return the share in [0, 1] that ``text`` writes, such as ``20%``.

    Raises:
        ValueError: ``text`` is not a percentage, or is over 100%.
    """
    match = _SHARE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a share as a percentage: 20% or 0.5%")
    share = Decimal(match[1]) / 100
    if share > 1:
        raise ValueError("write a share of at most 100%")
    return float(share)


def parse_size(text: object) -> int:
    """Return the bytes that ``text`` writes, such as ``512MiB`` or ``1.5GB``.

    Raises:
        ValueError: ``text`` is not a number with a unit of bytes, or is over 2**60 bytes.
    """
    match = _SIZE.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a size as a number and a unit: 64KiB, 512MiB or 2GiB")
    size = int(Decimal(match[1]) * _SIZE_UNITS[match[2]])
    if size > _LARGEST_SIZE:
        raise ValueError(f"write a size of at most {format_size(_LARGEST_SIZE)}")
    return size


def format_duration(value: timedelta) -> str:
    """Return ``value`` in the largest unit that writes it as a whole number."""
    if not value:
        return "0s"
    for name, unit in _DURATION_UNITS.items():
        if value % unit == timedelta(0):
            return f"{value // unit}{name}"
    return f"{_plain(Decimal(value // _MICROSECOND) / 1000)}ms"


def format_share(value: float) -> str:
    """Return ``value`` as a percentage."""
    return f"{_plain(Decimal(repr(value)) * 100)}%"


def format_size(value: int) -> str:
    """Return ``value`` bytes in the largest binary unit that writes it as a whole number."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value >= _SIZE_UNITS[unit] and value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return f"{value}B"


def _plain(number: Decimal) -> str:
    """Return ``number`` without an exponent and without zeros at the end."""
    text = f"{number:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _reader(parse: Callable[[object], object], *value_types: type) -> BeforeValidator:
    """Return a validator that reads text; programs, but not files, may also pass the value itself."""

    def read(value: object, info: ValidationInfo) -> object:
        return value if info.mode == "python" and type(value) in value_types else parse(value)

    return BeforeValidator(read)


Duration = Annotated[
    timedelta,
    _reader(parse_duration, timedelta),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN, "examples": ["30s", "5m", "2h", "7d"]}),
]
Span = Annotated[
    timedelta | Months,
    _reader(parse_span, timedelta, Months),
    PlainSerializer(format_span, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SPAN_PATTERN, "examples": ["12h", "7d", "1w", "1mo", "1y"]}),
]
Moment = Annotated[
    datetime,
    _reader(parse_moment, datetime),
    PlainSerializer(format_moment, return_type=str),
    WithJsonSchema({"type": "string", "pattern": MOMENT_PATTERN, "examples": ["2013-01-01", "2013-01-01T06:00:00Z"]}),
]
Share = Annotated[
    float,
    _reader(parse_share, float),
    Field(ge=0, le=1),
    PlainSerializer(format_share, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SHARE_PATTERN, "examples": ["20%", "0.5%"]}),
]
ByteSize = Annotated[
    int,
    _reader(parse_size, int),
    Field(ge=0),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": SIZE_PATTERN, "examples": ["512MiB", "2GiB"]}),
]
