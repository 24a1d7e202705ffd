"""Work that takes longer than a pass: reading data and carrying out runs, each in a thread of its own.

A job writes what it found to records and wakes the loop; the loop never waits for it.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from gnomon.data.intake import take_in
from gnomon.errors import GnomonError
from gnomon.operator.actions import StartRun
from gnomon.operator.events import EventLog
from gnomon.operator.home import Home
from gnomon.operator.run_ids import new_run_id
from gnomon.operator.state import Intake
from gnomon.operator.training_run import RunCancelledError, RunContext, perform
from gnomon.pipeline.driver import process_identity
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.model import Model
from gnomon.runners.interface import Runner
from gnomon.stores.artifacts.interface import ArtifactStore
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, RunRecord, SnapshotRecord
from gnomon.stores.repositories.interface import TreeEntry

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Stores:
    """Everything that keeps things."""

    records: Records
    objects: ObjectStore
    artifacts: ArtifactStore


@dataclass
class IntakeJobs:
    """Reads datasets, one after another."""

    stores: Stores
    export_blob: Callable[[str, Path], None]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    _under_way: set[ResourceKey] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "intake"), init=False)

    def under_way(self) -> frozenset[ResourceKey]:
        """Return the datasets that are being read or wait to be."""
        with self._lock:
            return frozenset(self._under_way)

    def start(
        self, dataset: Dataset, spec_digest: str, fingerprint: str, revision: Revision, tree: tuple[TreeEntry, ...]
    ) -> None:
        """Read a dataset's files as they are at a commit."""
        with self._lock:
            if dataset.key in self._under_way:
                return
            self._under_way.add(dataset.key)
        self._pool.submit(self._read, dataset, spec_digest, fingerprint, revision, tree)

    def close(self) -> None:
        """Wait for the reading under way, and begin no other."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read(
        self, dataset: Dataset, spec_digest: str, fingerprint: str, revision: Revision, tree: tuple[TreeEntry, ...]
    ) -> None:
        records = self.stores.records
        before = intake_of(records, dataset.key)
        outcome = Intake(spec_digest, fingerprint, revision, None)
        try:
            known: Mapping[str, Digest] = records.setting(_known_name(dataset.key)) or {}
            taken = take_in(dataset, tree, self.stores.objects, self.export_blob, known)
        except GnomonError as error:
            last_good = before.snapshot if before is not None else None
            rows = before.rows if before is not None else 0
            outcome = replace(outcome, snapshot=last_good, rows=rows, error=f"{error.cause} ({error.mend})")
        except Exception as error:  # noqa: BLE001 - a job's fault is told as its outcome, and must not end the thread
            _LOG.exception("intake_failed", extra={"resource": str(dataset.key)})
            last_good = before.snapshot if before is not None else None
            outcome = replace(outcome, snapshot=last_good, error=f"{type(error).__name__}: {error}")
        else:
            size = sum(file.size_bytes for file in taken.snapshot.files)
            now = self.clock()
            records.put_snapshot(SnapshotRecord(dataset.key, taken.digest, revision, taken.snapshot.rows, size, now))
            records.put_setting(_known_name(dataset.key), dict(taken.known))
            outcome = replace(outcome, snapshot=taken.digest, rows=taken.snapshot.rows, warnings=tuple(taken.warnings))
        finally:
            records.put_setting(_intake_name(dataset.key), outcome.to_json())
            with self._lock:
                self._under_way.discard(dataset.key)
            self.wake()


def intake_of(records: Records, key: ResourceKey) -> Intake | None:
    """Return how the last reading of a dataset ended."""
    kept = records.setting(_intake_name(key))
    return Intake.from_json(kept) if kept is not None else None


def _intake_name(key: ResourceKey) -> str:
    return f"intake/{key.namespace}/{key.name}"


def _known_name(key: ResourceKey) -> str:
    return f"known-files/{key.namespace}/{key.name}"


@dataclass
class _RunJob:
    run: str
    model: ResourceKey
    progress: str = "waiting for its turn"
    cancelled: threading.Event = field(default_factory=threading.Event)
    superseded: str = ""


@dataclass
class RunJobs:
    """Carries out runs, a few at the same time; they share the machine's slots."""

    home: Home
    stores: Stores
    make_runner: Callable[[int | None], Runner]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    at_once: int
    _jobs: dict[str, _RunJob] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.at_once, "run")

    def under_way(self) -> dict[str, str]:
        """Return the progress, in words, of each run that this process has."""
        with self._lock:
            return {job.run: job.progress for job in self._jobs.values()}

    def start(self, action: StartRun, model: Model, dataset: Dataset, revision: Revision) -> str:
        """Begin a run, or take up one that a crash left behind, and return its id."""
        records = self.stores.records
        run = records.run(action.resume) if action.resume is not None else None
        if run is None:
            now = self.clock()
            run = RunRecord(
                id=new_run_id(now),
                model=model.key,
                fingerprint=action.fingerprint,
                revision=revision,
                snapshot=action.snapshot,
                state="running",
                reason="Running",
                message=action.why,
                started_at=now,
                champion=action.champion,
                summary={"parts": dict(action.parts), "why": action.why},
            )
            records.put_run(run)
        job = _RunJob(run.id, model.key)
        with self._lock:
            self._jobs[run.id] = job
        self._pool.submit(self._perform, job, run, model, dataset)
        return run.id

    def cancel(self, run_id: str, why: str) -> None:
        """Stop a run; one that this process does not have is only marked."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                job.superseded = why
                job.cancelled.set()
        if job is None:
            run = self.stores.records.run(run_id)
            if run is not None and run.state == "running":
                self.stores.records.put_run(self._superseded(run, why))

    def close(self) -> None:
        """Interrupt every run; the next operator goes on with their finished steps."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _perform(self, job: _RunJob, run: RunRecord, model: Model, dataset: Dataset) -> None:
        records, events = self.stores.records, EventLog(self.stores.records)
        try:
            events.normal(model.key, "RunStarted", f"run {run.id}: {run.message}", self.clock(), run.revision, run.id)
            runner = self.make_runner(model.spec.resources.parallel)
            try:
                ended = perform(self._context(job, run, model, dataset, runner), run)
            finally:
                runner.close()
        except RunCancelledError:
            if job.superseded:
                records.put_run(self._superseded(run, job.superseded))
        except GnomonError as error:
            records.put_run(self._failed(run, "RunFailed", f"{error.cause} ({error.mend})"))
        except Exception as error:  # noqa: BLE001 - likewise
            _LOG.exception("run_failed", extra={"run": run.id})
            records.put_run(self._failed(run, "InternalError", f"{type(error).__name__}: {error}"))
        else:
            records.put_run(ended)
        finally:
            with self._lock:
                self._jobs.pop(run.id, None)
            self.wake()

    def _context(self, job: _RunJob, run: RunRecord, model: Model, dataset: Dataset, runner: Runner) -> RunContext:
        def progress(text: str) -> None:
            job.progress = text
            self.wake()

        workspace = self.home.workspaces / run.id
        workspace.mkdir(parents=True, exist_ok=True)
        return RunContext(
            model=model,
            dataset=dataset,
            records=self.stores.records,
            objects=self.stores.objects,
            artifacts=self.stores.artifacts,
            layout=self.home.artifacts,
            runner=runner,
            workspace=workspace,
            process=process_identity(),
            clock=self.clock,
            cancelled=job.cancelled.is_set,
            progress=progress,
        )

    def _superseded(self, run: RunRecord, why: str) -> RunRecord:
        return replace(run, state="superseded", reason="Superseded", message=why, ended_at=self.clock())

    def _failed(self, run: RunRecord, reason: str, message: str) -> RunRecord:
        kept: dict[str, Any] = dict(run.summary)
        return replace(run, state="failed", reason=reason, message=message, ended_at=self.clock(), summary=kept)
