"""The rows of a query become one Parquet file: the same rows give the same bytes. Memory holds some batches, never all rows."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
from pyarrow import compute, parquet

from gnomon.data.databases import Database
from gnomon.data.query_batches import Query, query_batches
from gnomon.errors import DataError

_GROUP_ROWS = 65_536
"""Rows of a row group, however many a driver gives at a time: the bytes do not depend on it."""


def write_query(database: Database, query: Query, file: Path | None, target: Path) -> None:
    """Run ``query`` and write its rows to ``target``.

    Args:
        database: Where to ask.
        query: What to ask.
        file: The database's file, where it is one.
        target: The Parquet file, which is made; its folder is for what does not fit into memory.

    Raises:
        StoreError: The database does not answer.
        DataError: The query is wrong, or gives what no column can hold.
    """
    with query_batches(database, query, file, target.parent) as batches:
        first = next(batches)
        schema = _plain_schema(first.schema, database)
        with parquet.ParquetWriter(target, schema, compression="zstd", store_schema=False) as writer:
            for table in _groups((_plain(batch, schema) for batch in batches), schema):
                writer.write_table(table, row_group_size=_GROUP_ROWS)


def _groups(batches: Iterator[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows in tables of the size of a row group."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        while rows >= _GROUP_ROWS:
            table = pa.Table.from_batches(held, schema)
            yield table.slice(0, _GROUP_ROWS)
            held = table.slice(_GROUP_ROWS).to_batches()
            rows -= _GROUP_ROWS
    if rows:
        yield pa.Table.from_batches(held, schema)


def _plain_schema(schema: pa.Schema, database: Database) -> pa.Schema:
    doubled = sorted({name for name in schema.names if schema.names.count(name) > 1})
    if doubled:
        raise DataError(
            f"the query of {database.name} gives more than one column {', '.join(doubled)}", "name them apart with `as`"
        )
    plain = {field.name: _plain_type(field) for field in schema}
    foreign = [f"{field.name} holds {_spoken(field)}" for field in schema if plain[field.name] is None]
    if foreign:
        name = next(name for name, kind in plain.items() if kind is None)
        raise DataError(
            f"the query of {database.name}: column {', column '.join(foreign)}",
            f"leave it out, or cast it in the query: cast({name} as text)",
        )
    return pa.schema(list(plain.items()))


def _plain_type(field: pa.Field) -> pa.DataType | None:
    """Return the type of a column in the file, or None where there is none for it."""
    kind = field.type
    if (field.metadata or {}).get(b"POSTGRESQL:type") == b"money":
        return None  # whole numbers of a hundredth of what it says
    if isinstance(kind, pa.OpaqueType):
        return pa.float64() if kind.type_name == "numeric" else None
    if isinstance(kind, pa.JsonType | pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.DictionaryType):
        kind = kind.value_type
    if pa.types.is_decimal(kind):
        return pa.float64() if kind.scale else pa.int64()
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", "UTC" if kind.tz else None)
    is_plain = any(
        fits(kind)
        for fits in (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_date, pa.types.is_null)
    )
    if is_plain:
        return kind
    return pa.string() if pa.types.is_string(kind) or pa.types.is_large_string(kind) else None


def _spoken(field: pa.Field) -> str:
    named = (field.metadata or {}).get(b"POSTGRESQL:type")
    return named.decode() if named else str(field.type)


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(_plain_array(column, field.type))
        except pa.ArrowInvalid as error:
            raise DataError(
                f"column {field.name} of the query holds values that do not fit {field.type}: {str(error)[:200]}",
                f"cast it in the query: cast({field.name} as text), or as double precision",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _plain_array(array: pa.Array, kind: pa.DataType) -> pa.Array:
    if isinstance(array.type, pa.UuidType):
        return pa.array([None if value is None else str(value) for value in array.to_pylist()], kind)
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(kind) and array.type != kind:
        array = compute.cast(array, kind, safe=False)  # beyond microseconds, clocks are not kept
    return array if array.type == kind else compute.cast(array, kind)
