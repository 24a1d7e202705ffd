"""Rows of a prepared table become what a request carries, and what is true of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from gnomon.errors import DataError, InputError
from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, Signature
from gnomon.training.matrices import run_of
from gnomon.training.prepared_table import KIND

Column = Sequence[Any] | NDArray[Any]


def request_columns(table: pa.Table, signature: Signature) -> dict[str, Column]:
    """Return the columns that an artifact reads, as ``inference.encoding`` takes them.

    Texts of a prepared table are decoded; so a batch of rows is better than all of them.

    Raises:
        InputError: The table lacks a column, or holds another kind of value in it; the cause names it.
    """
    columns: dict[str, Column] = {}
    for column in signature.inputs:
        if column.name not in table.column_names:
            raise InputError(f"the rows have no column {column.name!r}", "bring the column back into the dataset")
        try:
            columns[column.name] = _values(table.column(column.name), table.schema.field(column.name), column.kind)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            found = _kind_of(table.schema.field(column.name))
            raise InputError(
                f"column {column.name!r} holds {found}, the model reads it as {column.kind}", "keep the type of the column"
            ) from error
    return columns


def _kind_of(field: pa.Field) -> str:
    """Return what a column is to a model, as a prepared table says, or its Arrow type."""
    kind = (field.metadata or {}).get(KIND)
    return kind.decode() if kind is not None else str(field.type)


def _values(column: Any, field: pa.Field, kind: ColumnKind) -> Column:
    values = column.combine_chunks()
    prepared = (field.metadata or {}).get(KIND, b"").decode()
    match kind:
        case "float" | "integer":
            # Tables hold integers with missing values as floats with NaN; the encoder takes them, where they are whole.
            is_number = pa.types.is_floating(values.type) or pa.types.is_integer(values.type)
            _refuse(values, is_number and prepared in {"", "float", "integer"})
            numbers = values.cast(pa.float64(), safe=False) if kind == "float" and not prepared else values
            return np.asarray(numbers.to_numpy(zero_copy_only=False))
        case "boolean":
            _refuse(values, pa.types.is_boolean(values.type) or prepared == "boolean")
            return _truths(values)
        case "timestamp":
            _refuse(values, pa.types.is_temporal(values.type))
            stamps = values.cast(pa.timestamp("us", "UTC"), safe=False).cast(pa.int64())
            return np.asarray(pc.fill_null(stamps, MISSING_TIMESTAMP).to_numpy(zero_copy_only=False))
        case "string":
            texts: list[Any] = values.cast(pa.string()).to_pylist()
            return [text or None for text in texts] if prepared else texts


def _truths(values: Any) -> Column:
    """Return truth values, None where one is missing."""
    if pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False)
        values = pa.array(numbers == 1, mask=np.isnan(numbers))
    return values.to_pylist() if values.null_count else np.asarray(values.to_numpy(zero_copy_only=False))


def _refuse(values: Any, fits: object) -> None:
    if not fits:
        raise pa.ArrowInvalid(f"{values.type} does not fit")


def spread_rows(rows: pa.Table, most: int) -> pa.Table:
    """Return at most ``most`` rows, evenly spaced."""
    return rows.take(pa.array(np.linspace(0, rows.num_rows - 1, min(rows.num_rows, most)).astype(np.int64)))


def single_requests(columns: Mapping[str, Column], rows: int) -> list[dict[str, list[Any]]]:
    """Return each row as a request of its own, with plain Python values."""
    return [{name: [_plain(values[row])] for name, values in columns.items()} for row in range(rows)]


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def class_names(target: Any) -> list[str]:
    """Return the class name of each row: text as it is, ``true`` and ``false``, integers in digits."""
    values = target.combine_chunks() if isinstance(target, pa.ChunkedArray) else target
    if pa.types.is_dictionary(values.type) and not values.null_count:
        known = np.array(values.dictionary.to_pylist(), dtype=object)
        shared: list[str] = known[values.indices.to_numpy(zero_copy_only=False)].tolist()
        return shared
    names: list[str] = values.cast(pa.string()).to_pylist()
    return names


def target_rows(table: pa.Table, target: str | None, test: NDArray[np.int64]) -> tuple[pa.Table, int]:
    """Return the test rows whose target is known, and how many have none; all of them where there is no target.

    Raises:
        DataError: No row is left.
    """
    chosen = run_of(test)
    rows = table.slice(chosen.start, chosen.stop - chosen.start) if isinstance(chosen, slice) else table.take(pa.array(test))
    if target is None:
        return rows, 0
    known = rows.filter(pc.is_valid(rows.column(target))) if rows.column(target).null_count else rows
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
            times = np.asarray(_values(rows.column(name), rows.schema.field(name), "timestamp"))
            return times if (times != MISSING_TIMESTAMP).all() else None
    return None
