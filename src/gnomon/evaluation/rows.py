"""Rows of a prepared table become what a request carries, and what is true of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gnomon.errors import DataError, InputError
from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, Signature

Column = Sequence[Any] | NDArray[Any]


def request_columns(table: pa.Table, signature: Signature) -> dict[str, Column]:
    """Return the columns that an artifact reads, as ``inference.encoding`` takes them.

    Raises:
        InputError: The table lacks a column, or holds another kind of value in it; the cause names it.
    """
    columns: dict[str, Column] = {}
    for column in signature.inputs:
        if column.name not in table.column_names:
            raise InputError(f"the rows have no column {column.name!r}", "bring the column back into the dataset")
        try:
            columns[column.name] = _values(table.column(column.name).combine_chunks(), column.kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            found = table.schema.field(column.name).type
            raise InputError(
                f"column {column.name!r} holds {found}, the model reads it as {column.kind}", "keep the type of the column"
            ) from error
    return columns


def _values(values: Any, kind: ColumnKind) -> Column:
    match kind:
        case "float":
            _refuse(values, pa.types.is_floating(values.type) or pa.types.is_integer(values.type))
            return np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
        case "integer":
            # Tables hold integers with missing values as floats with NaN; the encoder takes them, where they are whole.
            _refuse(values, pa.types.is_integer(values.type) or pa.types.is_floating(values.type))
            return np.asarray(values.to_numpy(zero_copy_only=False))
        case "boolean":
            _refuse(values, pa.types.is_boolean(values.type))
            return values.to_pylist() if values.null_count else np.asarray(values.to_numpy(zero_copy_only=False))
        case "timestamp":
            _refuse(values, pa.types.is_temporal(values.type))
            stamps = values.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
            return np.asarray(pc.fill_null(stamps, MISSING_TIMESTAMP).to_numpy(zero_copy_only=False))
        case "string":
            texts: list[Any] = values.cast(pa.string()).to_pylist()
            return texts


def _refuse(values: Any, fits: object) -> None:
    if not fits:
        raise pa.ArrowInvalid(f"{values.type} does not fit")


def single_requests(columns: Mapping[str, Column], rows: int, most: int) -> list[dict[str, list[Any]]]:
    """Return up to ``most`` rows, evenly spaced, each as a request of one row with plain Python values."""
    chosen = np.linspace(0, rows - 1, min(rows, most)).astype(int).tolist()
    return [{name: [_plain(values[row])] for name, values in columns.items()} for row in chosen]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def class_names(target: Any) -> list[str]:
    """Return the class name of each row: text as it is, ``true`` and ``false``, integers in digits."""
    names: list[str] = target.cast(pa.string()).to_pylist()
    return names


def target_rows(table: pa.Table, target: str | None, test: NDArray[np.int64]) -> tuple[pa.Table, int]:
    """Return the test rows whose target is known, and how many have none; all of them where there is no target.

    Raises:
        DataError: No row is left.
    """
    rows = table.take(pa.array(test))
    if target is None:
        return rows, 0
    known = rows.filter(pc.is_valid(rows.column(target)))
    if not known.num_rows:
        raise DataError(
            f"none of the {len(test)} test rows has a value of {target!r}: nothing can be judged",
            "enlarge split.test, or look why the newest rows have no target yet",
        )
    return known, len(test) - known.num_rows


def row_times(rows: pa.Table, signature: Signature, facts: Mapping[str, Any]) -> NDArray[np.int64] | None:
    """Return the event time of every row in microseconds of the UTC epoch, or None where there is none.

    It is the column that ``facts["time"]`` names, or the first timestamp that the model reads.
    """
    readable = [column.name for column in signature.inputs if column.kind == "timestamp"]
    for name in (facts.get("time"), *readable):
        if name in rows.column_names and pa.types.is_temporal(rows.schema.field(name).type):
            times = np.asarray(_values(rows.column(name).combine_chunks(), "timestamp"))
            return times if (times != MISSING_TIMESTAMP).all() else None
    return None
