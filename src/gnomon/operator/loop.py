"""The one loop: observe, plan, act, record; for ever.

A pass looks at state, never at the event that woke it: a lost or doubled wake-up costs time, not truth.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

from gnomon.errors import GnomonError
from gnomon.operator.act import Executor
from gnomon.operator.actions import Action, Apply, Prune, SetRoutes
from gnomon.operator.events import EventLog
from gnomon.operator.observe import Observer
from gnomon.operator.outcomes import Done, Outcome, Stalled, Waiting, status_of
from gnomon.operator.plan import Plan, plan
from gnomon.operator.quality_jobs import QualityJobs
from gnomon.operator.source import SourceFollower
from gnomon.operator.state import Desired, Observed
from gnomon.resources.compiled import Problem
from gnomon.resources.identity import ResourceKey
from gnomon.resources.project import Project
from gnomon.resources.status import Status

_LOG = logging.getLogger(__name__)
_T = TypeVar("_T")
_MOST_ROUNDS = 8
"""Rounds of one pass: applying, routing and writing each bring work that the next round sees."""
_LEAST_SLEEP = timedelta(milliseconds=20)
_GATEWAY_LOOK = timedelta(seconds=1)
"""Between two looks at whether the gateway lives: a look costs microseconds, and a lost gateway answers nobody."""
_PATIENCE = 0.1
"""Share of the time that something has been waited for already, after which to look again: what takes long is asked seldom."""
_MOST_PATIENCE = timedelta(seconds=2)
_GATEWAY_RETRY = timedelta(seconds=5)
_INTERVAL = timedelta(seconds=30)
"""Between two polls as long as no commit says otherwise."""
_AFTER_A_FAILURE = timedelta(seconds=1)
_LEAVE_S = 2.0
"""How long the end of the loop waits for a remote that does not answer."""
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
    quality: QualityJobs | None = None
    """Measures the snapshots that there are; where it is None, nobody does."""
    _wake: threading.Event = field(default_factory=threading.Event, init=False)
    _poll_now: threading.Event = field(default_factory=threading.Event, init=False)
    _stopping: threading.Event = field(default_factory=threading.Event, init=False)
    _told: Mapping[str, Any] | None = field(default=None, init=False)
    _waiting: dict[ResourceKey, tuple[str, datetime]] = field(default_factory=dict, init=False)

    def wake(self) -> None:
        """Let the next pass begin at once."""
        self._wake.set()

    def reconcile(self) -> None:
        """Ask the remote at once; a pass follows."""
        self._poll_now.set()

    def look_at(self, key: ResourceKey) -> None:
        """Have the source of a dataset looked at, due or not; a pass follows."""
        self.source.look_at(key)
        self.wake()

    def stop(self) -> None:
        """End the loop after the pass under way."""
        self._stopping.set()
        self._poll_now.set()
        self._wake.set()

    def run(self) -> None:
        """Run passes until ``stop``. What fails in a pass is logged, and the next pass tries again.

        The remote is asked beside the passes: one that does not answer holds nothing else up.
        """
        self._guarded("recovery_failed", self.source.recover)
        follower = threading.Thread(target=self._follow, name="source", daemon=True)
        follower.start()
        while not self._stopping.is_set():
            self._wake.clear()
            again_after = self._guarded("pass_failed", self.run_pass)
            self._rest(_AFTER_A_FAILURE if again_after is None else again_after)
        follower.join(_LEAVE_S)

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
            if self.quality is not None:
                self.quality.want(desired, observed.intakes)
            done += len(current.actions)
            rounds += 1
            if not current.actions or rounds == _MOST_ROUNDS:
                break
            if self.executor.act(current.actions, desired):
                self.source.poll()
            elif not _brings_work(current.actions):
                break
            desired = self.source.desired() or desired
        if done:
            took = {"ms": round(1000 * (time.perf_counter() - started)), "cpu_ms": round(1000 * (time.thread_time() - cpu))}
            _LOG.info("pass", extra={"revision": desired.revision, "actions": done, "rounds": rounds, **took})
        return min((self._look_again(current.outcomes, now), self.source.look_again(now), *self._retries(now)))

    def _follow(self) -> None:
        """Ask the remote, again and again; each answer, and each failure, wakes the loop."""
        while not self._stopping.is_set():
            self._poll_now.clear()
            self._guarded("poll_failed", self.source.poll)
            self.wake()
            interval = self._guarded("poll_failed", self._interval) or _INTERVAL
            self._poll_now.wait(interval.total_seconds())

    def _guarded(self, event: str, step: Callable[[], _T]) -> _T | None:
        """Return what a step returns; the loop outlives what goes wrong in it."""
        try:
            return step()
        except GnomonError as error:
            _LOG.error(event, extra={"cause": error.cause, "mend": error.mend})
        except Exception:  # noqa: BLE001 - a fault in one pass must not end all
            _LOG.exception(event)
        return None

    def _rest(self, at_most: timedelta) -> None:
        """Wait until something wakes the loop, it is time to look again, or the gateway is lost."""
        end = time.monotonic() + min(max(_LEAST_SLEEP, at_most), timedelta(days=1)).total_seconds()
        gateway = self.executor.gateway
        was_up = gateway.is_up()
        while (left := end - time.monotonic()) > 0:
            if self._wake.wait(min(left, _GATEWAY_LOOK.total_seconds())) or gateway.is_up() != was_up:
                return

    def _look_again(self, outcomes: Mapping[ResourceKey, Outcome], now: datetime) -> timedelta:
        """Return when to look at what is waited for, the more seldom the longer the same has been waited for."""
        before, self._waiting = self._waiting, {}
        soonest = timedelta.max
        for key, outcome in outcomes.items():
            if isinstance(outcome, Waiting):
                reason, since = before.get(key, ("", now))
                since = since if reason == outcome.reason else now
                self._waiting[key] = (outcome.reason, since)
                soonest = min(soonest, max(outcome.after, min((now - since) * _PATIENCE, _MOST_PATIENCE)))
            elif isinstance(outcome, Done | Stalled) and outcome.look_again is not None:
                soonest = min(soonest, outcome.look_again)
        return soonest

    def _retries(self, now: datetime) -> list[timedelta]:
        """Return when to try again what could not be done: releases to be written, the gateway to be started."""
        blocked = [blocked.until - now for blocked in self.executor.blocked.values() if blocked.until > now]
        return blocked if self.executor.gateway.is_up() else [*blocked, _GATEWAY_RETRY]

    def _interval(self) -> timedelta:
        if self.interval is not None:
            return self.interval
        desired = self.source.desired()
        return desired.project.source.interval if desired is not None else _INTERVAL

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
        before = self._told if self._told is not None else records.setting(SOURCE_SETTING) or {}
        told = {
            "url": state.url,
            "branch": state.branch,
            "revision": desired.revision if desired is not None else state.revision,
            "error": state.error,
            "rewritten": state.rewritten,
            "pruneRefused": prune_refused,
            "problems": [_problem_json(problem) for problem in desired.compiled.problems] if desired is not None else [],
        }
        if told == before:
            self._told = told
            return
        self._tell_changes(_project_key(desired), told, before)
        records.put_setting(SOURCE_SETTING, told)
        self._told = told

    def _tell_changes(self, key: ResourceKey, told: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        now, events, revision = self.clock(), EventLog(self.executor.records), told["revision"]
        for reason, name in (
            ("SourceUnavailable", "error"),
            ("HistoryRewritten", "rewritten"),
            ("PruneRefused", "pruneRefused"),
        ):
            if told[name] and told[name] != before.get(name):
                events.warning(key, reason, str(told[name]), now, revision)
        if not told["error"] and before.get("error"):
            events.normal(key, "SourceAvailable", f"{told['url']} answers again", now, revision)
        if revision != before.get("revision") and revision is not None:
            events.normal(key, "CommitTakenUp", f"{told['branch']} is at {revision[:10]}", now, revision)
        for problem in told["problems"]:
            if problem not in before.get("problems", []):
                events.warning(key, "InvalidManifest", problem["text"], now, revision)


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
