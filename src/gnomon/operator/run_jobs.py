"""Runs, each carried out in a thread beside the loop; what comes of one is written to records, and wakes the loop."""

import logging
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from gnomon.errors import ConflictError, GnomonError, RepositoryError, StoreError
from gnomon.operator.actions import StartPipelineRun, StartRun, TargetVersion
from gnomon.operator.cancellation import RunCancelledError
from gnomon.operator.checkouts import Checkouts
from gnomon.operator.controllers.model import INTERRUPTED
from gnomon.operator.events import EventLog
from gnomon.operator.home import Home
from gnomon.operator.jobs import Stores
from gnomon.operator.listening import Listener, Silence, tell
from gnomon.operator.model_code import checkout_of
from gnomon.operator.pipeline_run import PipelineContext, begun_run, perform_pipeline
from gnomon.operator.run_ids import new_run_id
from gnomon.operator.training_run import RunContext, perform
from gnomon.pipeline.driver import process_identity
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.runners.interface import Runner
from gnomon.stores.records.interface import RunRecord
from gnomon.stores.repositories.interface import TreeEntry

_LOG = logging.getLogger(__name__)
CANCELLED = "Cancelled"
"""Reason of a run that a person ended. It is a verdict: the same run does not start again by itself."""


@dataclass
class _RunJob:
    """A run under way. ``carry_out`` returns it with its verdict."""

    run: RunRecord
    parallel: int | None
    carry_out: "Callable[[_RunJob, Runner], RunRecord]"
    progress: str = "waiting for its turn"
    cancelled: threading.Event = field(default_factory=threading.Event)
    ended_as: tuple[Literal["superseded", "failed"], str, str] | None = None
    """State, reason and message of a run that was told to stop for good."""


@dataclass
class RunJobs:
    """Carries out runs, a few at the same time; they share the machine's slots."""

    home: Home
    stores: Stores
    make_runner: Callable[[int | None], Runner]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    at_once: int
    checkouts: Checkouts
    tree_of: Callable[[Revision], tuple[TreeEntry, ...]]
    """Returns the files of a commit."""
    listener: Listener = field(default_factory=Silence)
    _jobs: dict[str, _RunJob] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(init=False)
    _kept_blobs: dict[str, Digest] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._pool = ThreadPoolExecutor(self.at_once, "run")

    def under_way(self) -> dict[str, str]:
        """Return the progress, in words, of each run that this process has."""
        with self._lock:
            return {run: job.progress for run, job in self._jobs.items()}

    def start(self, action: StartRun, model: Model, dataset: Dataset, revision: Revision) -> str:
        """Begin a run of a model, or take up one that a crash left behind, and return its id."""
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
                summary={
                    "parts": dict(action.parts),
                    "why": action.why,
                    **({"window": action.window.to_json()} if action.window is not None else {}),
                    # While the run is under way, nobody clears it away.
                    **({"checkout": self._checkout(revision).name} if model.spec.functions else {}),
                },
            )
            records.put_run(run)

        def carry_out(job: _RunJob, runner: Runner) -> RunRecord:
            return perform(self._training_context(job, runner, model, dataset, action.released), job.run)

        return self._submit(_RunJob(run, model.spec.resources.parallel, carry_out))

    def start_pipeline(self, action: StartPipelineRun, pipeline: Pipeline, revision: Revision) -> str:
        """Begin a run of a pipeline, or take up one that a crash left behind, and return its id."""
        records, known = self.stores.records, action.resume or action.run
        run = records.run(known) if known is not None else None
        if run is None:
            run = begun_run(action, pipeline, revision, self.stores.objects, self.clock())
            records.put_run(run)

        def carry_out(job: _RunJob, runner: Runner) -> RunRecord:
            return perform_pipeline(self._pipeline_context(job, runner), job.run)

        return self._submit(_RunJob(run, pipeline.spec.parallel, carry_out))

    def cancel(self, run_id: str, why: str, *, by_person: bool = False) -> bool:
        """Stop a run, and return whether this is news; one that this process does not have is only marked.

        Args:
            run_id: The run.
            why: What people are told.
            by_person: Whether a person wants it ended. The same run then does not start again by itself.
        """
        verdict: tuple[Literal["superseded", "failed"], str, str]
        verdict = ("failed", CANCELLED, why) if by_person else ("superseded", "Superseded", why)
        with self._lock:
            job = self._jobs.get(run_id)
            if job is not None:
                is_news = job.ended_as is None
                job.ended_as = job.ended_as or verdict
                job.cancelled.set()
                return is_news
        run = self.stores.records.run(run_id)
        if run is None or run.state != "running":
            return False
        self.stores.records.put_run(self._ended_as(run, verdict))
        return True

    def close(self) -> None:
        """Interrupt every run; the next operator goes on with their finished steps."""
        with self._lock:
            for job in self._jobs.values():
                job.cancelled.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _submit(self, job: _RunJob) -> str:
        with self._lock:
            if job.run.id not in self._jobs and job.run.state == "running":
                self._jobs[job.run.id] = job
                self._pool.submit(self._perform, job)
        return job.run.id

    def _perform(self, job: _RunJob) -> None:
        run = job.run
        try:
            ended = self._ended(job)
            if ended is not None:
                self.stores.records.put_run(ended)
                tell(lambda: self.listener.run_ended(ended))
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
                run.owner, "RunStarted", f"run {run.id}: {run.message}", self.clock(), run.revision, run.id
            )
            is_resumed = bool(self.stores.records.steps(run.id))
            tell(lambda: self.listener.run_started(run, is_resumed=is_resumed))
            runner = self.make_runner(job.parallel)
            return job.carry_out(job, runner)
        except RunCancelledError:
            return self._ended_as(run, job.ended_as) if job.ended_as is not None else None
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

    def _tell_progress(self, job: _RunJob, text: str) -> None:
        job.progress = text
        self.wake()

    def _training_context(
        self, job: _RunJob, runner: Runner, model: Model, dataset: Dataset, released: tuple[TargetVersion, ...]
    ) -> RunContext:
        workspace = self._workspace(job.run)
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
            progress=lambda text: self._tell_progress(job, text),
            listen=lambda step: tell(lambda: self.listener.step_changed(job.run, step)),
            released={target.digest: target.version for target in released},
            checkout=self._checkout(job.run.revision) if model.spec.functions else None,
        )

    def _checkout(self, revision: Revision) -> Path:
        return checkout_of(self.checkouts, self.tree_of(revision))

    def _pipeline_context(self, job: _RunJob, runner: Runner) -> PipelineContext:
        workspace = self._workspace(job.run)
        workspace.mkdir(parents=True, exist_ok=True)
        return PipelineContext(
            records=self.stores.records,
            objects=self.stores.objects,
            checkouts=self.checkouts,
            tree_of=self.tree_of,
            environments=self.home.environments,
            kept_blobs=self._kept_blobs,
            runner=runner,
            workspace=workspace,
            process=process_identity(),
            clock=self.clock,
            cancelled=job.cancelled.is_set,
            progress=lambda text: self._tell_progress(job, text),
            listen=lambda step: tell(lambda: self.listener.step_changed(job.run, step)),
        )

    def _ended_as(self, run: RunRecord, verdict: tuple[Literal["superseded", "failed"], str, str]) -> RunRecord:
        state, reason, message = verdict
        return replace(run, state=state, reason=reason, message=message, ended_at=self.clock())

    def _failed(self, run: RunRecord, reason: str, message: str) -> RunRecord:
        kept: dict[str, Any] = dict(run.summary)
        return replace(run, state="failed", reason=reason, message=message, ended_at=self.clock(), summary=kept)
