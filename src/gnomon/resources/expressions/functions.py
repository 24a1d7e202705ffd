"""What an expression may call."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Function:
    """How a function is called: the names of its parameters, how many must be given, and whether it reads other rows."""

    parameters: tuple[str, ...]
    least: int
    most: int
    batch: bool = False


def _takes(*parameters: str, least: int | None = None, most: int | None = None, batch: bool = False) -> Function:
    count = len(parameters)
    return Function(parameters, count if least is None else least, count if most is None else most, batch)


FUNCTIONS: Mapping[str, Function] = {
    "if": _takes("condition", "then", "otherwise"),
    "fill": _takes("x", "value"),
    "is_missing": _takes("x"),
    "clip": _takes("x", "low", "high"),
    "min": _takes("x", "y", most=16),
    "max": _takes("x", "y", most=16),
    "abs": _takes("x"),
    "floor": _takes("x"),
    "sqrt": _takes("x"),
    "log1p": _takes("x"),
    "bucket": _takes("x", "edges"),
    "map": _takes("x", "values", "default", least=2),
    "concat": _takes("x", "y", most=16),
    "time": _takes("text"),
    "elapsed": _takes("start", "end", "unit"),
    "year": _takes("time"),
    "month": _takes("time"),
    "day": _takes("time"),
    "weekday": _takes("time"),
    "dayofyear": _takes("time"),
    "hour": _takes("time"),
    "minute": _takes("time"),
    "lag": _takes("x", "rows", batch=True),
    "rolling_mean": _takes("x", "rows", batch=True),
    "rolling_sum": _takes("x", "rows", batch=True),
    "rolling_min": _takes("x", "rows", batch=True),
    "rolling_max": _takes("x", "rows", batch=True),
    "rolling_count": _takes("x", "rows", batch=True),
}
"""What may be called. ``and``, ``or``, ``not``, ``in`` and the signs are calls too, which are written otherwise."""
