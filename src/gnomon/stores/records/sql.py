"""Records in a database: SQLite here; PostgreSQL takes the same statements."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import URL

from gnomon.resources import status as statuses
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Status
from gnomon.stores.durable import disk_errors, make_directory
from gnomon.stores.records import rows
from gnomon.stores.records.database import Database
from gnomon.stores.records.interface import (
    EventRecord,
    ReleaseMark,
    ResourceRecord,
    RunRecord,
    RunState,
    SnapshotRecord,
    StepRecord,
    VersionRecord,
)
from gnomon.stores.records.journal import SqliteJournal
from gnomon.stores.records.schema import (
    EVENTS,
    KEY,
    RELEASE_MARKS,
    RESOURCES,
    RUNS,
    SETTINGS,
    SNAPSHOTS,
    VERSIONS,
)
from gnomon.stores.records.sql_journal import SqlJournal
from gnomon.stores.records.values import FOLD_WINDOW, clean_text, next_version, utc


def open_sqlite(path: Path) -> "SqlRecords":
    """Open the records in a SQLite file, made with its folder where it is missing, upgraded where it is old.

    Raises:
        StoreError: The file is no database, cannot be written, or a newer version wrote it.
    """
    with disk_errors(f"make the folder {path.parent}"):
        make_directory(path.parent.absolute())
    return SqlRecords(URL.create("sqlite", database=str(path)))


class SqlRecords:
    """The real records. Each write is one transaction; every thread may read and write.

    Args:
        address: Where the database is, as SQLAlchemy writes it.
    """

    def __init__(self, address: str | URL) -> None:
        self._database = Database(address)
        file = self._database.file
        self._journal = SqliteJournal(file) if file is not None else SqlJournal(self._database)
        self._put_resource = self._database.upsert(RESOURCES, KEY)
        self._put_run = self._database.upsert(RUNS, ("id",))
        self._put_snapshot = self._database.upsert(SNAPSHOTS, (*KEY, "digest", "revision"), replace=False)
        self._put_mark = self._database.upsert(RELEASE_MARKS, KEY)
        self._put_setting = self._database.upsert(SETTINGS, ("name",))

    def cached_result(self, key: str) -> Mapping[str, Any] | None:
        """Return the newest result kept for a step key."""
        return self._journal.cached_result(key)

    def step_started(self, step: StepRecord) -> None:
        """Journal the start of an attempt."""
        self._journal.step_started(step)

    def step_ended(self, step: StepRecord) -> None:
        """Journal the end of an attempt. Its row is the cache entry too, so both are there or neither."""
        self._journal.step_ended(step)

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the last attempt of each step of a run, in the order in which these started."""
        return self._journal.steps(run)

    def attempts(self, run: str) -> Sequence[StepRecord]:
        """Return every attempt at the steps of a run, in the order in which they started."""
        return self._journal.attempts(run)

    def write(self, steps: Sequence[StepRecord], closures: Mapping[str, Mapping[str, Any]]) -> None:
        """Journal starts and ends, and what closures consist of, in one transaction."""
        self._journal.write(steps, closures)

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of."""
        return self._journal.closure(digest)

    def put_resource(self, record: ResourceRecord) -> None:
        """Insert or replace a resource."""
        self._write(self._put_resource, rows.resource_row(record))

    def delete_resource(self, key: ResourceKey) -> None:
        """Forget a resource."""
        self._write(sa.delete(RESOURCES).where(_of(RESOURCES, key)))

    def resource(self, key: ResourceKey) -> ResourceRecord | None:
        """Return one resource."""
        found = self._read(sa.select(RESOURCES).where(_of(RESOURCES, key)))
        return rows.resource_of(found[0]) if found else None

    def resources(self, kind: str | None = None) -> Sequence[ResourceRecord]:
        """Return the resources (of a kind), sorted by key."""
        query = sa.select(RESOURCES)
        found = self._read(query if kind is None else query.where(RESOURCES.c.kind == kind))
        # Sorted here: databases sort text each in its own way.
        return sorted(map(rows.resource_of, found), key=lambda record: record.key)

    def put_status(self, key: ResourceKey, status: Status) -> None:
        """Replace the status of a resource, if it is recorded."""
        self._write(sa.update(RESOURCES).where(_of(RESOURCES, key)), {"status": statuses.to_json(status)})

    def add_event(
        self,
        event_type: Literal["Normal", "Warning"],
        key: ResourceKey,
        reason: str,
        message: str,
        at: datetime,
        revision: Revision | None = None,
        run: str | None = None,
    ) -> None:
        """Add an event, or count an equal one of the last hour once more."""
        same = {**rows.key_columns(key), "reason": reason, "message": clean_text(message)}
        news = {"type": event_type, "revision": revision, "run": run}
        with self._database.writing() as connection:
            seen = connection.execute(_RECENT_EVENT, {**same, "since": at - FOLD_WINDOW}).first()
            if seen is None:
                connection.execute(sa.insert(EVENTS), {**same, **news, "first_seen": at, "last_seen": at, "count": 1})
            else:
                connection.execute(_EVENT_AGAIN, {**news, "seen": seen.id, "last_seen": max(utc(at), seen.last_seen)})

    def events(self, *, key: ResourceKey | None = None, after: int = 0, limit: int = 200) -> Sequence[EventRecord]:
        """Return the newest events with an id above ``after``, oldest first."""
        query = sa.select(EVENTS).where(EVENTS.c.id > after).order_by(EVENTS.c.id.desc()).limit(max(limit, 0))
        found = self._read(query if key is None else query.where(_of(EVENTS, key)))
        return [rows.event_of(row) for row in reversed(found)]

    def put_run(self, run: RunRecord) -> None:
        """Insert or replace a run."""
        self._write(self._put_run, rows.run_row(run))

    def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        found = self._read(sa.select(RUNS).where(RUNS.c.id == run_id))
        return rows.run_of(found[0]) if found else None

    def runs(self, *, owner: ResourceKey | None = None, state: RunState | None = None, limit: int = 200) -> Sequence[RunRecord]:
        """Return the newest runs, newest first."""
        query = sa.select(RUNS).order_by(RUNS.c.started_at.desc(), RUNS.c.id.desc()).limit(max(limit, 0))
        if owner is not None:
            query = query.where(_of(RUNS, owner))
        if state is not None:
            query = query.where(RUNS.c.state == state)
        return [rows.run_of(row) for row in self._read(query)]

    def register_version(
        self,
        model: ResourceKey,
        digest: Digest,
        run: str,
        at: datetime,
        metrics: Mapping[str, float],
        given: Mapping[Digest, int] | None = None,
    ) -> VersionRecord:
        """Give the next number to a digest, or return the version that it has already."""
        known = sa.select(VERSIONS).where(_of(VERSIONS, model), VERSIONS.c.digest == digest)
        taken = sa.select(VERSIONS.c.version).where(_of(VERSIONS, model))
        with self._database.writing() as connection:
            if connection.execute(known).first() is None:
                number = next_version(digest, connection.execute(taken).scalars().all(), given)
                version = VersionRecord(model, number, digest, run, at, metrics)
                connection.execute(sa.insert(VERSIONS), rows.version_row(version))
            return rows.version_of(connection.execute(known).mappings().one())

    def versions(self, model: ResourceKey) -> Sequence[VersionRecord]:
        """Return the versions of a model, newest first."""
        found = self._read(sa.select(VERSIONS).where(_of(VERSIONS, model)).order_by(VERSIONS.c.version.desc()))
        return [rows.version_of(row) for row in found]

    def version_of(self, digest: Digest) -> VersionRecord | None:
        """Return the newest version that has this digest."""
        newest = (column.desc() for column in (VERSIONS.c.created_at, VERSIONS.c.version, *(VERSIONS.c[name] for name in KEY)))
        found = self._read(sa.select(VERSIONS).where(VERSIONS.c.digest == digest).order_by(*newest).limit(1))
        return rows.version_of(found[0]) if found else None

    def put_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Insert a snapshot that is not there yet."""
        self._write(self._put_snapshot, rows.snapshot_row(snapshot))

    def snapshots(self, dataset: ResourceKey, limit: int = 50) -> Sequence[SnapshotRecord]:
        """Return the snapshots of a dataset, newest first."""
        newest = (SNAPSHOTS.c.created_at.desc(), SNAPSHOTS.c.position.desc())
        found = self._read(sa.select(SNAPSHOTS).where(_of(SNAPSHOTS, dataset)).order_by(*newest).limit(max(limit, 0)))
        return [rows.snapshot_of(row) for row in found]

    def put_release_mark(self, mark: ReleaseMark) -> None:
        """Insert or replace the mark of a service."""
        self._write(self._put_mark, rows.mark_row(mark))

    def release_mark(self, service: ResourceKey) -> ReleaseMark | None:
        """Return the mark of a service."""
        found = self._read(sa.select(RELEASE_MARKS).where(_of(RELEASE_MARKS, service)))
        return rows.mark_of(found[0]) if found else None

    def put_setting(self, name: str, value: Any) -> None:
        """Keep one named JSON value."""
        self._write(self._put_setting, {"name": name, "value": value})

    def setting(self, name: str) -> Any:
        """Return a named value, or None."""
        found = self._read(sa.select(SETTINGS).where(SETTINGS.c.name == name))
        return found[0]["value"] if found else None

    def close(self) -> None:
        """Let go of the database."""
        self._journal.close()
        self._database.close()

    def _read(self, query: sa.Select[Any]) -> Sequence[sa.RowMapping]:
        with self._database.reading() as connection:
            return connection.execute(query).mappings().all()

    def _write(self, statement: sa.Executable, row: rows.NewRow | None = None) -> None:
        with self._database.writing() as connection:
            connection.execute(statement, row)


# Built once, for these are asked often.
_RECENT_EVENT = (
    sa.select(EVENTS.c.id, EVENTS.c.last_seen)
    .where(*(EVENTS.c[name] == sa.bindparam(name) for name in (*KEY, "reason", "message")))
    .where(EVENTS.c.first_seen > sa.bindparam("since"))
    .order_by(EVENTS.c.id.desc())
    .limit(1)
)
_EVENT_AGAIN = sa.update(EVENTS).where(EVENTS.c.id == sa.bindparam("seen")).values(count=EVENTS.c.count + 1)


def _of(table: sa.Table, key: ResourceKey) -> sa.ColumnElement[bool]:
    return sa.and_(*(table.c[name] == value for name, value in rows.key_columns(key).items()))
