"""Work that takes longer than a pass: reading data and carrying out runs, each in a thread of its own.

A job writes what it found to records and wakes the loop; the loop never waits for it.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gnomon.data.intake import take_in
from gnomon.errors import ConflictError, GnomonError, RepositoryError, StoreError
from gnomon.operator.actions import StartRun, TargetVersion
from gnomon.operator.controllers.model import INTERRUPTED
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
_RETRY_INTAKE = timedelta(minutes=1)
"""After a reading that failed for what has nothing to do with the data, such as a full disk."""


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
        try:
            before = intake_of(self.stores.records, dataset.key)
            begun = replace(before or Intake("", "", revision, None), spec_digest=spec_digest, fingerprint=fingerprint)
            intake = self._outcome(dataset, replace(begun, revision=revision, error="", warnings=(), retry_at=""), tree)
            self.stores.records.put_setting(_intake_name(dataset.key), intake.to_json())
        except Exception:  # noqa: BLE001 - nobody else would tell of it; the next pass asks again
            _LOG.exception("intake_lost", extra={"resource": str(dataset.key)})
        finally:
            with self._lock:
                self._under_way.discard(dataset.key)
            self.wake()

    def _outcome(self, dataset: Dataset, begun: Intake, tree: tuple[TreeEntry, ...]) -> Intake:
        """Return how a reading ended; where it failed, the snapshot stays the last good one."""
        records = self.stores.records
        try:
            known: Mapping[str, Digest] = records.setting(_known_name(dataset.key)) or {}
            taken = take_in(dataset, tree, self.stores.objects, self.export_blob, known)
            size, now = sum(file.size_bytes for file in taken.snapshot.files), self.clock()
            snapshot = SnapshotRecord(dataset.key, taken.digest, begun.revision, taken.snapshot.rows, size, now)
            records.put_snapshot(snapshot)
            records.put_setting(_known_name(dataset.key), dict(taken.known))
        except (StoreError, RepositoryError, OSError) as error:
            _LOG.warning("intake_interrupted", extra={"resource": str(dataset.key), "cause": str(error)})
            return replace(begun, error=str(error), retry_at=(self.clock() + _RETRY_INTAKE).isoformat())
        except GnomonError as error:
            return replace(begun, error=f"{error.cause} ({error.mend})")
        except Exception as error:  # noqa: BLE001 - a job's fault is told as its outcome
            _LOG.exception("intake_failed", extra={"resource": str(dataset.key)})
            return replace(begun, error=f"{type(error).__name__}: {error}")
        return replace(begun, snapshot=taken.digest, rows=taken.snapshot.rows, warnings=tuple(taken.warnings))


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
    run: RunRecord
    model: Model
    dataset: Dataset
    released: tuple[TargetVersion, ...]
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
            return {run: job.progress for run, job in self._jobs.items()}

    def start(self, action: StartRun, model: Model, dataset: Dataset, revision: Revision) -> str:
        """Begin a run, or take up one that a crash left behind, and return its id."""
        records = self.stores.records
        run = records.run(action.resume) if action.resume is not None else None
        if run is None:
            now = self.clock()
            run = RunRecord(
                id=new_run_id(now),
                owner=model.key,
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
        job = _RunJob(run, model, dataset, action.released)
        with self._lock:
            self._jobs[run.id] = job
        self._pool.submit(self._perform, job)
        return run.id

    def cancel(self, run_id: str, why: str) -> bool:
        """Stop a run, and return whether this is news; one that this process does not have is only marked."""
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                is_news = not job.superseded
                job.superseded = why
                job.cancelled.set()
                return is_news
        run = self.stores.records.run(run_id)
        if run is None or run.state != "running":
            return False
        self.stores.records.put_run(self._superseded(run, why))
        return True

    def close(self) -> None:
        """Interrupt every run; the next operator goes on with their finished steps."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _perform(self, job: _RunJob) -> None:
        run = job.run
        try:
            ended = self._ended(job)
            if ended is not None:
                self.stores.records.put_run(ended)
            shutil.rmtree(self._workspace(run), ignore_errors=True)
        except Exception:  # noqa: BLE001 - nobody else would tell of it; the run is taken up again
            _LOG.exception("run_lost", extra={"run": run.id})
        finally:
            with self._lock:
                self._jobs.pop(run.id, None)
            self.wake()

    def _ended(self, job: _RunJob) -> RunRecord | None:
        """Carry a run out and return how it ended; None where it was interrupted, to be taken up again."""
        run, runner = job.run, None
        try:
            self._raise_if_cancelled(job)
            EventLog(self.stores.records).normal(
                job.model.key, "RunStarted", f"run {run.id}: {run.message}", self.clock(), run.revision, run.id
            )
            runner = self.make_runner(job.model.spec.resources.parallel)
            return perform(self._context(job, runner), run)
        except RunCancelledError:
            return self._superseded(run, job.superseded) if job.superseded else None
        except (StoreError, RepositoryError, ConflictError, OSError) as error:
            return self._failed(run, INTERRUPTED, str(error))
        except GnomonError as error:
            return self._failed(run, "RunFailed", f"{error.cause} ({error.mend})")
        except Exception as error:  # noqa: BLE001 - a job's fault is told as its outcome
            _LOG.exception("run_failed", extra={"run": run.id})
            return self._failed(run, "InternalError", f"{type(error).__name__}: {error}")
        finally:
            if runner is not None:
                runner.close()

    def _raise_if_cancelled(self, job: _RunJob) -> None:
        if job.cancelled.is_set():
            raise RunCancelledError(f"run {job.run.id} was cancelled before its turn", "it starts again if it is wanted again")

    def _workspace(self, run: RunRecord) -> Path:
        return self.home.workspaces / run.id

    def _context(self, job: _RunJob, runner: Runner) -> RunContext:
        def progress(text: str) -> None:
            job.progress = text
            self.wake()

        workspace = self._workspace(job.run)
        workspace.mkdir(parents=True, exist_ok=True)
        return RunContext(
            model=job.model,
            dataset=job.dataset,
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
            released={target.digest: target.version for target in job.released},
        )

    def _superseded(self, run: RunRecord, why: str) -> RunRecord:
        return replace(run, state="superseded", reason="Superseded", message=why, ended_at=self.clock())

    def _failed(self, run: RunRecord, reason: str, message: str) -> RunRecord:
        kept: dict[str, Any] = dict(run.summary)
        return replace(run, state="failed", reason=reason, message=message, ended_at=self.clock(), summary=kept)
