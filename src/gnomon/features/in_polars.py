"""A feature becomes an expression of Polars: the way of training and of batches.

Missing is null, and no NaN occurs. Rows stand in the order of time where a batch function looks back.
"""

from collections.abc import Callable, Mapping
from functools import reduce
from operator import and_, or_
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.features.calendar_parts import EARLIEST, LATEST
from gnomon.features.conventions import pairing_of
from gnomon.features.logarithm import log1p
from gnomon.resources.expressions.nodes import Node, ValueType, Window

_STAMP = pl.Datetime("us", "UTC")
DTYPES: Mapping[ValueType, pl.DataType] = {
    "number": pl.Float32(),
    "truth": pl.Float32(),
    "time": _STAMP,
    "text": pl.String(),
}
"""What a feature of each type is in a table."""


def polars_expression(node: Node) -> pl.Expr:
    """Return the expression of a feature over normalised raw columns, in the data type of its kind.

    Raw columns are numbers, booleans, ``Datetime("us", "UTC")`` and text without the empty one; missing is null.
    """
    value = _value(node)
    match node.type:
        case "number":
            return _finite(value.cast(pl.Float32))
        case "truth":
            return value.cast(pl.Float32)
        case "time":
            return value.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
        case "text":
            return value


def single(number: pl.Expr) -> pl.Expr:
    """Return a raw number as the float32 of a request holds it; missing where it is beyond."""
    return _finite(number.cast(pl.Float64).cast(pl.Float32))


def _value(node: Node) -> pl.Expr:  # noqa: C901, PLR0912 - one case for each operation
    arguments = [_value(argument) for argument in node.arguments]
    match node.op:
        case "constant":
            return _constant(node)
        case "column":
            return _column(str(node.value), node.type)
        case "less":
            return (arguments[0] < arguments[1]).fill_null(value=False)
        case "at_most":
            return (arguments[0] <= arguments[1]).fill_null(value=False)
        case "equal":
            return (arguments[0] == arguments[1]).fill_null(value=False)
        case "missing":
            return arguments[0].is_null()
        case "choose":
            return pl.when(arguments[0]).then(arguments[1]).otherwise(arguments[2])
        case "and" | "or":
            return reduce(and_ if node.op == "and" else or_, arguments)
        case "not":
            return ~arguments[0]
        case "number":
            return arguments[0].cast(pl.Float64)
        case "part":
            return _part(arguments[0], str(node.value))
        case "elapsed":
            return (arguments[1] - arguments[0]).cast(pl.Float64) / pl.lit(float(node.value))
        case "map":
            return _mapped(node, arguments[0])
        case "bucket":
            edges = np.array(node.value, dtype=np.float64)
            return _by_numpy(arguments[0], lambda numbers: np.searchsorted(edges, numbers, side="right").astype(np.float64))
        case "concat":
            return pl.concat_str(arguments)
        case "log1p":
            return _finite(_by_numpy(arguments[0], log1p))
        case op if op in _ARITHMETIC:
            return _finite(_ARITHMETIC[op](*arguments))
        case _:
            return _batch(node, arguments[0])


def _finite(number: pl.Expr) -> pl.Expr:
    return pl.when(number.is_finite()).then(number)


def _constant(node: Node) -> pl.Expr:
    dtypes = {"number": pl.Float64, "truth": pl.Boolean, "time": pl.Int64, "text": pl.String}
    value: Any = node.value
    if node.type == "time" and value is not None:
        value = min(max(value, EARLIEST), LATEST)
    return pl.lit(value, dtype=dtypes[node.type])


def _column(name: str, kind: ValueType) -> pl.Expr:
    value = pl.col(name)
    match kind:
        case "number":
            return single(value).cast(pl.Float64)
        case "time":
            return value.cast(_STAMP).dt.epoch("us").clip(EARLIEST, LATEST)
        case _:
            return value


def _part(moment: pl.Expr, part: str) -> pl.Expr:
    time = moment.cast(pl.Datetime("us")).dt
    number = {
        "year": time.year,
        "month": time.month,
        "day": time.day,
        "weekday": time.weekday,
        "dayofyear": time.ordinal_day,
        "hour": time.hour,
        "minute": time.minute,
    }[part]()
    return number.cast(pl.Float64)


def _mapped(node: Node, value: pl.Expr) -> pl.Expr:
    pairing = pairing_of(node)
    dtype = pl.Float64 if node.type == "number" else pl.String
    keys = pl.Series(pairing.keys, dtype=pl.Float64 if node.arguments[0].type == "number" else pl.String)
    mapped = value.replace_strict(keys, pl.Series(pairing.values, dtype=dtype), default=pl.lit(pairing.default, dtype=dtype))
    # A missing value is none of the keys.
    return pl.when(value.is_null()).then(pl.lit(pairing.default, dtype=dtype)).otherwise(mapped)


def _by_numpy(number: pl.Expr, function: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> pl.Expr:
    """Return what a function of arrays makes of the numbers, missing where they are."""

    def computed(series: pl.Series) -> pl.Series:
        return pl.Series(series.name, function(series.to_numpy()), dtype=pl.Float64)

    return pl.when(number.is_not_null()).then(number.map_batches(computed, return_dtype=pl.Float64, is_elementwise=True))


def _batch(node: Node, value: pl.Expr) -> pl.Expr:
    if not isinstance(node.value, Window):
        raise TypeError(node.op)
    rows = node.value.rows
    match node.op:
        case "lag":
            looked = value.shift(rows)
        case "rolling_mean":
            looked = value.rolling_mean(rows, min_samples=1)
        case "rolling_sum":
            looked = value.rolling_sum(rows, min_samples=1)
        case "rolling_min":
            looked = value.rolling_min(rows, min_samples=1)
        case "rolling_max":
            looked = value.rolling_max(rows, min_samples=1)
        case _:
            looked = value.is_not_null().cast(pl.Float64).rolling_sum(rows, min_samples=1)
    looked = looked.over(list(node.value.by)) if node.value.by else looked
    return _finite(looked) if node.type == "number" else looked


_ARITHMETIC: Mapping[str, Callable[..., pl.Expr]] = {
    "add": lambda left, right: left + right,
    "subtract": lambda left, right: left - right,
    "multiply": lambda left, right: left * right,
    "divide": lambda left, right: left / right,
    "abs": lambda number: number.abs(),
    "floor": lambda number: number.floor(),
    "sqrt": lambda number: number.sqrt(),
}
