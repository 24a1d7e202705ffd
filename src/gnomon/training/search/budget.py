"""A budget becomes the candidates that are tried, and the moment at which a search stops."""

import random
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Literal

from gnomon.resources.model import ModelSpec
from gnomon.resources.search import SearchBudget
from gnomon.stores.records.interface import StepRecord
from gnomon.training.candidates import CandidatePlan

Stop = Literal["time", "cost"]


def tried(spec: ModelSpec, plans: Sequence[CandidatePlan]) -> tuple[CandidatePlan, ...]:
    """Return the candidates that a search tries, in its order; without a budget, all of them as declared.

    Under a budget, the declared candidates take turns with their plans, each of which come in an order drawn by the seed:
    wherever the search stops, it has tried of each about as many.
    """
    budget = spec.search.budget
    if budget.trials is None and not budget.is_open:
        return tuple(plans)
    groups: dict[str, list[CandidatePlan]] = {}
    for plan in plans:
        groups.setdefault(_declared(plan), []).append(plan)
    for label, group in groups.items():
        random.Random(f"{spec.split.seed} {label}").shuffle(group)  # noqa: S311 - no secret
    turns = max(map(len, groups.values()), default=0)
    ordered = [group[turn] for turn in range(turns) for group in groups.values() if turn < len(group)]
    return tuple(ordered[: budget.trials])


def _declared(plan: CandidatePlan) -> str:
    """Return what the candidate is called that a plan was made of."""
    label, _, number = plan.name.rpartition("-")
    return label if label and number.isdigit() else plan.name


def spent(budget: SearchBudget, steps: Iterable[StepRecord], now: datetime, share: float = 1.0) -> Stop | None:
    """Return what of an open budget is used up, or ``share`` of it.

    Time is that in which steps of the search ran, so that an interruption costs none. Steps taken from the cache cost nothing.
    """
    known = list(steps)
    if budget.time is not None and _covered(known, now) >= budget.time * share:
        return "time"
    most = budget.most_cpu
    if most is not None and timedelta(seconds=sum(step.cpu_s for step in known)) >= most * share:
        return "cost"
    return None


def _covered(steps: Iterable[StepRecord], now: datetime) -> timedelta:
    """Return for how long at least one step ran."""
    total, reached = timedelta(0), None
    for begin, end in sorted((step.started_at, step.ended_at or now) for step in steps if step.state != "cached"):
        first = begin if reached is None or begin > reached else reached
        if end > first:
            total += end - first
        reached = end if reached is None else max(reached, end)
    return total
