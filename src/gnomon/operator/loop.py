"""The one loop: observe, plan, act, record; for ever.

A pass looks at state, never at the event that woke it: a lost or doubled wake-up costs time, not truth.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gnomon.errors import GnomonError
from gnomon.operator.act import Executor
from gnomon.operator.actions import Action, Apply, Prune, SetRoutes
from gnomon.operator.events import EventLog
from gnomon.operator.observe import Observer
from gnomon.operator.outcomes import Outcome, Waiting, status_of
from gnomon.operator.plan import Plan, plan
from gnomon.operator.source import SourceFollower
from gnomon.operator.state import Desired, Observed
from gnomon.resources.compiled import Problem
from gnomon.resources.identity import ResourceKey
from gnomon.resources.project import Project
from gnomon.resources.status import Status

_LOG = logging.getLogger(__name__)
_MOST_ROUNDS = 8
"""Rounds of one pass: applying, routing and writing each bring work that the next round sees."""
_LEAST_SLEEP = timedelta(milliseconds=20)
SOURCE_SETTING = "source"


@dataclass
class Operator:
    """Brings one repository and one machine together."""

    source: SourceFollower
    observer: Observer
    executor: Executor
    clock: Callable[[], datetime]
    interval: timedelta | None = None
    """Time between two polls of the remote; None follows the project's settings."""
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _poll_now: threading.Event = field(default_factory=threading.Event, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _told: dict[str, Any] = field(default_factory=dict, init=False)

    def wake(self) -> None:
        """Let the next pass begin at once."""
        self._wake.set()

    def reconcile(self) -> None:
        """Let the next pass begin at once, and ask the remote."""
        self._poll_now.set()
        self._wake.set()

    def stop(self) -> None:
        """End the loop after the pass under way."""
        self._stopping.set()
        self._wake.set()

    def run(self) -> None:
        """Run passes until ``stop``. What fails in a pass is logged, and the next pass tries again."""
        self.source.recover()
        next_poll = time.monotonic()
        while not self._stopping.is_set():
            self._wake.clear()
            if self._poll_now.is_set() or time.monotonic() >= next_poll:
                self._poll_now.clear()
                self.source.poll()
                next_poll = time.monotonic() + self._interval().total_seconds()
            again_after = self._guarded_pass()
            until_poll = timedelta(seconds=max(0.0, next_poll - time.monotonic()))
            self._wake.wait(max(_LEAST_SLEEP, min(until_poll, again_after)).total_seconds())

    def run_pass(self) -> timedelta:
        """Carry out one pass over what was last fetched; return when to look again at the latest."""
        started, cpu = time.perf_counter(), time.thread_time()
        desired = self.source.desired()
        if desired is None:
            self._tell_source(None, "")
            return timedelta.max
        rounds, done = 0, 0
        while True:
            now = self.clock()
            observed = self.observer.observe(desired, self.executor.blocked)
            current = plan(desired, observed, now)
            self._record(desired, observed, current, now)
            done += len(current.actions)
            rounds += 1
            if not current.actions or rounds == _MOST_ROUNDS:
                break
            if self.executor.act(current.actions, desired, self.source.tree):
                self.source.poll()
                desired = self.source.desired() or desired
            elif not _brings_work(current.actions):
                break
        if done:
            took = {"ms": round(1000 * (time.perf_counter() - started)), "cpu_ms": round(1000 * (time.thread_time() - cpu))}
            _LOG.info("pass", extra={"revision": desired.revision, "actions": done, "rounds": rounds, **took})
        return min((o.after for o in current.outcomes.values() if isinstance(o, Waiting)), default=timedelta.max)

    def _guarded_pass(self) -> timedelta:
        try:
            return self.run_pass()
        except GnomonError as error:
            _LOG.error("pass_failed", extra={"cause": error.cause, "mend": error.mend})
        except Exception:  # noqa: BLE001 - the loop outlives any one pass
            _LOG.exception("pass_failed")
        return timedelta(seconds=1)

    def _interval(self) -> timedelta:
        if self.interval is not None:
            return self.interval
        desired = self.source.desired()
        return desired.project.source.interval if desired is not None else timedelta(seconds=30)

    def _record(self, desired: Desired, observed: Observed, current: Plan, now: datetime) -> None:
        """Turn outcomes into statuses; tell what changed."""
        events = EventLog(self.executor.records)
        for key, outcome in current.outcomes.items():
            record = observed.resources.get(key)
            if record is None:
                continue
            self._record_one(key, outcome, record.status, record.generation, desired, events, now)
        self._tell_source(desired, current.prune_refused)

    def _record_one(
        self,
        key: ResourceKey,
        outcome: Outcome,
        before: Status,
        generation: int,
        desired: Desired,
        events: EventLog,
        now: datetime,
    ) -> None:
        status = status_of(outcome, before, generation, desired.revision, now)
        if status != before:
            events.transition(key, before, outcome, now, desired.revision)
            self.executor.records.put_status(key, status)

    def _tell_source(self, desired: Desired | None, prune_refused: str) -> None:
        """Keep what people ask of the source, and make events of what is new in it."""
        state, records = self.source.state, self.executor.records
        problems = [_problem_json(problem) for problem in desired.compiled.problems] if desired is not None else []
        told = {
            "url": state.url,
            "branch": state.branch,
            "revision": state.revision,
            "error": state.error,
            "rewritten": state.rewritten,
            "pruneRefused": prune_refused,
            "problems": problems,
        }
        if told == self._told:
            return
        key, now, events = _project_key(desired), self.clock(), EventLog(records)
        for reason, name in (
            ("SourceUnavailable", "error"),
            ("HistoryRewritten", "rewritten"),
            ("PruneRefused", "pruneRefused"),
        ):
            if told[name] and told[name] != self._told.get(name):
                events.warning(key, reason, str(told[name]), now, state.revision)
        if not told["error"] and self._told.get("error"):
            events.normal(key, "SourceAvailable", f"{state.url} answers again", now, state.revision)
        if told["revision"] != self._told.get("revision") and state.revision is not None:
            events.normal(key, "CommitTakenUp", f"{state.branch} is at {state.revision[:10]}", now, state.revision)
        for problem in problems:
            if problem not in self._told.get("problems", []):
                events.warning(key, "InvalidManifest", problem["text"], now, state.revision)
        self._told = told
        records.put_setting(SOURCE_SETTING, told)


def _brings_work(actions: tuple[Action, ...]) -> bool:
    return any(isinstance(action, Apply | Prune | SetRoutes) for action in actions)


def _project_key(desired: Desired | None) -> ResourceKey:
    if desired is not None:
        for key, declared in desired.compiled.declared.items():
            if isinstance(declared.resource, Project):
                return key
    return ResourceKey("Project", "default", "project")


def _problem_json(problem: Problem) -> Mapping[str, Any]:
    return {
        "path": problem.path,
        "line": problem.line,
        "column": problem.column,
        "cause": problem.cause,
        "mend": problem.mend,
        "text": str(problem),
        "resource": str(problem.key) if problem.key is not None else None,
    }
