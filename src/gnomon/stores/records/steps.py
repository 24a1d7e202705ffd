"""The step journal, in a module of its own: a driver needs no more of the records than this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from gnomon.resources.identity import Digest

StepState = Literal["running", "done", "cached", "failed", "killed", "timed-out", "cancelled"]
StepReason = Literal["", "error", "memory", "timeout", "signal", "lost", "cancelled"]
"""Why a step did not end well. ``memory``: over its limit, or the machine had none left. ``lost``: what it ran in went away."""


@dataclass(frozen=True)
class StepRecord:
    """One attempt at one step of a run. ``ended_at`` with state ``done`` is the only proof that a result exists.

    ``process`` tells a dead attempt from a live one: boot id, pid and start time of the driver that journals it.
    """

    run: str
    name: str
    attempt: int
    key: str
    state: StepState
    process: str
    started_at: datetime
    ended_at: datetime | None = None
    result: Mapping[str, Any] | None = None
    """Names of the results and where they are kept, as ``pipeline.values`` encodes them."""
    error: str = ""
    log: Digest | None = None
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    reason: StepReason = ""
    parts: Mapping[str, Any] | None = None
    """What the key was made of, as ``pipeline.keys`` writes it; None where nothing was started for it."""


class Journal(Protocol):
    """What the pipeline writes and reads: cached results, and the start and end of each step."""

    def cached_result(self, key: str) -> Mapping[str, Any] | None:
        """Return the result kept for a step key."""
        ...

    def step_started(self, step: StepRecord) -> None:
        """Journal the start of an attempt (state ``running``)."""
        ...

    def step_ended(self, step: StepRecord) -> None:
        """Journal the end of an attempt and, for state ``done``, keep its result under its key; one transaction."""
        ...

    def write(self, steps: Sequence[StepRecord], closures: Mapping[str, Mapping[str, Any]]) -> None:
        """Journal starts and ends, in their order, and what closures consist of; all in one transaction."""
        ...

    def steps(self, run: str) -> Sequence[StepRecord]:
        """Return the steps of a run in the order in which they started, the last attempt of each."""
        ...

    def attempts(self, run: str) -> Sequence[StepRecord]:
        """Return every attempt at the steps of a run, in the order in which they started."""
        ...

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of, so that ``why`` can tell two apart."""
        ...
