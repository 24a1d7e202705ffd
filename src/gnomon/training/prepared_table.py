"""Rows become the table that all fits of a model share: written once, in the order of the parts, and mapped into memory.

Numbers and truth values are float32, missing ones NaN; times are microseconds, missing ones ``MISSING_TIMESTAMP``; texts are
codes of levels, 0 the empty text. So a column has no null, and columns of one kind lie side by side: a matrix of them needs
no copy. What a column is to a model stands in the metadata of its field.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gnomon.features.in_polars import single
from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind
from gnomon.training.matrices import run_of

KIND = b"kind"
"""The key of a field's metadata under which its ``ColumnKind`` stands."""

_EMPTY = pa.array([""], pa.large_string())


@dataclass(frozen=True)
class StoredColumn:
    """A column of the table."""

    name: str
    kind: ColumnKind

    @property
    def field(self) -> pa.Field:
        """The column's name, type and metadata."""
        dtype = {"timestamp": pa.timestamp("us", "UTC"), "string": pa.dictionary(pa.int32(), pa.large_string())}
        return pa.field(self.name, dtype.get(self.kind, pa.float32()), metadata={KIND: self.kind.encode()})


class TableWriter:
    """Writes rows, a batch after the other, each to its place; memory holds one batch and the levels of texts.

    Args:
        columns: What is written, columns of one kind side by side in this order.
        places: int64 (rows,): where each row goes.
    """

    def __init__(self, columns: Sequence[StoredColumn], places: NDArray[np.int64]) -> None:
        self._columns = tuple(columns)
        self._places = places
        self.written = 0
        """How many rows have been written."""
        rows = len(places)
        self._floats = _mapped((self._count("float", "integer", "boolean"), rows), np.dtype(np.float32))
        self._stamps = _mapped((self._count("timestamp"), rows), np.dtype(np.int64))
        self._codes = _mapped((self._count("string"), rows), np.dtype(np.int32))
        self._levels = [_EMPTY] * len(self._codes)
        self.missing = dict.fromkeys((column.name for column in columns), 0)
        """How many rows miss a value, by column."""

    def write(self, batch: pl.DataFrame) -> None:
        """Write the next rows: normalised columns of these names, in which null is a missing value."""
        chosen = run_of(self._places[self.written : self.written + batch.height])
        self.written += batch.height
        floats, stamps, texts = iter(self._floats), iter(self._stamps), iter(range(len(self._codes)))
        for column in self._columns:
            values = batch[column.name]
            self.missing[column.name] += values.null_count()
            match column.kind:
                case "timestamp":
                    next(stamps)[chosen] = values.dt.epoch("us").fill_null(MISSING_TIMESTAMP).to_numpy()
                case "string":
                    place = next(texts)
                    self._codes[place][chosen] = self._coded(place, values)
                case _:
                    next(floats)[chosen] = values.cast(pl.Float32).to_numpy()

    def table(self) -> pa.Table:
        """Return the table; it lies in files without a name, which go when nothing refers to them any more."""
        floats, stamps, texts = iter(self._floats), iter(self._stamps), iter(zip(self._codes, self._levels, strict=True))
        arrays = []
        for column in self._columns:
            match column.kind:
                case "timestamp":
                    arrays.append(_array(next(stamps), pa.int64()).view(pa.timestamp("us", "UTC")))
                case "string":
                    codes, levels = next(texts)
                    arrays.append(pa.DictionaryArray.from_arrays(_array(codes, pa.int32()), levels))
                case _:
                    arrays.append(_array(next(floats), pa.float32()))
        return pa.Table.from_arrays(arrays, schema=pa.schema([column.field for column in self._columns]))

    def _count(self, *kinds: ColumnKind) -> int:
        return sum(column.kind in kinds for column in self._columns)

    def _coded(self, place: int, values: pl.Series) -> NDArray[np.int32]:
        """Return the codes of texts; levels are numbered as they first appear."""
        coded = values.fill_null("").to_arrow(compat_level=pl.CompatLevel.oldest()).dictionary_encode()
        known = self._levels[place]
        found = pc.index_in(coded.dictionary, value_set=known)
        if found.null_count:
            self._levels[place] = known = pa.concat_arrays([known, coded.dictionary.filter(found.is_null())])
            found = pc.index_in(coded.dictionary, value_set=known)
        codes: NDArray[np.int32] = found.to_numpy(zero_copy_only=False)[coded.indices.to_numpy(zero_copy_only=False)]
        return codes


def normalised(name: str, kind: ColumnKind) -> pl.Expr:
    """Return a raw column in the one type of its kind, with null wherever a value is missing: as a request carries it."""
    value = pl.col(name)
    match kind:
        case "float" | "integer":
            return single(value)
        case "boolean":
            return value.cast(pl.Boolean)
        case "string":
            return pl.when(value != "").then(value).alias(name)
        case "timestamp":
            stamp = value.cast(pl.Datetime("us", "UTC"))
            return pl.when(stamp.dt.epoch("us") != MISSING_TIMESTAMP).then(stamp).alias(name)


def _mapped(shape: tuple[int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return a writable matrix that lies in a file without a name: the kernel may write it out instead of holding it."""
    if not shape[0] * shape[1]:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile() as file:
        return np.memmap(file, dtype, "w+", shape=shape)


def _array(values: NDArray[Any], dtype: pa.DataType) -> Any:
    return pa.Array.from_buffers(dtype, len(values), [None, pa.py_buffer(values)])
