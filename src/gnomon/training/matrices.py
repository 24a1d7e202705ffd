"""A typed table becomes the three matrices that an artifact's graph takes, so that training sees what serving sees."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, InputColumn, Matrix
from gnomon.resources.dataset import ColumnType
from gnomon.training.texts import Levels, Texts, encoded_texts, joined, texts_of

_KINDS: dict[ColumnType, ColumnKind] = {
    "float64": "float",
    "float32": "float",
    "int64": "integer",
    "int32": "integer",
    "boolean": "boolean",
    "string": "string",
    "timestamp": "timestamp",
    "date": "timestamp",
}
_MATRICES: dict[ColumnKind, Matrix] = {
    "float": "floats",
    "integer": "floats",
    "boolean": "floats",
    "timestamp": "ints",
    "string": "strings",
}


@dataclass(frozen=True, eq=False)
class Matrices:
    """N rows as a graph takes them; a matrix without columns has shape (N, 0).

    Args:
        floats: float32 (N, F); missing is NaN.
        ints: int64 (N, I), microseconds of the UTC epoch; missing is ``MISSING_TIMESTAMP``.
        texts: (N, S) texts; missing is the empty one.
    """

    floats: NDArray[np.float32]
    ints: NDArray[np.int64]
    texts: Texts

    @classmethod
    def of(cls, floats: NDArray[np.float32], ints: NDArray[np.int64], strings: NDArray[np.object_]) -> "Matrices":
        """Return the matrices of texts that are not coded yet, object (N, S) of str."""
        return cls(floats, ints, texts_of(strings))

    def __len__(self) -> int:
        return len(self.floats)

    @property
    def strings(self) -> NDArray[np.object_]:
        """The texts themselves, object (N, S) of str: for few rows, or a batch of them."""
        return self.texts.decoded()

    def take(self, rows: NDArray[np.int64]) -> "Matrices":
        """Return the rows with these indices, in this order; neighbours in their order are not copied."""
        chosen = run_of(rows)
        return Matrices(self.floats[chosen], self.ints[chosen], self.texts.take(chosen))

    @property
    def feed(self) -> dict[str, NDArray[Any]]:
        """The matrices that have columns, by the names of the graph's inputs."""
        named: dict[str, NDArray[Any]] = {"floats": self.floats, "ints": self.ints}
        fed = {name: matrix for name, matrix in named.items() if matrix.shape[1]}
        return fed | ({"strings": self.strings} if self.texts.columns else {})


def run_of(rows: NDArray[np.int64]) -> NDArray[np.int64] | slice:
    """Return a slice where the indices are neighbours in their order, and the indices themselves where they are not."""
    if not len(rows):
        return rows
    first, last = int(rows[0]), int(rows[-1])
    if last - first + 1 != len(rows):
        return rows
    step = 1 << 20
    for begin in range(0, len(rows), step):
        part = rows[begin : begin + step]
        if not np.array_equal(part, np.arange(first + begin, first + begin + len(part))):
            return rows
    return slice(first, last + 1)


def concatenated(parts: Sequence[Matrices]) -> Matrices:
    """Return the rows of all ``parts``, one below the other."""
    return Matrices(
        np.concatenate([part.floats for part in parts]),
        np.concatenate([part.ints for part in parts]),
        joined([part.texts for part in parts]),
    )


def kind_of(column_type: ColumnType) -> ColumnKind:
    """Return what a column of this type is to a model."""
    return _KINDS[column_type]


def input_columns(features: Iterable[tuple[str, ColumnType, bool]]) -> tuple[InputColumn, ...]:
    """Return where each feature, given as (name, type, nullable), goes: columns keep their order within a matrix."""
    filled: dict[Matrix, int] = {"floats": 0, "ints": 0, "strings": 0}
    inputs = []
    for name, column_type, nullable in features:
        kind = kind_of(column_type)
        matrix = _MATRICES[kind]
        inputs.append(InputColumn(name=name, kind=kind, matrix=matrix, index=filled[matrix], nullable=nullable))
        filled[matrix] += 1
    return tuple(inputs)


def matrices_of(table: pa.Table, inputs: Sequence[InputColumn]) -> Matrices:
    """Return the columns of ``table`` as matrices; numbers are float32 before anything is fitted.

    Columns that a prepared table keeps side by side are not copied: they stay in its file, which all fits share.
    """
    floats = _side_by_side([_numbers(_array(table, column)) for column in inputs if column.matrix == "floats"], table.num_rows)
    ints = _side_by_side([_stamps(_array(table, column)) for column in inputs if column.matrix == "ints"], table.num_rows)
    coded = [encoded_texts(_array(table, column)) for column in inputs if column.matrix == "strings"]
    codes = _side_by_side([codes for codes, _ in coded], table.num_rows)
    return Matrices(
        floats.astype(np.float32, copy=False),
        ints.astype(np.int64, copy=False),
        Texts(codes.astype(np.int32, copy=False), tuple(Levels(names) for _, names in coded)),
    )


def _array(table: pa.Table, column: InputColumn) -> Any:
    """Return a column as one array."""
    chunks = table.column(column.name)
    return chunks.chunk(0) if chunks.num_chunks == 1 else chunks.combine_chunks()


def _numbers(values: Any) -> NDArray[np.float32]:
    """Return an Arrow column of numbers or booleans as float32, null as NaN."""
    if values.type == pa.float32() and not values.null_count:
        return np.asarray(values.to_numpy(zero_copy_only=True))
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    with np.errstate(over="ignore"):
        return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)).astype(np.float32)


def _stamps(values: Any) -> NDArray[np.int64]:
    """Return an Arrow column of dates or times as microseconds."""
    stamps = values.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
    return np.asarray(pc.fill_null(stamps, MISSING_TIMESTAMP).to_numpy(zero_copy_only=False))


def _side_by_side(columns: Sequence[NDArray[Any]], rows: int) -> NDArray[Any]:
    """Return arrays as the columns of one matrix, without a copy where they lie at even distances in one buffer."""
    if not columns:
        return np.empty((rows, 0))
    if len(columns) == 1:
        return columns[0][:, np.newaxis]
    size = columns[0].itemsize
    places = [column.__array_interface__["data"][0] for column in columns]
    apart = places[1] - places[0]
    is_even = apart >= rows * size and not apart % size and all(after - before == apart for before, after in pairwise(places))
    if not rows or not is_even or any(column.strides != (size,) for column in columns):
        return np.stack(columns, axis=1)
    return np.asarray(_Grid(columns, apart))


class _Grid:
    """Arrays at even distances in memory as one read-only matrix, which keeps them alive."""

    def __init__(self, columns: Sequence[NDArray[Any]], apart: int) -> None:
        self._columns = columns
        first = columns[0]
        self.__array_interface__ = {
            "version": 3,
            "shape": (len(first), len(columns)),
            "strides": (first.itemsize, apart),
            "typestr": first.dtype.str,
            "data": (first.__array_interface__["data"][0], True),
        }
