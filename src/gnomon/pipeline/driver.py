"""Steps run in their order, as many at once as there are slots; what is known already is not run again.

The driver alone writes the journal, and an ``end`` there is the only proof of a result. So a driver may be killed at any
moment, and the same call with the same run carries on.
"""

import json
import shutil
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from gnomon.errors import ConflictError, GnomonError, NotFoundError, UsageError
from gnomon.pipeline.child import ENTRY
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import Argument, Command, Dag, FromStep, FromStore, FunctionRef, Step
from gnomon.pipeline.graph import Graph
from gnomon.pipeline.keys import canonical_json, step_key
from gnomon.pipeline.liveness import is_alive, process_identity
from gnomon.pipeline.values import picked
from gnomon.resources.identity import Digest
from gnomon.runners.interface import Call, Outcome, Runner
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Journal, StepRecord, StepState

__all__ = ["execute", "is_alive", "process_identity"]

_POLL = timedelta(seconds=0.2)
_FINISHED = frozenset({"done", "cached"})


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
        observe: Told of each step that starts or ends.

    Raises:
        UsageError: Two steps share a name, a step needs an unknown one, or steps need each other.
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
    )
    return execution.carry_out(cancelled)


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
    ) -> None:
        self._graph = Graph(dag)
        self._run = run
        self._journal = journal
        self._objects: LocalObjectStore = objects
        self._runner = runner
        self._workspace = workspace / "".join(char if char.isalnum() or char in "-_" else "-" for char in run)
        self._compiled = self._workspace / "compiled"
        self._clock = clock
        self._process = process
        self._observe = observe
        self._closures: dict[FunctionRef, str] = {}
        self._ended: dict[str, StepRecord] = {}
        self._running: dict[str, StepRecord] = {}
        self._before = {record.name: record for record in journal.steps(run)}
        for record in self._before.values():
            if record.state == "running" and record.process != process and is_alive(record.process):
                raise ConflictError(
                    f"step {record.name} of run {run} is running under another process ({record.process})",
                    "wait for it, or end that process",
                )
        self._clear_workspace()  # of an attempt that was cut off

    def carry_out(self, cancelled: Callable[[], bool]) -> Mapping[str, StepRecord]:
        """See ``execute``."""
        ready = deque(self._graph.ready())
        try:
            while ready or self._running:
                if cancelled():
                    return self._give_up()
                while ready and len(self._running) < self._runner.slots:
                    ready.extend(self._begin(ready.popleft()))
                if self._running:
                    for outcome in self._runner.wait(_POLL):
                        ready.extend(self._finish(outcome))
        except BaseException:
            self._abandon()
            raise
        finally:
            self._clear_workspace()
        return self._ended

    def _clear_workspace(self) -> None:
        # Steps of a driver that was killed a moment ago may still write here; nothing of ours has the name of theirs.
        shutil.rmtree(self._workspace, ignore_errors=True)

    def _give_up(self) -> Mapping[str, StepRecord]:
        self._runner.cancel()
        while self._running:
            for outcome in self._runner.wait(_POLL):
                self._finish(outcome)
        for name in self._graph.names:
            if name not in self._ended:
                self._end_unstarted(name, "", "cancelled", "the run was cancelled")
        return self._ended

    def _abandon(self) -> None:
        """Leave the runner without a call, whatever is wrong here; the journal tells of no end."""
        self._runner.cancel()
        while self._running:
            for outcome in self._runner.wait(_POLL):
                self._running.pop(outcome.token, None)

    def _begin(self, name: str) -> list[str]:
        """Start a step, or end it at once if its result is known or cannot be; return the steps that are ready now."""
        step = self._graph.step(name)
        try:
            inputs = {key: self._resolved(argument) for key, argument in step.inputs.items()}
            key = self._key(step, inputs)
        except GnomonError as error:
            return self._end_unstarted(name, "", "failed", str(error))
        before = self._before.get(name)
        if before is not None and before.key == key and before.state in _FINISHED and self._is_kept(before.result):
            return self._settle(before)
        known = self._journal.cached_result(key)
        if known is not None and self._is_kept(known):
            return self._settle(self._journal_end(name, key, "cached", result=known))
        record = StepRecord(self._run, name, self._attempt(name), key, "running", self._process, self._clock())
        self._journal.step_started(record)
        self._running[name] = record
        try:
            self._runner.submit(self._call(step, inputs, record.attempt))
        except GnomonError as error:
            return self._finish(Outcome(name, "failed", error=str(error)))
        self._observe(record)
        return []

    def _finish(self, outcome: Outcome) -> list[str]:
        record = replace(
            self._running.pop(outcome.token),
            state=outcome.state,
            ended_at=self._clock(),
            result=json.loads(outcome.result) if outcome.state == "done" else None,
            error=outcome.error,
            log=self._kept_log(outcome.token),
            cpu_s=outcome.cpu_s,
            peak_rss_bytes=outcome.peak_rss_bytes,
        )
        self._journal.step_ended(record)
        return self._settle(record)

    def _end_unstarted(self, name: str, key: str, state: StepState, error: str) -> list[str]:
        return self._settle(self._journal_end(name, key, state, error))

    def _journal_end(
        self, name: str, key: str, state: StepState, error: str = "", result: Mapping[str, Any] | None = None
    ) -> StepRecord:
        """Journal the end of a step that no process was started for."""
        now = self._clock()
        record = StepRecord(self._run, name, self._attempt(name), key, state, self._process, now, now, result, error)
        self._journal.step_ended(record)
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

    def _attempt(self, name: str) -> int:
        before = self._before.get(name)
        return before.attempt + 1 if before is not None else 1

    def _key(self, step: Step, inputs: Mapping[str, Any]) -> str:
        if isinstance(step.work, Command):
            raise UsageError(f"step {step.name} is a command", "this driver runs functions only")
        if step.work not in self._closures:
            self._closures[step.work] = closure(step.work).digest
        try:
            canonical_json(step.settings)
            return step_key(self._closures[step.work], step.params, inputs, step.seed)
        except (TypeError, ValueError) as error:
            raise UsageError(
                f"the parameters or settings of step {step.name} are not JSON values: {error}", "give finite plain values"
            ) from error

    def _resolved(self, argument: Argument) -> Any:
        match argument:
            case FromStore():
                return {"codec": argument.codec, "digest": argument.digest}
            case FromStep():
                return picked(self._ended[argument.step].result or {}, argument.item, self._objects, self._workspace)
            case _:
                return [self._resolved(each) for each in argument]

    def _is_kept(self, result: Mapping[str, Any] | None) -> bool:
        return result is not None and all(self._objects.exists(Digest(kept["digest"])) for kept in result.values())

    def _call(self, step: Step, inputs: Mapping[str, Any], attempt: int) -> Call:
        assert isinstance(step.work, FunctionRef)
        self._compiled.mkdir(parents=True, exist_ok=True)
        payload = {
            "root": str(step.work.root.absolute()),
            "file": step.work.file,
            "name": step.work.name,
            "values": {**step.params, **step.settings},
            "inputs": inputs,
            "seed": step.seed,
            "objects": str(self._objects.root.absolute()),
            "scratch": str(self._workspace.absolute() / f"{self._graph.number(step.name)}.{attempt}"),
            "compiled": str(self._compiled.absolute()),
        }
        log = self._log(step.name)
        log.unlink(missing_ok=True)
        return Call(
            step.name,
            ENTRY,
            json.dumps(payload).encode(),
            log,
            path=(step.work.root,),
            timeout=step.timeout,
            memory_bytes=step.memory_bytes,
            seed=step.seed,
        )

    def _log(self, name: str) -> Path:
        return self._workspace / f"{self._graph.number(name)}.log"

    def _kept_log(self, name: str) -> Digest | None:
        log = self._log(name)
        try:
            if log.stat().st_size:
                return self._objects.put_file(log, move=True)
            log.unlink()
        except (FileNotFoundError, NotFoundError):
            pass  # the process died before its first line
        return None
