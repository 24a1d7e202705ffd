"""The record store. One writer: the operator process. Times are aware datetimes in UTC; JSON columns hold plain JSON values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Status
from gnomon.stores.records.steps import Journal, StepReason, StepRecord, StepState

__all__ = [
    "EventRecord",
    "Journal",
    "Records",
    "ReleaseMark",
    "ResourceRecord",
    "RunRecord",
    "RunState",
    "SnapshotRecord",
    "StepReason",
    "StepRecord",
    "StepState",
    "VersionRecord",
]

RunState = Literal["running", "passed", "refused", "failed", "superseded"]
"""``passed``: registered, or every step done. ``refused``: a gate said no. ``failed``: a step failed, nothing could be judged.

``superseded``: cancelled, by a person or for something newer.
"""


@dataclass(frozen=True)
class ResourceRecord:
    """The last good declaration of a resource, and what is observed of it. ``declaration`` is its whole document."""

    key: ResourceKey
    declaration: Mapping[str, Any]
    spec_digest: str
    generation: int
    path: str
    line: int
    blob: str
    revision: Revision
    status: Status


@dataclass(frozen=True)
class EventRecord:
    """Something that happened, for people. Equal ones (key, reason, message) within an hour fold into ``count``.

    The hour starts with the first, so that a lasting trouble shows among the newest again. Type, revision and run are
    those of the last.
    """

    id: int
    type: Literal["Normal", "Warning"]
    key: ResourceKey
    reason: str
    message: str
    revision: Revision | None
    run: str | None
    count: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class RunRecord:
    """One attempt to make a version of a model, or one passage through a pipeline."""

    id: str
    owner: ResourceKey
    """The model or the pipeline."""
    fingerprint: str
    revision: Revision
    snapshot: Digest
    """What names the data: the snapshot of a model's dataset; for a pipeline, the object that lists its inputs."""
    state: RunState
    reason: str
    message: str
    started_at: datetime
    ended_at: datetime | None = None
    artifact: Digest | None = None
    version: int | None = None
    champion: Digest | None = None
    report: Digest | None = None
    """Object digest of the report as JSON."""
    report_page: Digest | None = None
    """Object digest of the report as HTML."""
    summary: Mapping[str, Any] = field(default_factory=dict)
    """Winner, metrics, gates and candidates, short enough for lists."""


@dataclass(frozen=True)
class VersionRecord:
    """A registered version of a model. Numbers start at 1 and are never given twice; a digest is registered once per model."""

    model: ResourceKey
    version: int
    digest: Digest
    run: str
    created_at: datetime
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class SnapshotRecord:
    """A snapshot of a dataset at a commit; ``digest`` is the object digest of its manifest."""

    dataset: ResourceKey
    digest: Digest
    revision: Revision
    rows: int
    size_bytes: int
    created_at: datetime
    paths: tuple[str, ...] = ()
    """Where its files came from, in their order: paths in the commit or on the machine. Empty where that was not recorded."""


@dataclass(frozen=True)
class ReleaseMark:
    """The high-water mark of a service: what history alone cannot tell after a force-push.

    ``withdrawn`` holds what may not be pinned again where history no longer reaches ``sequence``: every digest that was
    pinned or taken back so far, the oldest first.
    """

    service: ResourceKey
    sequence: int
    withdrawn: tuple[Digest, ...] = ()


class Records(Journal, Protocol):
    """Everything else. Each call is one transaction and durable when it returns. Safe to call from several threads."""

    def put_resource(self, record: ResourceRecord) -> None:
        """Insert or replace a resource."""
        ...

    def delete_resource(self, key: ResourceKey) -> None:
        """Forget a resource; its events, runs and versions stay."""
        ...

    def resource(self, key: ResourceKey) -> ResourceRecord | None:
        """Return one resource."""
        ...

    def resources(self, kind: str | None = None) -> Sequence[ResourceRecord]:
        """Return the resources (of a kind), sorted by key."""
        ...

    def put_status(self, key: ResourceKey, status: Status) -> None:
        """Replace the status of a resource that is recorded; harmless where it is not."""
        ...

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
        ...

    def events(self, *, key: ResourceKey | None = None, after: int = 0, limit: int = 200) -> Sequence[EventRecord]:
        """Return the newest ``limit`` events with an id above ``after``, oldest first."""
        ...

    def put_run(self, run: RunRecord) -> None:
        """Insert or replace a run."""
        ...

    def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        ...

    def runs(self, *, owner: ResourceKey | None = None, state: RunState | None = None, limit: int = 200) -> Sequence[RunRecord]:
        """Return the newest runs, newest first."""
        ...

    def register_version(
        self,
        model: ResourceKey,
        digest: Digest,
        run: str,
        at: datetime,
        metrics: Mapping[str, float],
        given: Mapping[Digest, int] | None = None,
    ) -> VersionRecord:
        """Give the next number to a digest, or return the version that this digest has already.

        ``given`` holds numbers that others know of, where these records may have begun anew: a digest among them gets its
        number back, every other one a higher number than any of them.
        """
        ...

    def versions(self, model: ResourceKey) -> Sequence[VersionRecord]:
        """Return the versions of a model, newest first."""
        ...

    def version_of(self, digest: Digest) -> VersionRecord | None:
        """Return the (newest) version that has this digest."""
        ...

    def put_snapshot(self, snapshot: SnapshotRecord) -> None:
        """Insert a snapshot; the same dataset, digest and revision again is harmless."""
        ...

    def snapshots(self, dataset: ResourceKey, limit: int = 50) -> Sequence[SnapshotRecord]:
        """Return the snapshots of a dataset, newest first."""
        ...

    def put_release_mark(self, mark: ReleaseMark) -> None:
        """Insert or replace the mark of a service."""
        ...

    def release_mark(self, service: ResourceKey) -> ReleaseMark | None:
        """Return the mark of a service."""
        ...

    def put_setting(self, name: str, value: Any) -> None:
        """Keep one named JSON value, such as the last applied commit."""
        ...

    def setting(self, name: str) -> Any:
        """Return a named value, or None."""
        ...

    def close(self) -> None:
        """Let go of the database."""
        ...
