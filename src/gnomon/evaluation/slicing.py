"""A column of the test rows becomes slices: the rows of each value, or of each quarter of a number or a time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.errors import InputError
from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.resources.wording import nearest
from gnomon.training.prepared_table import KIND
from gnomon.training.texts import encoded_texts

Rows = NDArray[np.int64]

MOST_SLICES = 200
"""Of one column. The values with the most rows are kept, and what is left out is counted."""
_QUARTERS = (0.25, 0.5, 0.75)
_FEW_VALUES = 10
"""Numbers of so few different values are taken as they are; more are cut at their quartiles."""
_DAY_US = 86_400_000_000


@dataclass(frozen=True, eq=False)
class Slice:
    """The rows for which a column has a value, or lies between two."""

    column: str
    value: str
    """The value, or the bounds: ``JFK``, ``< 500``, ``500 to < 900``."""
    is_range: bool
    rows: Rows

    @property
    def condition(self) -> str:
        """What holds of these rows, in words."""
        if self.is_range and self.value[0] not in "<>":
            low, high = self.value.split(" to < ")
            return f"{low} <= {self.column} < {high}"
        return f"{self.column} {self.value}" if self.is_range else f"{self.column} = {self.value}"


@dataclass(frozen=True, eq=False)
class Slices:
    """The slices of a column, and what was left out because there are too many values."""

    column: str
    slices: tuple[Slice, ...]
    left_out: int = 0
    largest_left_out: int = 0


def slices_of(table: pa.Table, column: str) -> Slices:
    """Return the slices of a column; rows without a value are one of them.

    Raises:
        InputError: The table has no such column, or it holds something that is not cut.
    """
    if column not in table.column_names:
        near = nearest(column, table.column_names)
        mend = f"did you mean {near!r}?" if near else "name a column of the dataset"
        raise InputError(f"the rows have no column {column!r}", mend)
    field, values = table.schema.field(column), table.column(column).combine_chunks()
    kind = (field.metadata or {}).get(KIND, b"").decode()
    if pa.types.is_temporal(values.type):
        return Slices(column, tuple(_of_times(column, values)))
    if pa.types.is_boolean(values.type) or kind == "boolean":
        return Slices(column, tuple(_of_truths(column, _floats(values))))
    if pa.types.is_floating(values.type) or pa.types.is_integer(values.type):
        return Slices(column, tuple(_of_numbers(column, _floats(values))))
    if pa.types.is_dictionary(values.type) or pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
        return _of_texts(column, values)
    raise InputError(f"column {column!r} holds {values.type}, which is not cut into slices", "name a number, a text or a time")


def _floats(values: Any) -> NDArray[np.float64]:
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def _of_texts(column: str, values: Any) -> Slices:
    codes, names = encoded_texts(values)
    found, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    labels = ["(missing)" if name in (None, "") else str(name) for name in np.asarray(names.to_pylist(), dtype=object)[found]]
    ranked = sorted(range(len(found)), key=lambda k: (-int(counts[k]), labels[k]))
    order = np.argsort(place, kind="stable")
    parts = np.split(order, np.cumsum(counts)[:-1])
    left = ranked[MOST_SLICES:]
    return Slices(
        column,
        tuple(Slice(column, labels[k], is_range=False, rows=parts[k]) for k in ranked[:MOST_SLICES]),
        len(left),
        int(counts[left[0]]) if left else 0,
    )


def _of_truths(column: str, values: NDArray[np.float64]) -> Iterator[Slice]:
    for value, chosen in (("true", values == 1), ("false", values == 0), ("(missing)", np.isnan(values))):
        if chosen.any():
            yield Slice(column, value, is_range=False, rows=np.flatnonzero(chosen))


def _of_numbers(column: str, values: NDArray[np.float64]) -> Iterator[Slice]:
    missing = ~np.isfinite(values)
    distinct = np.unique(values[~missing])
    if len(distinct) <= _FEW_VALUES:
        for value in distinct:
            yield Slice(column, f"{value:.7g}", is_range=False, rows=np.flatnonzero(values == value))
    else:
        yield from _ranges(column, values, missing, [f"{edge:.6g}" for edge in _edges(values[~missing])])
    yield from _missing(column, missing)


def _of_times(column: str, values: Any) -> Iterator[Slice]:
    stamps = values.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64()).fill_null(MISSING_TIMESTAMP)
    moments = np.asarray(stamps.to_numpy(zero_copy_only=False))
    missing = moments == MISSING_TIMESTAMP
    known = moments[~missing]
    if len(known) and known.min() < known.max():
        short = int(known.max()) - int(known.min()) < 8 * _DAY_US
        edges = [_moment(edge, short=short) for edge in _edges(known.astype(np.float64))]
        yield from _ranges(column, moments.astype(np.float64), missing, edges)
    elif len(known):
        yield Slice(column, _moment(float(known[0]), short=True), is_range=False, rows=np.flatnonzero(~missing))
    yield from _missing(column, missing)


def _moment(microseconds: float, *, short: bool) -> str:
    """Return a time as text, to the day or to the minute; one that no calendar knows as a number."""
    try:
        return datetime.fromtimestamp(microseconds / 1e6, UTC).strftime("%Y-%m-%dT%H:%MZ" if short else "%Y-%m-%d")
    except (ValueError, OverflowError, OSError):
        return f"{microseconds:.0f}"


def _edges(known: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quartiles that have rows on both sides, each once."""
    edges = np.unique(np.quantile(known, _QUARTERS, method="higher"))
    return np.asarray(edges[edges > known.min()])


def _ranges(column: str, values: NDArray[np.float64], missing: NDArray[np.bool_], labels: Sequence[str]) -> Iterator[Slice]:
    """Yield the rows between neighbouring quartiles; ``labels`` tell the quartiles."""
    place = np.searchsorted(_edges(values[~missing]), values, side="right")
    place[missing] = -1
    if not labels:
        yield Slice(column, "(any)", is_range=False, rows=np.flatnonzero(~missing))
        return
    between = (f"{low} to < {high}" for low, high in pairwise(labels))
    for k, name in enumerate([f"< {labels[0]}", *between, f">= {labels[-1]}"]):
        rows = np.flatnonzero(place == k)
        if len(rows):
            yield Slice(column, name, is_range=True, rows=rows)


def _missing(column: str, missing: NDArray[np.bool_]) -> Iterator[Slice]:
    if missing.any():
        yield Slice(column, "(missing)", is_range=False, rows=np.flatnonzero(missing))
