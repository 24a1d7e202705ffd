"""Quantities that people write: durations (``5m``), shares (``20%``) and sizes (``512MiB``), each typed once."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema

_DURATION = re.compile(r"^(\d+(?:\.\d+)?)(ms|s|m|h|d)$")
_DURATION_UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
_SHARE = re.compile(r"^(\d+(?:\.\d+)?)%$")
_SIZE = re.compile(r"^(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB|KB|MB|GB|TB)$")
_SIZE_UNITS = {
    "B": 1,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
}


def parse_duration(text: object) -> timedelta:
    """Return the duration that ``text`` writes, such as ``30s``, ``5m``, ``1.5h`` or ``7d``.

    Raises:
        ValueError: ``text`` is not a number with one of the units ms, s, m, h, d.
    """
    match = _DURATION.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a duration as a number and a unit: 500ms, 30s, 5m, 2h or 7d")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def parse_share(text: object) -> float:
    """Return the share in [0, 1] that ``text`` writes, such as ``20%``.

    Raises:
        ValueError: ``text`` is not a percentage.
    """
    match = _SHARE.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a share as a percentage: 20% or 0.5%")
    return float(match[1]) / 100


def parse_size(text: object) -> int:
    """Return the bytes that ``text`` writes, such as ``512MiB`` or ``1.5GB``.

    Raises:
        ValueError: ``text`` is not a number with a unit of bytes.
    """
    match = _SIZE.match(text) if isinstance(text, str) else None
    if match is None:
        raise ValueError("write a size as a number and a unit: 64KiB, 512MiB or 2GiB")
    return int(float(match[1]) * _SIZE_UNITS[match[2]])


def format_duration(value: timedelta) -> str:
    """Return ``value`` in the largest unit that writes it as a whole number."""
    for unit in ("d", "h", "m", "s"):
        if value >= _DURATION_UNITS[unit] and value % _DURATION_UNITS[unit] == timedelta(0):
            return f"{value // _DURATION_UNITS[unit]}{unit}"
    return f"{round(value / _DURATION_UNITS['ms'])}ms"


def format_share(value: float) -> str:
    """Return ``value`` as a percentage."""
    return f"{round(value * 100, 6):g}%"


def format_size(value: int) -> str:
    """Return ``value`` bytes in the largest binary unit that writes it as a whole number."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if value >= _SIZE_UNITS[unit] and value % _SIZE_UNITS[unit] == 0:
            return f"{value // _SIZE_UNITS[unit]}{unit}"
    return f"{value}B"


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION.pattern, "examples": ["30s", "5m", "2h", "7d"]}),
]
Share = Annotated[
    float,
    BeforeValidator(parse_share),
    Field(ge=0, le=1),
    PlainSerializer(format_share, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _SHARE.pattern, "examples": ["20%", "0.5%"]}),
]
ByteSize = Annotated[
    int,
    BeforeValidator(parse_size),
    Field(ge=0),
    PlainSerializer(format_size, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _SIZE.pattern, "examples": ["512MiB", "2GiB"]}),
]
