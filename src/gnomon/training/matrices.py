"""A typed table becomes the three matrices that an artifact's graph takes, so that training sees what serving sees."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, InputColumn, Matrix
from gnomon.resources.dataset import ColumnType

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
        strings: object (N, S) of str; missing is the empty string.
    """

    floats: NDArray[np.float32]
    ints: NDArray[np.int64]
    strings: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.floats)

    def take(self, rows: NDArray[np.int64]) -> "Matrices":
        """Return the rows with these indices, in this order."""
        return Matrices(self.floats[rows], self.ints[rows], self.strings[rows])

    @property
    def feed(self) -> dict[str, NDArray[Any]]:
        """The matrices that have columns, by the names of the graph's inputs."""
        named: dict[str, NDArray[Any]] = {"floats": self.floats, "ints": self.ints, "strings": self.strings}
        return {name: matrix for name, matrix in named.items() if matrix.shape[1]}


def concatenated(parts: Sequence[Matrices]) -> Matrices:
    """Return the rows of all ``parts``, one below the other."""
    return Matrices(
        np.concatenate([part.floats for part in parts]),
        np.concatenate([part.ints for part in parts]),
        np.concatenate([part.strings for part in parts]),
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
    """Return the columns of ``table`` as matrices; numbers are cast to float32 here, before anything is fitted."""
    empty = Matrices(*(np.empty((table.num_rows, _width(inputs, m)), dtype) for m, dtype in _DTYPES))
    for column in inputs:
        values = table.column(column.name).combine_chunks()
        match column.matrix:
            case "floats":
                with np.errstate(over="ignore"):
                    empty.floats[:, column.index] = _numbers(values)
            case "ints":
                stamps = values.cast(pa.timestamp("us", "UTC")).cast(pa.int64())
                empty.ints[:, column.index] = pc.fill_null(stamps, MISSING_TIMESTAMP).to_numpy(zero_copy_only=False)
            case "strings":
                empty.strings[:, column.index] = pc.fill_null(values, "").to_numpy(zero_copy_only=False)
    return replace(empty)


_DTYPES: tuple[tuple[Matrix, type], ...] = (("floats", np.float32), ("ints", np.int64), ("strings", np.object_))


def _width(inputs: Sequence[InputColumn], matrix: Matrix) -> int:
    return sum(column.matrix == matrix for column in inputs)


def _numbers(values: Any) -> NDArray[np.float64]:
    """Return an Arrow column of numbers or booleans as float64, null as NaN."""
    if pa.types.is_boolean(values.type):
        values = values.cast(pa.int8())
    numbers: NDArray[np.float64] = values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return numbers
