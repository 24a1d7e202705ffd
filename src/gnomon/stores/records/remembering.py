"""Records that remember what a pass reads again and again. The operator is the only writer, so what it wrote last is true."""

import threading
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.engine import URL

from gnomon.resources.identity import ResourceKey
from gnomon.resources.status import Status
from gnomon.stores.durable import disk_errors, make_directory
from gnomon.stores.records.interface import ReleaseMark, ResourceRecord, RunRecord, RunState
from gnomon.stores.records.sql import SqlRecords

_T = TypeVar("_T")


def open_records(path: Path) -> "RememberingRecords":
    """Open the records in a SQLite file, as ``open_sqlite`` does.

    Raises:
        StoreError: The file is no database, cannot be written, or a newer version wrote it.
    """
    with disk_errors(f"make the folder {path.parent}"):
        make_directory(path.parent.absolute())
    return RememberingRecords(URL.create("sqlite", database=str(path)))


@dataclass
class _Memory:
    """Values by name. Forgetting after each write is enough: a value that is being read is waited for, then forgotten."""

    _values: dict[Hashable, Any] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def recall(self, name: Hashable, read: Callable[[], _T]) -> _T:
        with self._lock:
            if name not in self._values:
                self._values[name] = read()
            value: _T = self._values[name]
            return value

    def forget(self, name: Hashable) -> None:
        with self._lock:
            self._values.pop(name, None)


class RememberingRecords(SqlRecords):
    """SQL records of which resources, recent runs, settings and release marks are read from memory while nobody writes them."""

    def __init__(self, address: str | URL) -> None:
        super().__init__(address)
        self._memory = _Memory()
        self._resources = _Resources(super().resources, super().resource)
        self._runs = _Runs(super().runs, super().run)

    def put_resource(self, record: ResourceRecord) -> None:
        """Insert or replace a resource."""
        super().put_resource(record)
        self._resources.forget(record.key)

    def delete_resource(self, key: ResourceKey) -> None:
        """Forget a resource."""
        super().delete_resource(key)
        self._resources.forget(key)

    def put_status(self, key: ResourceKey, status: Status) -> None:
        """Replace the status of a resource, if it is recorded."""
        super().put_status(key, status)
        self._resources.forget(key)

    def resources(self, kind: str | None = None) -> Sequence[ResourceRecord]:
        """Return the resources (of a kind), sorted by key."""
        return [record for record in self._resources.all() if kind in (None, record.key.kind)]

    def put_run(self, run: RunRecord) -> None:
        """Insert or replace a run."""
        super().put_run(run)
        self._runs.forget(run.owner, run.id)

    def runs(self, *, owner: ResourceKey | None = None, state: RunState | None = None, limit: int = 200) -> Sequence[RunRecord]:
        """Return the newest runs, newest first."""
        if owner is None or state is not None:
            return super().runs(owner=owner, state=state, limit=limit)
        return self._runs.newest(owner, max(limit, 0))

    def put_release_mark(self, mark: ReleaseMark) -> None:
        """Insert or replace the mark of a service."""
        super().put_release_mark(mark)
        self._memory.forget(("mark", mark.service))

    def release_mark(self, service: ResourceKey) -> ReleaseMark | None:
        """Return the mark of a service."""
        read = super().release_mark
        return self._memory.recall(("mark", service), lambda: read(service))

    def put_setting(self, name: str, value: Any) -> None:
        """Keep one named JSON value."""
        super().put_setting(name, value)
        self._memory.forget(("setting", name))

    def setting(self, name: str) -> Any:
        """Return a named value, or None. It is shared, and not to be changed."""
        read = super().setting
        return self._memory.recall(("setting", name), lambda: read(name))


@dataclass
class _Resources:
    """Every resource, of which only those that were written are read again."""

    _read_all: Callable[[], Sequence[ResourceRecord]]
    _read_one: Callable[[ResourceKey], ResourceRecord | None]
    _known: dict[ResourceKey, ResourceRecord] | None = field(default=None, init=False)
    _written: set[ResourceKey] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def all(self) -> tuple[ResourceRecord, ...]:
        """Return them in the order of their keys."""
        with self._lock:
            if self._known is None:
                self._known = {record.key: record for record in self._read_all()}
                self._written.clear()
            for key in tuple(self._written):
                self._known = self._renewed(key, self._known)
                self._written.discard(key)
            return tuple(self._known.values())

    def forget(self, key: ResourceKey) -> None:
        """Have a resource read again, which was written."""
        with self._lock:
            self._written.add(key)

    def _renewed(self, key: ResourceKey, known: dict[ResourceKey, ResourceRecord]) -> dict[ResourceKey, ResourceRecord]:
        record = self._read_one(key)
        if record is None:
            known.pop(key, None)
            return known
        is_new = key not in known
        known[key] = record
        return dict(sorted(known.items(), key=itemgetter(0))) if is_new else known


@dataclass
class _Remembered:
    """The newest runs of an owner, newest first, as many as were asked for at most; and those written since."""

    runs: tuple[RunRecord, ...]
    asked: int
    written: set[str] = field(default_factory=set)


@dataclass
class _Runs:
    """The runs of each owner as far back as they are asked for, of which only those that were written are read again."""

    _read: Callable[..., Sequence[RunRecord]]
    _read_one: Callable[[str], RunRecord | None]
    _known: dict[ResourceKey, _Remembered] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def newest(self, owner: ResourceKey, limit: int) -> tuple[RunRecord, ...]:
        """Return the newest runs of an owner, newest first."""
        with self._lock:
            known = self._known.get(owner)
            if known is None or known.asked < limit:
                known = self._known[owner] = _Remembered(tuple(self._read(owner=owner, limit=limit)), limit)
            elif known.written:
                by_id = {run.id: run for run in known.runs}
                by_id |= {run.id: run for each in known.written if (run := self._read_one(each)) is not None}
                ordered = sorted(by_id.values(), key=lambda run: (run.started_at, run.id), reverse=True)
                known.runs = tuple(ordered[: known.asked])
                known.written.clear()
            return known.runs[:limit]

    def forget(self, owner: ResourceKey, run: str) -> None:
        """Have a run read again, which was written."""
        with self._lock:
            if (known := self._known.get(owner)) is not None:
                known.written.add(run)
