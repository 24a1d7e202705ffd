"""The step journal in a SQLite file, without SQLAlchemy: a step costs 0.1 ms here, and a driver does not import it.

It is the tables ``steps`` and ``closures`` of the records database. A commit survives the end of every process at once. A loss
of power may take the last ones back, as a whole and in their order: those steps then run again.
"""

import json
import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gnomon.errors import StoreError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.records.steps import StepRecord
from gnomon.stores.records.values import (
    REVISION,
    check_ended,
    check_started,
    check_step,
    clean_text,
    encode_json,
    last_attempts,
    utc,
)

_WAIT_S = 10.0
_KEY = ("run", "name", "attempt")
_COLUMNS = (
    *_KEY,
    "key",
    "state",
    "process",
    "started_at",
    "ended_at",
    "result",
    "error",
    "log",
    "cpu_s",
    "peak_rss_bytes",
    "reason",
    "parts",
)
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM steps"  # noqa: S608 - names of columns, from above
_PUT = (
    f"INSERT INTO steps ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "  # noqa: S608 - likewise
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET {', '.join(f'{each} = excluded.{each}' for each in _COLUMNS[3:])}"
)

_PUT_CLOSURE = "INSERT OR IGNORE INTO closures (digest, parts) VALUES (?, ?)"


def open_journal(path: Path) -> "SqliteJournal":
    """Open the journal in a SQLite file; the records database is made or upgraded where that is needed.

    Raises:
        StoreError: The file is no database, cannot be written, or a newer version wrote it.
    """
    if _revision(path) != REVISION:
        from gnomon.stores.records.sql import open_sqlite  # noqa: PLC0415 - takes half a second, and is rare

        open_sqlite(path).close()
    return SqliteJournal(path)


class SqliteJournal:
    """The journal of a database that is at the right revision. Safe to share between threads, which take turns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._is_closed = False
        with self._errors():
            self._database = sqlite3.connect(path, timeout=_WAIT_S, isolation_level=None, check_same_thread=False)
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")

    def cached_result(self, key: str) -> Mapping[str, Any] | None:
        """Return the newest result kept for a step key."""
        found = self._ask("SELECT result FROM steps WHERE key = ? AND state = 'done' ORDER BY position DESC LIMIT 1", key)
        return _from_json(found[0][0]) if found else None

    def step_started(self, step: StepRecord) -> None:
        """Journal the start of an attempt."""
        check_started(step)
        self._ask(_PUT, *_row(step))

    def step_ended(self, step: StepRecord) -> None:
        """Journal the end of an attempt. Its row is the cache entry too, so both are there or neither."""
        check_ended(step)
        self._ask(_PUT, *_row(step))

    def write(self, steps: Sequence[StepRecord], closures: Mapping[str, Mapping[str, Any]]) -> None:
        """Journal starts and ends, and what closures consist of, in one transaction."""
        for step in steps:
            check_step(step)
        # Made before the transaction begins: what cannot be a row is refused without one.
        kept = [(digest, encode_json(parts)) for digest, parts in closures.items()]
        rows = [_row(step) for step in steps]
        with self._turn, self._errors():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                self._database.executemany(_PUT_CLOSURE, kept)
                self._database.executemany(_PUT, rows)
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the last attempt of each step of a run, in the order in which these started."""
        return last_attempts(self.attempts(run))

    def attempts(self, run: str) -> Sequence[StepRecord]:
        """Return every attempt at the steps of a run, in the order in which they started."""
        return [_step(row) for row in self._ask(f"{_SELECT} WHERE run = ? ORDER BY position", run)]

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of."""
        found = self._ask("SELECT parts FROM closures WHERE digest = ?", digest)
        return _from_json(found[0][0]) if found else None

    def close(self) -> None:
        """Let go of the file."""
        with self._turn:
            if not self._is_closed:
                self._is_closed = True
                self._database.close()

    def _ask(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._turn, self._errors():
            return self._database.execute(statement, values).fetchall()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        if self._is_closed:
            raise StoreError(f"the journal {self._path} is closed", "open it again")
        try:
            yield
        except sqlite3.Error as error:
            raise StoreError(
                f"the journal {self._path} says: {error}",
                "see that it is a database, that the disk has room, and that nobody else holds it",
            ) from error
        except (OverflowError, UnicodeEncodeError) as error:
            raise UsageError(f"a record cannot hold this: {error}", "give numbers of 64 bits and Unicode text") from error


def _revision(path: Path) -> str | None:
    if not path.is_file():
        return None
    connection = sqlite3.connect(path, timeout=_WAIT_S)
    try:
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.Error:
        return None  # whoever opens it then says what is wrong
    finally:
        connection.close()
    return None if found is None else str(found[0])


def _as_text(at: datetime) -> str:
    return utc(at).replace(tzinfo=None).isoformat(" ", "microseconds")


def _as_time(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _from_json(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _row(step: StepRecord) -> tuple[Any, ...]:
    return (
        step.run,
        step.name,
        step.attempt,
        step.key,
        step.state,
        step.process,
        _as_text(step.started_at),
        None if step.ended_at is None else _as_text(step.ended_at),
        None if step.result is None else encode_json(step.result),
        clean_text(step.error),
        step.log,
        step.cpu_s,
        step.peak_rss_bytes,
        step.reason,
        None if step.parts is None else encode_json(step.parts),
    )


def _step(row: tuple[Any, ...]) -> StepRecord:
    fields = dict(zip(_COLUMNS, row, strict=True))
    fields["started_at"] = _as_time(fields["started_at"])
    fields["ended_at"] = None if fields["ended_at"] is None else _as_time(fields["ended_at"])
    fields["result"], fields["parts"] = _from_json(fields["result"]), _from_json(fields["parts"])
    fields["reason"] = fields["reason"] or ""  # of rows from before there was one
    fields["log"] = None if fields["log"] is None else Digest(fields["log"])
    return StepRecord(**fields)
