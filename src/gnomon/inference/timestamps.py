"""Times become microseconds of the UTC epoch, exactly; digits below a microsecond are cut off towards the past."""

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.inference.signature import MISSING_TIMESTAMP

_RFC_3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})(?:[Tt ]([0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]+))?([Zz]|[+-][0-9]{2}:[0-9]{2})?)?"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds_of(value: Any) -> int:
    """Return ``value`` in microseconds of the UTC epoch; a missing one is ``MISSING_TIMESTAMP``.

    Takes None, NaN, whole numbers, RFC 3339 text, ``date``, ``datetime`` and ``datetime64``; without an offset, UTC is meant.

    Raises:
        ValueError: ``value`` is none of these.
    """
    stamp: int
    match value:
        case None:
            stamp = MISSING_TIMESTAMP
        case str():
            stamp = _parsed(value)
        case bytes():
            stamp = _parsed(value.decode())
        case datetime():
            stamp = ((value if value.tzinfo is not None else value.replace(tzinfo=UTC)) - _EPOCH) // _MICROSECOND
        case date():
            stamp = (value.toordinal() - _EPOCH.toordinal()) * 86_400_000_000
        case np.datetime64():
            stamp = int(microseconds_of_array(np.array([value]))[0])
        case bool() | np.bool_():
            raise ValueError("a boolean is no time")
        case int() | np.integer():
            stamp = int(value)
        case float() | np.floating():
            stamp = MISSING_TIMESTAMP if np.isnan(value) else _whole(float(value))
        case _:
            raise ValueError("not a time")
    return stamp


def microseconds_of_array(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return signed integers or ``datetime64`` as int64 microseconds."""
    if values.dtype.kind == "M":
        values = values.astype("datetime64[us]")  # NaT has the bits of MISSING_TIMESTAMP
    return values.astype(np.int64)


def _whole(value: float) -> int:
    if not value.is_integer():
        raise ValueError("not a whole number of microseconds")
    return int(value)


def _parsed(text: str) -> int:
    if not text:
        return MISSING_TIMESTAMP
    match = _RFC_3339.fullmatch(text)
    if match is None:
        raise ValueError("not RFC 3339")
    day, time, fraction, offset = match.groups()
    moment = datetime.fromisoformat(f"{day}T{time or '00:00:00'}{(offset or 'Z').upper()}")
    return (moment - _EPOCH) // _MICROSECOND + int(((fraction or "") + "000000")[:6])
