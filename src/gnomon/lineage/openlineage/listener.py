"""What the operator tells becomes events: readings, runs and steps as jobs; files, snapshots, results and artifacts as data."""

import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gnomon.data.snapshot import Snapshot
from gnomon.errors import GnomonError
from gnomon.lineage.openlineage.emitter import Event
from gnomon.lineage.openlineage.events import (
    DataItem,
    EventType,
    Job,
    Parent,
    documentation_facet,
    git_location,
    job_facets,
    run_event,
    schema_facet,
    statistics_facet,
    version_facet,
)
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, RunRecord, SnapshotRecord, StepRecord

DEFAULT_NAMESPACE = "gnomon"
_RUN_EVENTS: Mapping[str, EventType] = {"passed": "COMPLETE", "refused": "COMPLETE", "failed": "FAIL", "superseded": "ABORT"}
_STEP_EVENTS: Mapping[str, EventType] = {
    "running": "START",
    "done": "COMPLETE",
    "cached": "COMPLETE",
    "failed": "FAIL",
    "killed": "FAIL",
    "timed-out": "FAIL",
    "cancelled": "ABORT",
}


@dataclass
class OpenLineageListener:
    """Implements ``operator.listening.Listener``.

    Args:
        emit: Takes an event, at once.
        objects: Where snapshots are kept, for their columns.
        records: What models declare.
        url: Of the repository, without credentials.
        branch: That is followed.
        clock: Returns the time in UTC.
        namespace: Of jobs and of the data that Gnomon keeps.
    """

    emit: Callable[[Event], None]
    objects: ObjectStore
    records: Records
    url: str
    branch: str
    clock: Callable[[], datetime]
    namespace: str = DEFAULT_NAMESPACE
    _intakes: dict[ResourceKey, uuid.UUID] = field(default_factory=dict, init=False)
    _made: dict[str, dict[str, DataItem]] = field(default_factory=dict, init=False)
    """By run: what its steps gave, by digest."""
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def intake_started(self, dataset: Dataset, revision: Revision) -> None:
        """A dataset is going to be read."""
        run = uuid.uuid4()
        with self._lock:
            self._intakes[dataset.key] = run
        job = self._job(dataset.key, "DATASET", f"Reads {dataset.key}", revision)
        self.emit(run_event("START", self.clock(), run, job, inputs=self._sources(dataset, revision)))

    def intake_ended(
        self, dataset: Dataset, revision: Revision, taken: tuple[SnapshotRecord, Snapshot] | None, error: str
    ) -> None:
        """A dataset was read, or could not be."""
        with self._lock:
            run = self._intakes.pop(dataset.key, None) or uuid.uuid4()
        job = self._job(dataset.key, "DATASET", f"Reads {dataset.key}", revision)
        outputs = []
        if taken is not None:
            record, snapshot = taken
            statistics = statistics_facet(record.rows, record.size_bytes)
            outputs.append(self._snapshot(str(record.dataset), record.digest, snapshot, statistics))
        kind: EventType = "FAIL" if error else "COMPLETE"
        sources = self._sources(dataset, revision)
        self.emit(run_event(kind, self.clock(), run, job, inputs=sources, outputs=outputs, error=error))

    def run_started(self, run: RunRecord, *, is_resumed: bool) -> None:
        """A run starts, or goes on after an interruption."""
        with self._lock:
            self._made.setdefault(run.id, {})
        kind: EventType = "RUNNING" if is_resumed else "START"
        self.emit(run_event(kind, self.clock(), self._run_id(run), self._job_of(run), inputs=self._read_by(run)))

    def run_ended(self, run: RunRecord) -> None:
        """A run came to its end."""
        with self._lock:
            self._made.pop(run.id, None)
        outputs = []
        if run.artifact is not None:
            described = documentation_facet(f"The artifact of {run.owner}: {run.message}")
            facets = {**version_facet(run.artifact), **described}
            outputs.append(DataItem(self.namespace, f"artifact/{run.owner.namespace}/{run.owner.name}", facets))
        kind = _RUN_EVENTS.get(run.state, "ABORT")
        error = run.message if kind == "FAIL" else ""
        at = run.ended_at or self.clock()
        event = run_event(
            kind, at, self._run_id(run), self._job_of(run), inputs=self._read_by(run), outputs=outputs, error=error
        )
        self.emit(event)

    def step_changed(self, run: RunRecord, step: StepRecord) -> None:
        """An attempt at a step started or ended; one whose result was known did both at once."""
        parent = Parent(self._run_id(run), self._job_of(run))
        name = f"{parent.job.name}.{step.name}"
        described = job_facets("STEP", f"Step {step.name} of {run.owner}", self._location(run.revision))
        job = Job(self.namespace, name, described)
        identity = uuid.uuid5(parent.run, f"{step.name}#{step.attempt}")
        inputs = tuple(self._inputs_of(run, step))
        outputs = tuple(self._outputs_of(run, step, name))
        kind = _STEP_EVENTS[step.state]
        if kind != "START" and step.state in {"cached", "cancelled"}:  # nothing told of its start
            self.emit(run_event("START", step.started_at, identity, job, inputs=inputs, parent=parent))
        at = step.ended_at or step.started_at
        error = step.error if kind == "FAIL" else ""
        self.emit(run_event(kind, at, identity, job, inputs=inputs, outputs=outputs, parent=parent, error=error))

    def _job(self, key: ResourceKey, kind: str, description: str, revision: Revision) -> Job:
        return Job(self.namespace, str(key), job_facets(kind, description, self._location(revision)))

    def _job_of(self, run: RunRecord) -> Job:
        made = "a version of" if run.owner.kind == "Model" else "the results of"
        return self._job(run.owner, run.owner.kind.upper(), f"Makes {made} {run.owner}", run.revision)

    def _location(self, revision: Revision) -> Mapping[str, str]:
        return git_location(self.url, self.branch, revision)

    def _run_id(self, run: RunRecord) -> uuid.UUID:
        """Return an id that every operator of this repository gives the run, so that events told twice are the same."""
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.url}#{run.id}")

    def _sources(self, dataset: Dataset, revision: Revision) -> tuple[DataItem, ...]:
        """Return where a dataset's rows come from, as its declaration says."""
        source = dataset.spec.source
        files = getattr(source, "files", None)
        if not files:
            return (DataItem(self.namespace, f"source/{dataset.key}", documentation_facet("A query, as declared")),)
        scheme, divider, rest = str(files).partition("://")
        if divider:
            host, _, path = rest.partition("/")
            return (DataItem(f"{scheme}://{host}", path),)
        if str(files).startswith("/"):
            return (DataItem("file", str(files)),)
        return (DataItem(self.url, str(files), version_facet(revision)),)

    def _snapshot(self, name: str, digest: Digest, snapshot: Snapshot | None, statistics: Any = None) -> DataItem:
        columns = [(column.name, column.type) for column in snapshot.columns] if snapshot is not None else []
        facets = {**version_facet(digest), **(schema_facet(columns) if columns else {})}
        return DataItem(self.namespace, name, facets, statistics or {})

    def _read_by(self, run: RunRecord) -> tuple[DataItem, ...]:
        """Return the snapshots that a run reads, under the names of their datasets."""
        if run.owner.kind != "Pipeline":
            record = self.records.resource(run.owner)
            declared = record.declaration.get("spec", {}).get("dataset", "") if record is not None else ""
            return (self._snapshot_named(self._dataset(run.owner.namespace, declared or run.owner.name), run.snapshot),)
        given = dict(run.summary.get("inputs") or {}).get("snapshots") or {}
        inputs = dict(run.summary.get("spec") or {}).get("inputs") or {}
        return tuple(
            self._snapshot_named(self._dataset(run.owner.namespace, inputs.get(name, {}).get("dataset", name)), Digest(digest))
            for name, digest in given.items()
        )

    def _dataset(self, namespace: str, name: str) -> str:
        return str(ResourceKey("Dataset", namespace, name))

    def _snapshot_named(self, name: str, digest: Digest) -> DataItem:
        try:
            return self._snapshot(name, digest, Snapshot.from_json(self.objects.get(digest)))
        except GnomonError:
            return self._snapshot(name, digest, None)

    def _inputs_of(self, run: RunRecord, step: StepRecord) -> Iterator[DataItem]:
        with self._lock:
            made = dict(self._made.get(run.id, {}))
        given = {str(each.get("digest")) for each in ((step.parts or {}).get("inputs") or {}).values()}
        yield from (item for digest, item in made.items() if digest in given)
        if run.snapshot in given:
            yield from self._read_by(run)

    def _outputs_of(self, run: RunRecord, step: StepRecord, job: str) -> Iterator[DataItem]:
        items = {
            str(kept["digest"]): DataItem(self.namespace, f"{job}.{name}", version_facet(str(kept["digest"])))
            for name, kept in (step.result or {}).items()
            if "digest" in kept
        }
        with self._lock:
            if run.id in self._made:
                self._made[run.id].update(items)
        yield from items.values()
