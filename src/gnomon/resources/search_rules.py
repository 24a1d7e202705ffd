"""What must hold of how a Model searches: random draws, races and budgets that have something to cut."""

import math
from collections.abc import Iterator
from datetime import timedelta

from gnomon.resources.documents import NodePath
from gnomon.resources.model import Candidate, ModelSpec, Range
from gnomon.resources.violation import Violation


def search_violations(spec: ModelSpec) -> Iterator[Violation]:
    """Yield what is wrong with the search of a model."""
    for index, candidate in enumerate(spec.candidates):
        yield from _random(("spec", "candidates", index), candidate)
    total = sum(candidate.combinations for candidate in spec.candidates)
    if spec.search.race and total == 1:
        yield Violation(("spec", "search", "race"), "one candidate cannot race", "remove race, or search several values")
    yield from _budget(spec, total)


def _random(path: NodePath, candidate: Candidate) -> Iterator[Violation]:
    if candidate.random is None:
        return
    where: NodePath = (*path, "random")
    if not candidate.search:
        yield Violation(where, "random has nothing to draw from", "add search with lists or ranges, or remove random")
        return
    for name, values in candidate.search.items():
        if isinstance(values, Range) and "n" in values.model_fields_set:
            cause = f"the range of {name} has n, and random draws from the whole of it"
            yield Violation((*path, "search", name, "n"), cause, "remove n, or remove random")
    if any(isinstance(values, Range) for values in candidate.search.values()):
        return
    lists = math.prod(len(values) for values in candidate.search.values() if not isinstance(values, Range))
    if lists <= candidate.random:
        cause = f"random draws {candidate.random} of {lists} combinations"
        yield Violation(where, cause, "remove random: every combination is tried then")


def _budget(spec: ModelSpec, total: int) -> Iterator[Violation]:
    budget, path = spec.search.budget, ("spec", "search", "budget")
    if budget.trials is not None and budget.trials >= total:
        cause = f"the budget is {budget.trials} trials, and the candidates come to {total}"
        yield Violation((*path, "trials"), cause, "remove trials, or search more values")
    for key, is_set in (("time", budget.time is not None), ("cost", budget.cost is not None)):
        if is_set and total == 1:
            yield Violation((*path, key), f"a budget of {key} has nothing to cut: there is one candidate", f"remove {key}")
    if budget.time is not None and budget.time < timedelta(seconds=1):
        yield Violation((*path, "time"), "spec.search.budget.time is below 1s", "write a longer duration: 10m")
    if budget.cost is not None and budget.price_per_cpu_hour is None:
        cause = "spec.search.budget.cost has no price to count with"
        yield Violation((*path, "cost"), cause, "add pricePerCpuHour beside it, such as 0.05")
    if budget.price_per_cpu_hour is not None and budget.cost is None:
        cause = "spec.search.budget.pricePerCpuHour prices nothing"
        yield Violation((*path, "pricePerCpuHour"), cause, "add cost, or remove it")
