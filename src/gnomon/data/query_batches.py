"""A query becomes Arrow batches, read as the database gives them. Nothing is written, and one statement is all there is."""

import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pyarrow as pa

from gnomon.data.databases import Database
from gnomon.data.values import converted, misfit
from gnomon.errors import DataError, StoreError

_DEADLINE_S = 600
"""The longest that a query may take."""
_CONNECT_S = 10
_ROWS = 20_000
_MEND_QUERY = "correct the query, or what the database's user may read"
_MEND_AGAIN = "it is tried again by itself; see that the database can be reached and lets this user in"
_POSTGRES_SETTINGS = ("default_transaction_read_only = on", f"statement_timeout = '{_DEADLINE_S}s'", "timezone = 'UTC'")
_KEEPALIVE = (
    f"connect_timeout={_CONNECT_S}&keepalives_idle=30&keepalives_interval=10&keepalives_count=3&application_name=gnomon"
)
_PASSING = ("08", "40", "53", "55", "57", "58")
"""Classes of SQLSTATE that say nothing about the query: connection, conflict, resources, operators, the system."""
_DUCKDB_MEMORY = "1GB"
_ORDER = re.compile(r"\border\s+by\b", re.IGNORECASE)
_DATE = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"


@dataclass(frozen=True)
class Query:
    """One statement that gives rows. ``key``: the columns that say in which order, where the dataset has such."""

    text: str
    key: tuple[str, ...] = ()

    @property
    def statement(self) -> str:
        """The text without what would end it, in the order of the key."""
        text = self.text.strip().rstrip(";").rstrip()
        if not self.key:
            return text
        order = ", ".join('"' + name.replace('"', '""') + '"' for name in self.key)
        return f"select * from (\n{text}\n) as rows_of_query order by {order}"  # noqa: S608 - the manifest's own query

    @property
    def is_ordered(self) -> bool:
        """Whether the same rows come in the same order each time, as far as the text tells."""
        return bool(self.key) or _ORDER.search(self.text) is not None


@contextmanager
def query_batches(database: Database, query: Query, file: Path | None, scratch: Path) -> Iterator[Iterator[pa.RecordBatch]]:
    """Give the rows of a query, batch after batch; at least one batch, so that there are columns.

    Args:
        database: Where to ask.
        query: What to ask.
        file: The database's file, where it is one.
        scratch: A folder for what does not fit into memory.

    Raises:
        StoreError: The database does not answer, or is busy: asking again may help.
        DataError: The query is wrong.
    """
    match database.dialect:
        case "postgresql":
            with _postgresql(database, query) as batches:
                yield batches
        case "duckdb":
            with _duckdb(database, query, file or Path(database.path), scratch) as batches:
                yield batches
        case "sqlite":
            with _sqlite(database, query, file) as batches:
                yield batches


@contextmanager
def _postgresql(database: Database, query: Query) -> Iterator[Iterator[pa.RecordBatch]]:
    try:
        from adbc_driver_manager import Error  # noqa: PLC0415 - an extra
        from adbc_driver_postgresql import dbapi  # noqa: PLC0415 - likewise
    except ImportError as error:
        raise DataError("PostgreSQL needs drivers that are not installed", "pip install 'gnomon[sql]'") from error
    joint = "&" if "?" in database.url else "?"
    try:
        connection = dbapi.connect(f"{database.url}{joint}{_KEEPALIVE}", autocommit=True)
    except Error as error:
        raise StoreError(f"{database.name} cannot be connected to: {_refusal(str(error))}", _MEND_AGAIN) from None
    with closing(connection), closing(connection.cursor()) as cursor:
        try:
            for setting in _POSTGRES_SETTINGS:
                cursor.execute(f"SET {setting}")
            cursor.execute(query.statement)
            reader = cursor.fetch_record_batch()
            yield _with_schema(reader.schema, iter(reader))
        except (Error, OSError, pa.ArrowException) as error:
            raise _postgres_failure(database, error) from None


def _refusal(told: str) -> str:
    """Return why a connection was refused, in words that hold nothing of the address."""
    reasons = {
        "Connection refused": "nothing listens there",
        "timeout expired": f"no answer within {_CONNECT_S} s",
        "could not translate host name": "there is no such host",
        "password authentication failed": "user or password is wrong",
        "no password supplied": "a password is asked for",
        "no pg_hba.conf entry": "the server lets this user or machine not in",
        "does not exist": "there is no such user or database",
        "too many": "the server has too many connections",
        "starting up": "the server is starting",
        "shutting down": "the server is shutting down",
        "SSL": "encryption cannot be agreed on",
    }
    return next((spoken for words, spoken in reasons.items() if words in told), "the server says no")


def _postgres_failure(database: Database, error: Exception) -> DataError | StoreError:
    state = str(getattr(error, "sqlstate", None) or "")
    told = database.told(str(error).split("Query was:")[0])
    told = told[told.find("ERROR:") :].removeprefix("ERROR:").strip() if "ERROR:" in told else told
    is_passing = state.startswith(_PASSING) or any(
        words in told
        for words in ("statement timeout", "terminating connection", "server closed", "SSL SYSCALL", "no connection")
    )
    if is_passing:
        return StoreError(f"{database.name}: {told}", _MEND_AGAIN)
    return DataError(f"{database.name} refuses the query: {told}", _MEND_QUERY)


@contextmanager
def _duckdb(database: Database, query: Query, file: Path, scratch: Path) -> Iterator[Iterator[pa.RecordBatch]]:
    import duckdb  # noqa: PLC0415 - slow to import, and few datasets need it

    if not file.is_file():
        raise DataError(f"there is no database {database.name}", "correct source.sql.url, or create it")
    settings = {"threads": "2", "memory_limit": _DUCKDB_MEMORY, "temp_directory": str(scratch)}
    try:
        connection = duckdb.connect(file, read_only=True, config=settings)
    except duckdb.IOException as error:
        if "lock" in str(error).lower():
            raise StoreError(f"{database.name} is held by another process", "it is tried again by itself") from error
        raise DataError(f"{database.name} is no DuckDB database that can be read", "see that it is one, and whole") from error
    with closing(connection):
        try:
            # The statement sees this database: no files, no network.
            connection.execute("SET enable_external_access = false; SET lock_configuration = true")
            found = connection.sql(query.statement)
            if found is None:
                raise DataError(f"the query of {database.name} gives no rows", "write one select")
            reader = found.to_arrow_reader(_ROWS)
            yield _with_schema(reader.schema, iter(reader))
        except duckdb.Error as error:
            raise DataError(f"{database.name} refuses the query: {database.told(str(error))}", _MEND_QUERY) from error


@contextmanager
def _sqlite(database: Database, query: Query, file: Path | None) -> Iterator[Iterator[pa.RecordBatch]]:
    # The driver of the standard library: SQLite types values, not columns, and drivers for Arrow guess from the first rows.
    path = file or Path(database.path)
    if not path.is_file():
        raise DataError(f"there is no database {database.name}", "correct source.sql.url, or create it")
    # A copy out of the repository is nobody else's, and may not be written beside.
    mode = "immutable=1" if file is not None and database.is_committed else "mode=ro"
    try:
        with closing(sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True, timeout=_CONNECT_S)) as connection:
            end = time.monotonic() + _DEADLINE_S
            connection.set_progress_handler(lambda: int(time.monotonic() > end), 1_000_000)
            connection.set_authorizer(_only_reading)
            connection.isolation_level = None
            connection.execute("BEGIN")  # what is looked at twice is the same
            yield _sqlite_batches(connection, query.statement, database)
    except sqlite3.Error as error:
        told = database.told(str(error))
        if any(words in told for words in ("locked", "busy", "interrupted")):
            raise StoreError(f"{database.name}: {told}", "it is tried again by itself") from error
        raise DataError(f"{database.name} refuses the query: {told}", _MEND_QUERY) from error


def _only_reading(action: int, *_: object) -> int:
    reading = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
    return sqlite3.SQLITE_OK if action in (*reading, sqlite3.SQLITE_TRANSACTION) else sqlite3.SQLITE_DENY


def _sqlite_batches(connection: sqlite3.Connection, statement: str, database: Database) -> Iterator[pa.RecordBatch]:
    # Inside another one, SQLite would give columns of the same name other names.
    with closing(connection.execute(statement)) as started:
        names = [column[0] for column in started.description or ()]
    _require_distinct(names, database)
    types = _sqlite_types(connection, statement, names, database)
    schema = pa.schema(types)
    yield pa.RecordBatch.from_pylist([], schema)
    cursor = connection.execute(statement)
    while rows := cursor.fetchmany(_ROWS):
        columns = [_array(values, kind) for values, kind in zip(zip(*rows, strict=True), schema.types, strict=True)]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)


def _require_distinct(names: list[str], database: Database) -> None:
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        raise DataError(
            f"the query of {database.name} gives more than one column {', '.join(doubled)}", "name them apart with `as`"
        )


def _sqlite_types(
    connection: sqlite3.Connection, statement: str, names: list[str], database: Database
) -> list[tuple[str, pa.DataType]]:
    """Return the type of each column, from every value of it."""
    parts = []
    for place in range(len(names)):
        kind = f"typeof(c{place})"
        parts += [f"total({kind} = '{stored}')" for stored in ("integer", "real", "text", "blob")]
        parts += [f"total(c{place} glob '{_DATE}')", f"total(c{place} glob '{_DATE}[T ][0-9][0-9]:[0-9][0-9]*')"]
    columns = ", ".join(f"c{place}" for place in range(len(names)))
    found = connection.execute(
        f"with rows_of_query({columns}) as (select * from (\n{statement}\n)) select {', '.join(parts)} from rows_of_query"  # noqa: S608 - likewise
    ).fetchone()
    types: list[tuple[str, pa.DataType]] = []
    for place, name in enumerate(names):
        integer, real, text, blob, date, moment = found[place * 6 : place * 6 + 6]
        if blob or (text and (integer or real)):
            held = "bytes" if blob else f"{int(text)} texts and {int(integer + real)} numbers"
            raise DataError(
                f"column {name} of the query of {database.name} holds {held}", f"cast it in the query: cast({name} as text)"
            )
        if text and date + moment == text and _all_are_times(connection, statement, columns, place):
            types.append((name, pa.timestamp("us", "UTC") if moment else pa.date32()))
        else:
            types.append((name, pa.string() if text else pa.float64() if real else pa.int64() if integer else pa.null()))
    return types


def _all_are_times(connection: sqlite3.Connection, statement: str, columns: str, place: int) -> bool:
    cursor = connection.execute(
        f"with rows_of_query({columns}) as (select * from (\n{statement}\n)) select c{place} from rows_of_query"  # noqa: S608 - likewise
    )
    while rows := cursor.fetchmany(_ROWS):
        texts = pl.DataFrame({"text": [row[0] for row in rows]}, schema={"text": pl.String()})
        if texts.select(misfit(pl.col("text"), pl.String(), "timestamp").any()).item():
            return False
    return True


def _array(values: tuple[Any, ...], kind: pa.DataType) -> pa.Array:
    if not pa.types.is_temporal(kind):
        return pa.array(values, kind)
    texts = pl.DataFrame({"text": values}, schema={"text": pl.String()})
    times = texts.select(converted(pl.col("text"), pl.String(), "date" if pa.types.is_date(kind) else "timestamp"))
    return times.to_series().to_arrow().cast(kind)


def _with_schema(schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """Yield an empty batch, which tells the columns, and then the others."""
    empty = pa.Table.from_batches([], schema)
    yield pa.RecordBatch.from_arrays([column.combine_chunks() for column in empty.columns], schema=schema)
    yield from batches
