"""Carries a search out: step by step, rung by rung, until one candidate is chosen or the budget is used up.

What is decided depends on the candidates' standings alone, so that a search that was cut off comes to the same choice; only a
budget of time or cost looks at the clock. What was decided is recorded, and can be followed again without looking.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from gnomon.pipeline.dag import FromStore, Step
from gnomon.resources.model import ModelSpec
from gnomon.resources.search import RACE_ABOVE
from gnomon.stores.records.interface import StepRecord
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.search.budget import Stop, spent, tried
from gnomon.training.search.dag import SearchSteps, grounded
from gnomon.training.search.ensembles import at_length, family_of, patience_of
from gnomon.training.search.progress import Clockwork, progress_words, seconds_left
from gnomon.training.search.race import Growth, Race, Standing, expected_growth, first_rung
from gnomon.training.search.row_losses import SUMMED
from gnomon.training.selection import oriented, selection_metric

_FINISHED = frozenset({"done", "cached"})
_FIRST_RUNG_SHARE = 0.5
"""Of an open budget: the rest is kept for those that grow on."""
_RACED = frozenset({"regression", "classification"})


class Work(Protocol):
    """What a search needs of the run that it belongs to."""

    @property
    def slots(self) -> int:
        """How many steps run at a time."""
        ...

    @property
    def earlier(self) -> Mapping[str, float]:
        """Seconds that steps took in an earlier run of the model, by name."""
        ...

    def execute(
        self, steps: Sequence[Step], stop: Callable[[], bool], observe: Callable[[StepRecord], None]
    ) -> Mapping[str, StepRecord]:
        """Run steps until all have ended or ``stop`` says so; raises where the run itself was cancelled."""
        ...

    def read(self, step: StepRecord, item: str) -> Any:
        """Return an item of what a step gave."""
        ...

    def arguments(self, step: StepRecord) -> Mapping[str, FromStore]:
        """Return what a step gave as arguments of later ones."""
        ...

    def now(self) -> datetime:
        """Return the time."""
        ...

    def say(self, words: str) -> None:
        """Tell people how far it is."""
        ...


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Args:
        prepare: The step that prepared the rows.
        ranked: The candidates as they are to be refitted, the best first.
        rows: Of each declared candidate what reports tell of it.
        record: What was decided, as JSON values.
        error: Why there is none, where there is none.
    """

    prepare: StepRecord
    ranked: tuple[CandidatePlan, ...]
    rows: list[dict[str, Any]]
    record: dict[str, Any]
    error: str = ""


def is_raced(spec: ModelSpec, plans: Sequence[CandidatePlan]) -> bool:
    """Return whether candidates race: as declared, else where there are many."""
    if spec.task not in _RACED:
        return False
    return len(plans) > RACE_ABOVE if spec.search.race is None else spec.search.race


def search(spec: ModelSpec, steps: Sequence[Step], root: Path, work: Work) -> Found:
    """Return the candidates of a model, the best on the validation rows first.

    Args:
        spec: The model.
        steps: What ``training.dag.training_steps`` makes: the step ``prepare``, then ``fit-NAME`` of each candidate.
        root: The folder that holds the package ``gnomon``.
        work: The run.
    """
    return _Search(spec, steps, root, work).carry_out()


def follow(record: Mapping[str, Any]) -> tuple[CandidatePlan, ...]:
    """Return the candidates that a recorded search chose, as they are to be refitted, the best first."""
    return tuple(CandidatePlan.from_json(each) for each in record["order"])


@dataclass
class _Entry:
    """A candidate on its way."""

    plan: CandidatePlan
    last: StepRecord | None = None
    """Its last step."""
    kept: StepRecord | None = None
    """Its last step that gave something."""
    report: Mapping[str, Any] = field(default_factory=dict)
    """What that step told."""
    cpu_s: float = 0.0


class _Search:
    def __init__(self, spec: ModelSpec, steps: Sequence[Step], root: Path, work: Work) -> None:
        self._spec, self._work, self._budget = spec, work, spec.search.budget
        self._declared = expand(spec)
        self._plans = tried(spec, self._declared)
        self._raced = is_raced(spec, self._plans)
        self._prepare, self._fits = steps[0], {step.name: step for step in steps[1:]}
        self._making = SearchSteps(spec, root)
        self._metric = selection_metric(spec)
        self._entries = {plan.name: _Entry(plan) for plan in self._plans}
        self._standings: dict[str, Standing] = {}
        self._records: dict[str, StepRecord] = {}
        self._whose: dict[str, Growth] = {}
        self._rungs: list[list[dict[str, Any]]] = []
        self._stopped: Stop | None = None
        self._shared: dict[str, Mapping[str, FromStore]] = {}
        self._clockwork = Clockwork(work.earlier)
        self._is_over = False

    def carry_out(self) -> Found:
        """See ``search``."""
        growing = [Growth(plan, first_rung(plan) if self._grows(plan) else 0) for plan in self._plans]
        shared = (self._prepare, self._making.encode(self._plans)) if self._raced else (self._prepare,)
        self._run(growing, shared, _FIRST_RUNG_SHARE if self._raced else 1.0)
        ended = [self._records[step.name] for step in shared if step.name in self._records]
        self._shared = {step.name: self._work.arguments(step) for step in ended if step.state in _FINISHED}
        race = Race([plan for plan in self._plans if self._grows(plan) and plan.name in self._standings])
        while self._stopped is None and (rung := race.next_rung(self._standings)):
            self._run(rung)
        self._is_over = True
        self._say()
        return Found(self._records["prepare"], self._ranked(), self._rows(), self._record(), self._error())

    def _grows(self, plan: CandidatePlan) -> bool:
        return self._raced and family_of(plan) is not None

    def _run(self, growing: Sequence[Growth], before: Sequence[Step] = (), share: float = 1.0) -> None:
        """Carry out one rung, up to a share of the budget."""
        steps = [self._step(growth) for growth in growing]
        self._whose.update(zip((step.name for step in steps), growing, strict=True))
        self._rungs.append([{"candidate": growth.plan.name, "length": growth.length} for growth in growing])

        def stop() -> bool:
            # However short a budget is, one candidate is tried.
            return bool(self._standings) and self._spent(share) is not None

        ended = self._work.execute((*before, *steps), stop if self._budget.is_open else _never, self._observe)
        for step in ended.values():
            self._observe(step)
        if self._raced or any(step.state == "cancelled" for step in ended.values()):
            self._stopped = self._spent(1.0)

    def _spent(self, share: float) -> Stop | None:
        return spent(self._budget, self._records.values(), self._work.now(), share)

    def _step(self, growth: Growth) -> Step:
        """Return the step that takes a candidate so far."""
        plan = growth.plan
        if not self._raced or plan.algorithm == "python":
            step = self._fits[f"fit-{plan.name}"]
        elif family_of(plan) is None:
            step = self._making.fit_whole(plan)
        else:
            kept = self._entries[plan.name].kept
            step = self._making.grow(plan, growth.length, self._work.arguments(kept) if kept is not None else {})
        return grounded(step, self._shared)

    def _observe(self, step: StepRecord) -> None:
        known = self._records.get(step.name)
        self._records[step.name] = step
        growth = self._whose.get(step.name)
        if growth is not None and step.state != "running" and (known is None or known.state == "running"):
            self._take(growth, step)
        self._say()

    def _take(self, growth: Growth, step: StepRecord) -> None:
        """Take the end of a candidate's step to the books."""
        plan, entry = growth.plan, self._entries[growth.plan.name]
        self._clockwork.note(step, plan.algorithm, self._size(growth))
        entry.cpu_s += step.cpu_s
        if step.state == "cancelled":
            entry.last = entry.last or step
            return
        entry.last = step
        if step.state not in _FINISHED:
            self._standings.pop(plan.name, None)
            return
        entry.kept, entry.report = step, self._work.read(step, "report")
        score = oriented(self._metric, entry.report["metrics"])
        if score is None:
            self._standings.pop(plan.name, None)
            return
        self._standings[plan.name] = Standing(
            plan=plan,
            score=score,
            length=int(entry.report.get("length", 0)),
            finished=bool(entry.report.get("finished", True)),
            losses=self._work.read(step, "losses") if "losses" in (step.result or {}) else None,
            promise=entry.report.get("promise") if self._metric in SUMMED else None,
        )

    def _size(self, growth: Growth) -> float:
        """Return how many trees or rounds a step adds; 1 where a candidate is fitted whole."""
        return growth.length - int(self._entries[growth.plan.name].report.get("length", 0)) if growth.length else 1

    def _ranked(self) -> tuple[CandidatePlan, ...]:
        """Return the candidates as they are refitted, the best first; equal ones in the order in which they were tried.

        Unless the budget cut the search short, those that ran to the end come before those that the race left behind.
        """
        standings = [self._standings[plan.name] for plan in self._plans if plan.name in self._standings]
        standings.sort(key=lambda each: (self._stopped is None and not each.finished, each.score))
        return tuple(self._refitted(standing) for standing in standings)

    def _refitted(self, standing: Standing) -> CandidatePlan:
        """Return a candidate as it is refitted: of a booster with patience, the best rounds are known by now."""
        plan = standing.plan
        if not self._grows(plan) or not standing.finished or not patience_of(plan):
            return plan
        return at_length(plan, max(1, int(self._entries[plan.name].report["found"]["rounds"])))

    def _rows(self) -> list[dict[str, Any]]:
        return [self._row(plan, self._entries.get(plan.name)) for plan in self._declared]

    def _row(self, plan: CandidatePlan, entry: _Entry | None) -> dict[str, Any]:
        row = {"name": plan.name, "algorithm": plan.algorithm, "params": dict(plan.params), "metrics": {}, "parity": {}}
        if entry is None or entry.last is None or (entry.kept is None and entry.last.state == "cancelled" and self._stopped):
            return row | {"state": "not-tried", "error": "the budget left it out", "cpuSeconds": 0.0}
        state: str = entry.last.state
        standing = self._standings.get(plan.name)
        if standing is not None:
            state = "fitted" if standing.finished else "beaten"
        told = {key: entry.report[key] for key in ("metrics", "parity", "found", "length") if key in entry.report}
        return row | told | {"state": state, "error": entry.last.error, "cpuSeconds": round(entry.cpu_s, 3)}

    def _record(self) -> dict[str, Any]:
        return {
            "raced": self._raced,
            "candidates": len(self._declared),
            "tried": sum(entry.kept is not None for entry in self._entries.values()),
            "stopped": self._stopped,
            "rungs": self._rungs if self._raced else [],
            "order": [plan.to_json() for plan in self._ranked()],
        }

    def _error(self) -> str:
        before = (self._records[name].error for name in ("prepare", "encode") if name in self._records)
        if error := next(filter(None, before), ""):
            return error
        errors = dict.fromkeys(entry.last.error for entry in self._entries.values() if entry.last and entry.last.error)
        return f"no candidate could be fitted: {'; '.join(errors) or 'none has a finite metric'}"

    def _say(self) -> None:
        best = min(self._standings.values(), key=lambda each: each.score, default=None)
        told = None
        if best is not None:
            told = (best.plan.name, self._metric, float(self._entries[best.plan.name].report["metrics"][self._metric]))
        ended = sum(entry.last is not None for entry in self._entries.values())
        left = [
            self._clockwork.seconds(name, growth.plan.algorithm, self._size(growth))
            for name, growth in self._whose.items()
            if name not in self._records or self._records[name].state == "running"
        ]
        if self._raced:
            ahead = expected_growth(self._plans, len(self._rungs))
            left += [self._clockwork.seconds("", plan.algorithm, length) for plan, length in ahead]
        left_s = None if self._is_over else seconds_left(left, self._work.slots)
        self._work.say(progress_words(ended, len(self._plans), told, left_s))


def _never() -> bool:
    return False
