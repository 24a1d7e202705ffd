"""What a schema declares is enforced on all rows in one query; and a schema is proposed from what the rows hold."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType, DatasetSpec

_EXAMPLES = 3
_SHOWN_CHARACTERS = 60
_SHOWN_VALUES = 10
_MOST_LEVELS = 20
"""A text column with no more different values than this is proposed as a list of them."""
_LARGEST_PLAIN = 2**63
"""Larger bounds are written with an exponent."""
_WIDEST_RANGE = 1e300
_NUMBERS: tuple[ColumnType, ...] = ("float64", "float32", "int64", "int32")


@dataclass(frozen=True)
class Violation:
    """One declared rule that does not hold, in how many rows, and what to say about it."""

    column: str
    rule: str
    rows: int
    message: str

    def __str__(self) -> str:
        return self.message


@dataclass(frozen=True)
class _Rule:
    """``count`` is how many rows break the rule, ``broken`` is true in those rows."""

    column: str
    name: str
    told: str
    count: pl.Expr
    broken: pl.Expr
    shows_values: bool = True


def enforce(spec: DatasetSpec, frame: pl.LazyFrame) -> tuple[Violation, ...]:
    """Return every declared rule that ``frame`` breaks: missing values, bounds, values, uniqueness, the key, the time.

    Missing values break no bound, and count neither as values nor as duplicates.

    Args:
        spec: What is declared.
        frame: The typed rows. Row numbers in messages count from 1 over all files.

    Raises:
        DataError: A rule cannot be applied to a column of its type.
    """
    rules = list(_rules(spec, frame.collect_schema()))
    if not rules:
        return ()
    counts = frame.select(rule.count.alias(str(place)) for place, rule in enumerate(rules)).collect(engine="streaming").row(0)
    return tuple(_violation(rule, count, frame) for rule, count in zip(rules, counts, strict=True) if count)


def infer_columns(columns: Sequence[SnapshotColumn], frame: pl.LazyFrame) -> tuple[Column, ...]:
    """Propose a schema that ``frame`` meets: types, missing values, the bounds of numbers, the values of short lists.

    Bounds are round numbers that leave half of the range seen on either side, though nothing below zero where nothing
    was: the next rows are rarely within the extremes of these.
    """
    texts = [column.name for column in columns if column.type == "string"]
    numbers = [column.name for column in columns if column.type in _NUMBERS]
    seen = (
        frame.select(
            *(pl.col(name).min().alias(f"{name}\0min") for name in numbers),
            *(pl.col(name).max().alias(f"{name}\0max") for name in numbers),
            *(pl.col(name).drop_nulls().n_unique().alias(f"{name}\0levels") for name in texts),
        )
        .collect(engine="streaming")
        .row(0, named=True)
        if texts or numbers
        else {}
    )
    bounds = {name: _roomy(seen[f"{name}\0min"], seen[f"{name}\0max"]) for name in numbers}
    short = [name for name in texts if seen[f"{name}\0levels"] <= _MOST_LEVELS]
    levels = frame.select(pl.col(name).drop_nulls().unique().sort().implode() for name in short).collect() if short else None
    return tuple(
        Column(
            name=column.name,
            type=column.type,
            nullable=column.nullable,
            min=bounds.get(column.name, (None, None))[0],
            max=bounds.get(column.name, (None, None))[1],
            values=tuple(levels[column.name][0]) or None if levels is not None and column.name in short else None,
        )
        for column in columns
    )


def _rules(spec: DatasetSpec, schema: pl.Schema) -> Iterator[_Rule]:
    for declared in spec.columns:
        yield from _column_rules(declared, schema[declared.name])
    if spec.time is not None and all(column.name != spec.time or column.nullable for column in spec.columns):
        null = pl.col(spec.time).is_null()
        yield _Rule(spec.time, "time", "have no value, but this is the time column", null.sum(), null, shows_values=False)
    for name in spec.key:
        null = pl.col(name).is_null()
        if all(column.name != name or column.nullable for column in spec.columns):
            yield _Rule(name, "key", "have no value, but the key names this column", null.sum(), null, shows_values=False)
    if spec.key:
        names = list(spec.key)
        key = pl.struct(names) if len(names) > 1 else pl.col(names[0])
        yield _Rule(
            ", ".join(names), "key", "repeat the key of an earlier row", pl.len() - key.n_unique(), ~key.is_first_distinct()
        )


def _column_rules(declared: Column, dtype: pl.DataType) -> Iterator[_Rule]:
    column = pl.col(declared.name)
    if not declared.nullable:
        null = column.is_null()
        yield _Rule(declared.name, "nullable", "have no value", null.sum(), null, shows_values=False)
    for name, bound in (("min", declared.min), ("max", declared.max)):
        if bound is not None:
            if not dtype.is_numeric():
                raise DataError(
                    f"column {declared.name} declares {name}, but is of type {declared.type}",
                    "min and max bound numbers: drop them, or write a check such as max(COLUMN) <= ...",
                )
            limit = _literal(bound, dtype)
            broken = column < limit if name == "min" else column > limit
            side = "below" if name == "min" else "above"
            yield _Rule(declared.name, name, f"hold values {side} {bound}", broken.sum(), broken)
    if declared.values is not None:
        text = column if dtype == pl.String() else column.cast(pl.String)
        broken = ~text.is_in(declared.values)
        shown = ", ".join(declared.values[:_SHOWN_VALUES]) + (", …" if len(declared.values) > _SHOWN_VALUES else "")
        yield _Rule(declared.name, "values", f"hold values outside {shown}", broken.sum(), broken)
    if declared.unique:
        count = column.count() - column.drop_nulls().n_unique()
        broken = ~column.is_first_distinct() & column.is_not_null()
        yield _Rule(declared.name, "unique", "repeat a value of an earlier row", count, broken)


def _literal(bound: float, dtype: pl.DataType) -> pl.Expr:
    is_whole = dtype.is_integer() and isinstance(bound, int) and -(2**63) <= bound < 2**63
    return pl.lit(bound if is_whole else float(bound))


def _violation(rule: _Rule, count: int, frame: pl.LazyFrame) -> Violation:
    names = rule.column.split(", ") if rule.name == "key" and rule.column not in frame.collect_schema() else [rule.column]
    found = frame.select(names).with_columns(rule.broken.alias("\0broken")).with_row_index("\0row", 1)
    examples = found.filter(pl.col("\0broken")).head(_EXAMPLES).collect().drop("\0broken").rows()
    label = f"column {rule.column}" if len(names) == 1 else f"key {rule.column}"
    rows = "1 row" if count == 1 else f"{count:,} rows"
    told = (
        rule.told if count > 1 else rule.told.replace("hold ", "holds ").replace("have ", "has ").replace("repeat ", "repeats ")
    )
    if rule.shows_values:
        shown = "; ".join(f"{', '.join(_shown(value) for value in values)} (row {row:,})" for row, *values in examples)
    else:
        shown = ", ".join(f"row {row:,}" for row, *_ in examples)
    return Violation(rule.column, rule.name, count, f"{label}: {rows} {told}: {shown}")


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _roomy(low: float | None, high: float | None) -> tuple[float | int | None, float | int | None]:
    """Return round bounds well around what was seen, or none where there was no range to go by."""
    if low is None or high is None or not 0 < high - low < _WIDEST_RANGE:
        return None, None
    span = high - low
    digits = 1 - math.floor(math.log10(span))
    step = 10.0**-digits
    wide_low, wide_high = low - span / 2, high + span / 2
    if low >= 0:
        wide_low = max(0.0, wide_low)
    lower, upper = math.floor(wide_low / step) * step, math.ceil(wide_high / step) * step
    return _plain(min(round(lower, digits), low)), _plain(max(round(upper, digits), high))


def _plain(bound: float) -> float | int:
    return int(bound) if bound == int(bound) and abs(bound) < _LARGEST_PLAIN else bound
