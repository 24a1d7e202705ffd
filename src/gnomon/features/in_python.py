"""A feature becomes a plain Python function of one row, for explanations: no table and no session is needed."""

import math
import struct
from bisect import bisect_right
from collections.abc import Callable, Mapping
from typing import Any

from gnomon.features.calendar_parts import EARLIEST, LATEST, part_of_moment
from gnomon.features.conventions import CALENDAR_PARTS, pairing_of, refused_batch
from gnomon.features.logarithm import log1p_of_number
from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.resources.expressions.nodes import Node

Value = float | bool | int | str | None
"""A number, a truth value, microseconds of the UTC epoch, a text, or None where it is missing."""
RowFunction = Callable[[Mapping[str, Any]], Value]


def row_function(node: Node) -> RowFunction:
    """Return the function that computes a feature from the raw values of a row, by column name.

    Numbers are rounded to float32, as they are where a model sees them. Timestamps are microseconds of the UTC epoch.

    Raises:
        ManifestError: The feature needs other rows than its own.
    """
    compute = _compiled(node)
    if node.type == "number":
        return lambda row: _single(compute(row))
    return compute


def _compiled(node: Node) -> Callable[[Mapping[str, Any]], Any]:  # noqa: C901 - one case for each operation
    parts = [_compiled(argument) for argument in node.arguments]
    match node.op:
        case "constant":
            return lambda _: node.value
        case "column":
            return _column(str(node.value), node.type)
        case "choose":
            condition, then, otherwise = parts
            return lambda row: then(row) if condition(row) else otherwise(row)
        case "and":
            return lambda row: parts[0](row) and parts[1](row)
        case "or":
            return lambda row: parts[0](row) or parts[1](row)
        case "not":
            return lambda row: not parts[0](row)
        case "missing":
            return lambda row: parts[0](row) is None
        case "number":
            return lambda row: float(parts[0](row))
        case "less" | "at_most" | "equal":
            return _comparison(node.op, *parts)
        case "map":
            return _mapped(node, parts[0])
        case _:
            if node.op not in _FORMULAS:
                raise refused_batch(node)
            return _where_known(_FORMULAS[node.op](node), parts)


def _column(name: str, kind: str) -> Callable[[Mapping[str, Any]], Any]:
    match kind:
        case "number":
            return lambda row: _single(row[name])
        case "time":
            return lambda row: _moment(row[name])
        case _:
            return lambda row: row[name] or None


def _single(value: float | None) -> float | None:
    """Return a number as the float32 of a request holds it; None where it is missing or beyond."""
    if value is None:
        return None
    try:
        single: float = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return None
    return single if math.isfinite(single) else None


def _moment(value: int | None) -> int | None:
    return None if value is None or value == MISSING_TIMESTAMP else min(max(value, EARLIEST), LATEST)


def _comparison(op: str, left: Callable[..., Any], right: Callable[..., Any]) -> Callable[[Mapping[str, Any]], bool]:
    def compared(row: Mapping[str, Any]) -> bool:
        one, other = left(row), right(row)
        if one is None or other is None:
            return False
        return bool(one < other if op == "less" else one <= other if op == "at_most" else one == other)

    return compared


def _mapped(node: Node, value: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    pairing = pairing_of(node)
    table = dict(zip(pairing.keys, pairing.values, strict=True))
    return lambda row: table.get(value(row), pairing.default)


def _where_known(formula: Callable[..., Any], parts: list[Callable[..., Any]]) -> Callable[[Mapping[str, Any]], Any]:
    """Return the function that applies a formula where no argument is missing; what is not finite is missing."""

    def applied(row: Mapping[str, Any]) -> Any:
        values = [part(row) for part in parts]
        if None in values:
            return None
        result = formula(*values)
        return None if isinstance(result, float) and not math.isfinite(result) else result

    return applied


def _quotient(left: float, right: float) -> float | None:
    return left / right if right else None


def _floor(value: float) -> float:
    return math.copysign(float(math.floor(value)), value)


_FORMULAS: Mapping[str, Callable[[Node], Callable[..., Any]]] = {
    "add": lambda _: lambda left, right: left + right,
    "subtract": lambda _: lambda left, right: left - right,
    "multiply": lambda _: lambda left, right: left * right,
    "divide": lambda _: _quotient,
    "abs": lambda _: abs,
    "floor": lambda _: _floor,
    "sqrt": lambda _: lambda value: math.sqrt(value) if value >= 0 else None,
    "log1p": lambda _: log1p_of_number,
    "part": lambda node: lambda moment: float(part_of_moment(moment, CALENDAR_PARTS[node.value])),
    "elapsed": lambda node: lambda start, end: float(end - start) / node.value,
    "bucket": lambda node: lambda value: float(bisect_right(node.value, value)),
    "concat": lambda _: lambda *texts: "".join(texts),
}
