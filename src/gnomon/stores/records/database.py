"""A database that is at the right revision, its transactions, and what goes wrong with them in our words."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL

from gnomon.errors import ConflictError, GnomonError, StoreError, UsageError
from gnomon.stores.records.schema import REVISION
from gnomon.stores.records.values import encode_json

_WAIT_MS = 10_000
_SQLITE_PRAGMAS = (
    f"PRAGMA busy_timeout = {_WAIT_MS}",
    "PRAGMA journal_mode = WAL",
    # Without FULL, a power loss takes back what the last commits have promised. It costs 0.2 ms of waiting each.
    "PRAGMA synchronous = FULL",
    "PRAGMA foreign_keys = ON",
)


class Database:
    """One database. Readers run side by side; writers of this process take turns, those of others wait for the file.

    Raises:
        UsageError: The address is none.
        StoreError: The database cannot be opened, is none, or was written by a newer version.
    """

    def __init__(self, address: str | URL) -> None:
        try:
            url = sa.make_url(address)
            self._engine = sa.create_engine(url, json_serializer=encode_json)
        except (exc.ArgumentError, ImportError) as error:
            raise UsageError(f"no database can be reached at this address: {error}", "give sqlite:///PATH") from error
        if url.get_backend_name() == "sqlite":
            if url.database in (None, "", ":memory:"):
                raise UsageError(
                    "a SQLite database in memory is lost with its connection", "give a path, or take MemoryRecords"
                )
            event.listen(self._engine, "connect", _prepare_sqlite)
            event.listen(self._engine, "begin", _begin_sqlite)
        self.file = Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None
        """Where a SQLite database lies."""
        self._name = url.render_as_string(hide_password=True)
        self._writer = self._engine.execution_options(writes=True)
        self._turn = threading.Lock()
        self._is_closed = False
        try:
            self._come_to_revision()
        except BaseException:
            self.close()
            raise

    def upsert(self, table: sa.Table, key: Sequence[str], *, replace: bool = True) -> sa.Insert:
        """Return the statement that inserts a row, or replaces (leaves, without ``replace``) the one with the same ``key``."""
        if self._engine.dialect.name == "postgresql":
            return _upsert(postgresql.insert(table), table, key, replace=replace)
        return _upsert(sqlite.insert(table), table, key, replace=replace)

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """Yield a connection for one query."""
        with self._errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """Yield a connection in a transaction that nobody else writes beside; durable after the block."""
        with self._errors(), self._turn, self._writer.begin() as connection:
            yield connection

    def close(self) -> None:
        """Let go of the database, after the writer that is at it."""
        with self._turn:
            self._is_closed = True
            self._engine.dispose()

    def _come_to_revision(self) -> None:
        with self.reading() as connection:
            if _revision(connection) == REVISION:
                return
        with self.writing() as connection:
            # Alembic takes 0.3 s to import, and an upgrade is rare.
            from gnomon.stores.records.migrations import revisions, upgrade  # noqa: PLC0415

            found = _revision(connection)
            if found is not None and found not in revisions():
                raise StoreError(
                    f"the database {self._name} is at revision {found}, this version of gnomon knows up to {REVISION}",
                    "a newer version has written it: run that one, or restore the backup from before the upgrade",
                )
            upgrade(connection)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._is_closed:
            raise StoreError(f"the database {self._name} is closed", "open it again")
        try:
            yield
        except exc.IntegrityError as error:
            raise ConflictError(
                f"{self._name} holds another row like this: {error.orig}", "read it again, then decide"
            ) from error
        except exc.DBAPIError as error:
            raise StoreError(
                f"the database {self._name} says: {error.orig}",
                "see that it is a database, that the disk has room, and that nobody else holds it",
            ) from error
        except exc.TimeoutError as error:
            raise StoreError(f"the database {self._name} is too busy: {error}", "ask it from fewer threads") from error
        except exc.StatementError as error:
            if isinstance(error.orig, GnomonError):
                raise error.orig from error
            raise
        except (OverflowError, UnicodeEncodeError) as error:
            raise UsageError(f"a record cannot hold this: {error}", "give numbers of 64 bits and Unicode text") from error


def _upsert(statement: Any, table: sa.Table, key: Sequence[str], *, replace: bool) -> sa.Insert:
    if not replace:
        return statement.on_conflict_do_nothing(index_elements=key)  # type: ignore[no-any-return]  # two dialects, one shape
    kept = {*key, *(column.name for column in table.primary_key)}
    replaced = {column.name: statement.excluded[column.name] for column in table.columns if column.name not in kept}
    return statement.on_conflict_do_update(index_elements=key, set_=replaced)  # type: ignore[no-any-return]  # likewise


def _revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin transactions by itself, and not around DDL
    cursor = connection.cursor()
    for pragma in _SQLITE_PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin_sqlite(connection: sa.Connection) -> None:
    # A writer takes the lock at once: one that reads first and writes then would fail where it could have waited.
    if connection.get_execution_options().get("writes", False):
        connection.exec_driver_sql("BEGIN IMMEDIATE")
