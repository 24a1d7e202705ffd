"""Records in dictionaries, for tests."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from gnomon.resources import status as statuses
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Status
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
from gnomon.stores.records.values import (
    FOLD_WINDOW,
    check_ended,
    check_started,
    check_step,
    clean_text,
    last_attempts,
    next_version,
    plain_json,
    utc,
)

_Record = TypeVar("_Record")


class MemoryRecords:
    """The twin of the database: it keeps copies, in the form in which a database gives them back."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._resources: dict[ResourceKey, ResourceRecord] = {}
        self._events: dict[int, EventRecord] = {}
        self._runs: dict[str, RunRecord] = {}
        self._steps: dict[tuple[str, str, int], StepRecord] = {}
        self._versions: dict[tuple[ResourceKey, int], VersionRecord] = {}
        self._snapshots: dict[tuple[ResourceKey, Digest, Revision], SnapshotRecord] = {}
        self._marks: dict[ResourceKey, ReleaseMark] = {}
        self._settings: dict[str, Any] = {}
        self._closures: dict[str, Mapping[str, Any]] = {}

    def cached_result(self, key: str) -> Mapping[str, Any] | None:
        """Return the newest result kept for a step key."""
        done = [step.result for step in self._all(self._steps) if step.key == key and step.state == "done"]
        return plain_json(done[-1]) if done else None

    def step_started(self, step: StepRecord) -> None:
        """Journal the start of an attempt."""
        check_started(step)
        self._put_step(step)

    def step_ended(self, step: StepRecord) -> None:
        """Journal the end of an attempt."""
        check_ended(step)
        self._put_step(step)

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the last attempt of each step of a run, in the order in which these started."""
        return last_attempts(self.attempts(run))

    def attempts(self, run: str) -> Sequence[StepRecord]:
        """Return every attempt at the steps of a run, in the order in which they started."""
        return [step for step in self._all(self._steps) if step.run == run]

    def write(self, steps: Sequence[StepRecord], closures: Mapping[str, Mapping[str, Any]]) -> None:
        """Journal starts and ends, and what closures consist of."""
        for step in steps:
            check_step(step)
        kept = [_plain_step(step) for step in steps]
        kept_closures = {digest: plain_json(parts) for digest, parts in closures.items()}
        with self._lock:
            for step in kept:
                self._steps[step.run, step.name, step.attempt] = step
            self._closures = {**kept_closures, **self._closures}

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of."""
        parts: Mapping[str, Any] | None = plain_json(self._closures.get(digest))
        return parts

    def put_resource(self, record: ResourceRecord) -> None:
        """Insert or replace a resource."""
        kept = replace(record, declaration=plain_json(record.declaration), status=_plain_status(record.status))
        with self._lock:
            self._resources[record.key] = kept

    def delete_resource(self, key: ResourceKey) -> None:
        """Forget a resource."""
        with self._lock:
            self._resources.pop(key, None)

    def resource(self, key: ResourceKey) -> ResourceRecord | None:
        """Return one resource."""
        return self._resources.get(key)

    def resources(self, kind: str | None = None) -> Sequence[ResourceRecord]:
        """Return the resources (of a kind), sorted by key."""
        found = (record for record in self._all(self._resources) if kind in (None, record.key.kind))
        return sorted(found, key=lambda record: record.key)

    def put_status(self, key: ResourceKey, status: Status) -> None:
        """Replace the status of a resource, if it is recorded."""
        with self._lock:
            if key in self._resources:
                self._resources[key] = replace(self._resources[key], status=_plain_status(status))

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
        at, message = utc(at), clean_text(message)
        with self._lock:
            new = EventRecord(len(self._events) + 1, event_type, key, reason, message, revision, run, 1, at, at)
            equal = [
                event
                for event in self._events.values()
                if (event.key, event.reason, event.message) == (key, reason, message) and event.first_seen > at - FOLD_WINDOW
            ]
            if equal:
                seen = equal[-1]
                last_seen = max(at, seen.last_seen)
                new = replace(new, id=seen.id, count=seen.count + 1, first_seen=seen.first_seen, last_seen=last_seen)
            self._events[new.id] = new

    def events(self, *, key: ResourceKey | None = None, after: int = 0, limit: int = 200) -> Sequence[EventRecord]:
        """Return the newest events with an id above ``after``, oldest first."""
        found = [event for event in self._all(self._events) if event.id > after and key in (None, event.key)]
        return found[len(found) - _at_most(limit, found) :]

    def put_run(self, run: RunRecord) -> None:
        """Insert or replace a run."""
        kept = replace(
            run,
            reason=clean_text(run.reason),
            message=clean_text(run.message),
            started_at=utc(run.started_at),
            ended_at=_utc_or_none(run.ended_at),
            summary=plain_json(run.summary),
        )
        with self._lock:
            self._runs[run.id] = kept

    def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        return self._runs.get(run_id)

    def runs(self, *, owner: ResourceKey | None = None, state: RunState | None = None, limit: int = 200) -> Sequence[RunRecord]:
        """Return the newest runs, newest first."""
        found = [run for run in self._all(self._runs) if owner in (None, run.owner) and state in (None, run.state)]
        found.sort(key=lambda run: (run.started_at, run.id), reverse=True)
        return found[: _at_most(limit, found)]

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
        with self._lock:
            known = self.versions(model)
            for version in known:
                if version.digest == digest:
                    return version
            number = next_version(digest, [version.version for version in known], given)
            version = VersionRecord(model, number, digest, run, utc(at), plain_json(metrics))
            self._versions[model, version.version] = version
            return version

    def versions(self, model: ResourceKey) -> Sequence[VersionRecord]:
        """Return the versions of a model, newest first."""
        found = (version for version in self._all(self._versions) if version.model == model)
        return sorted(found, key=lambda version: version.version, reverse=True)

    def version_of(self, digest: Digest) -> VersionRecord | None:
        """Return the newest version that has this digest."""
        found = (version for version in self._all(self._versions) if version.digest == digest)
        return max(found, key=lambda version: (version.created_at, version.version, version.model), default=None)

    def put_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Insert a snapshot that is not there yet."""
        kept = replace(snapshot, created_at=utc(snapshot.created_at), paths=tuple(map(clean_text, snapshot.paths)))
        with self._lock:
            self._snapshots.setdefault((snapshot.dataset, snapshot.digest, snapshot.revision), kept)

    def snapshots(self, dataset: ResourceKey, limit: int = 50) -> Sequence[SnapshotRecord]:
        """Return the snapshots of a dataset, newest first."""
        found = [snapshot for snapshot in self._all(self._snapshots) if snapshot.dataset == dataset][::-1]
        found.sort(key=lambda snapshot: snapshot.created_at, reverse=True)
        return found[: _at_most(limit, found)]

    def put_release_mark(self, mark: ReleaseMark) -> None:
        """Insert or replace the mark of a service."""
        with self._lock:
            self._marks[mark.service] = mark

    def release_mark(self, service: ResourceKey) -> ReleaseMark | None:
        """Return the mark of a service."""
        return self._marks.get(service)

    def put_setting(self, name: str, value: Any) -> None:
        """Keep one named JSON value."""
        kept = plain_json(value)
        with self._lock:
            self._settings[name] = kept

    def setting(self, name: str) -> Any:
        """Return a named value, or None."""
        return plain_json(self._settings.get(name))

    def close(self) -> None:
        """Do nothing: there is no database to let go of."""

    def _put_step(self, step: StepRecord) -> None:
        kept = _plain_step(step)
        with self._lock:
            self._steps[step.run, step.name, step.attempt] = kept

    def _all(self, table: Mapping[Any, _Record]) -> list[_Record]:
        with self._lock:
            return list(table.values())


def _plain_step(step: StepRecord) -> StepRecord:
    return replace(
        step,
        error=clean_text(step.error),
        started_at=utc(step.started_at),
        ended_at=_utc_or_none(step.ended_at),
        result=plain_json(step.result),
        parts=plain_json(step.parts),
    )


def _utc_or_none(at: datetime | None) -> datetime | None:
    return None if at is None else utc(at)


def _plain_status(status: Status) -> Status:
    return statuses.from_json(plain_json(statuses.to_json(status)))


def _at_most(limit: int, found: Sequence[object]) -> int:
    return min(max(limit, 0), len(found))
