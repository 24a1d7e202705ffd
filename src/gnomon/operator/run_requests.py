"""Runs that people asked for. A request is kept until its run is recorded, so that no crash loses it."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gnomon.operator.run_ids import new_run_id
from gnomon.resources.identity import ResourceKey
from gnomon.stores.records.interface import Records


@dataclass(frozen=True)
class RunRequest:
    """One wish: ``run`` is the id that the person was told, ``params`` are values instead of those that are declared."""

    run: str
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class RunRequests:
    """The open requests, by what they ask to run, in the order in which they came."""

    records: Records
    _turn: threading.Lock = field(default_factory=threading.Lock, init=False)

    def add(self, key: ResourceKey, params: Mapping[str, Any], now: datetime) -> str:
        """Keep a request, and return the id that its run will have."""
        request = RunRequest(new_run_id(now), dict(params))
        with self._turn:
            self._keep(key, (*self.of(key), request))
        return request.run

    def of(self, key: ResourceKey) -> tuple[RunRequest, ...]:
        """Return what is asked for one resource, the oldest first."""
        kept = self.records.setting(_name(key)) or []
        return tuple(RunRequest(each["run"], each["params"]) for each in kept)

    def owner_of(self, run: str) -> ResourceKey | None:
        """Return what a run that has not begun was asked of."""
        return next((r.key for r in self.records.resources("Pipeline") if any(a.run == run for a in self.of(r.key))), None)

    def settle(self, key: ResourceKey, run: str) -> bool:
        """Forget a request whose run is recorded, or that nobody wants any more; return whether there was one."""
        with self._turn:
            before = self.of(key)
            left = tuple(each for each in before if each.run != run)
            if left != before:
                self._keep(key, left)
            return left != before

    def forget(self, key: ResourceKey) -> None:
        """Forget what was asked for a resource that is gone."""
        with self._turn:
            if self.of(key):
                self._keep(key, ())

    def _keep(self, key: ResourceKey, requests: tuple[RunRequest, ...]) -> None:
        self.records.put_setting(_name(key), [{"run": each.run, "params": dict(each.params)} for each in requests])


def _name(key: ResourceKey) -> str:
    return f"run-requests/{key}"
