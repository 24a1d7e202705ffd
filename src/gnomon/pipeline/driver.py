"""Steps run in their order, as many at once as there are slots; what is known already is not run again.

The driver alone writes the journal, and an ``end`` there is the only proof of a result. So a driver may be killed at any
moment, and the same call with the same run carries on.
"""

import json
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from gnomon.errors import ConflictError, GnomonError, UsageError
from gnomon.pipeline.calls import call_of, needs_of
from gnomon.pipeline.dag import Dag
from gnomon.pipeline.graph import Graph
from gnomon.pipeline.keying import Keyed, Keying
from gnomon.pipeline.liveness import is_alive, process_identity
from gnomon.pipeline.places import Place, Places
from gnomon.pipeline.secrets import Censor, secret_values
from gnomon.pipeline.values import is_kept
from gnomon.runners.interface import Needs, Outcome, Runner
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.steps import Journal, StepRecord, StepState

__all__ = ["execute", "is_alive", "process_identity"]

_POLL = timedelta(seconds=0.2)
_FINISHED = frozenset({"done", "cached"})
_TRIED_AGAIN = frozenset({"failed", "killed", "timed-out"})


class LocalObjectStore(ObjectStore, Protocol):
    """An object store that the processes of steps can open by the folder it lies in."""

    @property
    def root(self) -> Path:
        """The folder."""
        ...


def never() -> bool:
    """Say that a run is not cancelled."""
    return False


def ignore(_: StepRecord) -> None:
    """Take no notice of a step."""


def execute(  # noqa: PLR0913 - everything a run touches is named here, and nothing else is
    dag: Dag,
    *,
    run: str,
    journal: Journal,
    objects: ObjectStore,
    runner: Runner,
    workspace: Path,
    clock: Callable[[], datetime],
    process: str,
    cancelled: Callable[[], bool] = never,
    observe: Callable[[StepRecord], None] = ignore,
    environ: Mapping[str, str] | None = None,
) -> Mapping[str, StepRecord]:
    """Run what is not known yet of a graph of steps, and return the record of each step by its name.

    A step that fails does not stop those that do not need it; those that do end as ``cancelled``. A run that was cut off
    carries on: give the same ``run``.

    Args:
        dag: The steps.
        run: Name of the run; steps of several graphs may share it, each under a name of its own.
        journal: Where results are looked up, and starts and ends are written.
        objects: Where results and logs are kept; a ``DiskObjectStore``, because steps write to it from their own processes.
        runner: Runs the calls. It is left without a call, and open.
        workspace: A folder for logs and scratch folders while steps run, best on the filesystem of the store.
        clock: Returns the time in UTC.
        process: Identity of this process, see ``process_identity``.
        cancelled: Asked about five times a second; once it says so, running steps are killed.
        observe: Told of each attempt at a step that starts or ends.
        environ: Where the values of secrets are taken from; None stands for this process's environment.

    Raises:
        UsageError: Two steps share a name, a step needs an unknown one, steps need each other, or a command names what it
            has not.
        ConflictError: Another process that lives drives this run.
    """
    if not isinstance(getattr(objects, "root", None), Path):
        raise UsageError(f"steps cannot open a {type(objects).__name__}", "give a DiskObjectStore")
    execution = _Execution(
        dag,
        run=run,
        journal=journal,
        objects=objects,
        runner=runner,
        workspace=workspace,
        clock=clock,
        process=process,
        observe=observe,
        environ=os.environ if environ is None else environ,
    )
    return execution.carry_out(cancelled)


class _Running(NamedTuple):
    """An attempt that goes on."""

    ready: Keyed
    record: StepRecord
    place: Place


class _Execution:
    def __init__(  # noqa: PLR0913 - see execute
        self,
        dag: Dag,
        *,
        run: str,
        journal: Journal,
        objects: Any,
        runner: Runner,
        workspace: Path,
        clock: Callable[[], datetime],
        process: str,
        observe: Callable[[StepRecord], None],
        environ: Mapping[str, str],
    ) -> None:
        self._graph = Graph(dag)
        self._run = run
        self._journal = journal
        self._objects: LocalObjectStore = objects
        self._runner = runner
        self._places = Places(workspace, run)
        self._clock = clock
        self._process = process
        self._observe = observe
        self._environ = environ
        self._keying = Keying(objects, self._places.folder)
        self._noted: set[str] = set()
        self._unwritten: list[StepRecord] = []
        self._unwritten_closures: dict[str, Mapping[str, Any]] = {}
        self._ended: dict[str, StepRecord] = {}
        self._startable: dict[Needs, deque[Keyed]] = {}
        self._running: dict[str, _Running] = {}
        self._later: list[tuple[datetime, Keyed]] = []
        self._before = {record.name: record for record in journal.steps(run)}
        self._attempts = {record.name: record.attempt for record in self._before.values()}
        for record in self._before.values():
            if record.state == "running" and record.process != process and is_alive(record.process):
                raise ConflictError(
                    f"step {record.name} of run {run} is running under another process ({record.process})",
                    "wait for it, or end that process",
                )
        self._places.clear()  # of an attempt that was cut off

    def carry_out(self, cancelled: Callable[[], bool]) -> Mapping[str, StepRecord]:
        """See ``execute``."""
        try:
            self._advance(self._graph.ready())
            while self._startable or self._running or self._later:
                if cancelled():
                    return self._give_up()
                self._start_what_fits()
                self._write()
                self._hear()
            self._write()
        except BaseException:
            self._abandon()
            raise
        finally:
            self._places.clear()
        return self._ended

    def _advance(self, names: Iterable[str]) -> None:
        """Look at steps that wait for nothing: those that are known free others, the rest may be started."""
        todo = deque(names)
        while todo:
            todo.extend(self._begin(todo.popleft()))

    def _start_what_fits(self) -> None:
        """Start what there is room for, the highest priority first."""
        for needs in sorted(self._startable, key=lambda needs: -needs.priority):
            waiting = self._startable[needs]
            while waiting and self._may_start(needs):
                self._start(waiting.popleft())
            if not waiting:
                del self._startable[needs]

    def _may_start(self, needs: Needs) -> bool:
        try:
            return self._runner.reserve(needs)
        except GnomonError as error:
            for ready in self._startable[needs]:
                self._end_unstarted(ready.step.name, ready.key, "failed", str(error))
            self._startable[needs].clear()
            return False

    def _hear(self) -> None:
        """Wait for what happens next: a call that ends, room for another, or the time to try one again."""
        patience = _POLL
        if self._later:
            now = self._clock()
            for each in [each for each in self._later if each[0] <= now]:
                self._later.remove(each)
                self._startable.setdefault(needs_of(each[1].step), deque()).append(each[1])
                patience = timedelta(0)
            patience = min([patience, *(due - now for due, _ in self._later)])
        if self._running or self._startable:
            for outcome in self._runner.wait(patience):
                self._finish(outcome)
        elif self._later:
            time.sleep(max(patience, timedelta(0)).total_seconds())

    def _write(self) -> None:
        """Journal what happened since the last time, in one transaction; what is lost before it happens again."""
        if self._unwritten:
            self._journal.write(self._unwritten, self._unwritten_closures)
            self._unwritten, self._unwritten_closures = [], {}

    def _give_up(self) -> Mapping[str, StepRecord]:
        self._runner.cancel()
        while self._running:
            for outcome in self._runner.wait(_POLL):
                self._finish(outcome, is_last=True)
        for name in self._graph.names:
            if name not in self._ended:
                self._end_unstarted(name, "", "cancelled", "the run was cancelled")
        self._write()
        return self._ended

    def _abandon(self) -> None:
        """Leave the runner without a call, whatever is wrong here; the journal tells of no end."""
        self._runner.cancel()
        while self._running:
            for outcome in self._runner.wait(_POLL):
                self._running.pop(outcome.token, None)

    def _begin(self, name: str) -> list[str]:
        """End a step at once if its result is known or cannot be, and return the steps that are ready then; or let it start."""
        step = self._graph.step(name)
        try:
            keyed = self._keying.keyed(step, lambda need: self._ended[need].result or {})
        except GnomonError as error:
            return self._end_unstarted(name, "", "failed", str(error))
        key = keyed.key
        before = self._before.get(name)
        if before is not None and before.key == key and before.state in _FINISHED and is_kept(before.result, self._objects):
            return self._settle(before)
        known = self._journal.cached_result(key)
        if known is not None and is_kept(known, self._objects):
            return self._settle(self._journal_end(name, key, "cached", result=known, parts=keyed.parts))
        self._startable.setdefault(needs_of(step), deque()).append(keyed)
        return []

    def _start(self, ready: Keyed) -> None:
        step = ready.step
        now = self._clock()
        attempt = self._next_attempt(step.name)
        record = StepRecord(self._run, step.name, attempt, ready.key, "running", self._process, now, parts=ready.parts)
        if ready.closure.digest not in self._noted:
            self._noted.add(ready.closure.digest)
            self._unwritten_closures[ready.closure.digest] = ready.closure.noted()
        self._unwritten.append(record)
        # Before the process is there: so a driver that is killed has lost no end of more than the steps that run.
        self._write()
        place = self._places.take()
        self._running[step.name] = _Running(ready, record, place)
        try:
            call = call_of(
                step,
                ready.inputs,
                ready.closure.files,
                secret_values(step.name, step.secrets, self._environ),
                objects=self._objects.root,
                scratch=place.scratch,
                compiled=self._places.compiled,
                log=place.log,
            )
            self._runner.submit(call)
        except GnomonError as error:
            self._finish(Outcome(step.name, "failed", error=str(error), reason="error"), is_last=True)
            return
        self._observe(record)

    def _finish(self, outcome: Outcome, *, is_last: bool = False) -> None:
        """Take note of how an attempt ended; unless it is the last one, it may be tried again."""
        ready, started, place = self._running.pop(outcome.token)
        step = ready.step
        censor = Censor(self._environ.get(name, "") for name in step.secrets)
        if outcome.state == "done" and censor.knows(outcome.result):
            outcome = replace(
                outcome, state="failed", reason="error", error="its result holds a secret, and results are kept (return none)"
            )
        record = replace(
            started,
            state=outcome.state,
            ended_at=self._clock(),
            result=json.loads(outcome.result) if outcome.state == "done" else None,
            error=censor.text(outcome.error),
            log=self._places.leave(place, self._objects, censor),
            cpu_s=outcome.cpu_s,
            peak_rss_bytes=outcome.peak_rss_bytes,
            reason=outcome.reason,
        )
        self._unwritten.append(record)
        # What a step ran in may go away through no fault of its own, so that is tried once more in any case.
        tries_left = max(step.retry.times, outcome.reason == "lost") - ready.tries
        if outcome.state in _TRIED_AGAIN and tries_left > 0 and not is_last:
            backoff = step.retry.backoff * step.retry.factor**ready.tries if step.retry.times else timedelta(0)
            ready.tries += 1
            self._later.append((self._clock() + backoff, ready))
            self._observe(record)
            return
        self._advance(self._settle(record))

    def _end_unstarted(self, name: str, key: str, state: StepState, error: str) -> list[str]:
        return self._settle(self._journal_end(name, key, state, error))

    def _journal_end(
        self,
        name: str,
        key: str,
        state: StepState,
        error: str = "",
        result: Mapping[str, Any] | None = None,
        parts: Mapping[str, Any] | None = None,
    ) -> StepRecord:
        """Journal the end of a step that no process was started for."""
        now = self._clock()
        reason = "error" if state == "failed" else "cancelled" if state == "cancelled" else ""
        record = StepRecord(
            self._run,
            name,
            self._next_attempt(name),
            key,
            state,
            self._process,
            now,
            now,
            result,
            error,
            reason=reason,  # type: ignore[arg-type]  # one of its values, as above
            parts=parts,
        )
        self._unwritten.append(record)
        return record

    def _settle(self, record: StepRecord) -> list[str]:
        """Take an end to the books; return the steps that it makes ready, after ending those that it makes impossible."""
        self._ended[record.name] = record
        self._observe(record)
        if record.state in _FINISHED:
            return self._graph.done(record.name)
        for name in self._graph.downstream(record.name):
            if name not in self._ended:
                error = f"step {record.name}, which it depends on, ended as {record.state}"
                self._ended[name] = self._journal_end(name, "", "cancelled", error)
                self._observe(self._ended[name])
        return []

    def _next_attempt(self, name: str) -> int:
        self._attempts[name] = self._attempts.get(name, 0) + 1
        return self._attempts[name]
