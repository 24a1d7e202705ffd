"""Declared candidates become plans: every combination of the searched values, with checked and complete parameters.

Pure and light: validating a manifest uses this too. ``training.parameters`` tells what each algorithm takes.
"""

import difflib
import itertools
import math
import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from gnomon.errors import ManifestError
from gnomon.resources.alternatives import alternative
from gnomon.resources.learning import ALGORITHMS_BY_TASK, Algorithm, Task
from gnomon.resources.model import Candidate, ModelSpec, Range, Value
from gnomon.training.parameters import Anything, Number, Parameter, parameters_for

MAX_CANDIDATES = 1000
"""More in one model are refused: they are one ``n`` written too large."""


@dataclass(frozen=True)
class CandidatePlan:
    """One fit to make. ``params`` is complete: what is not declared has its default."""

    name: str
    algorithm: Algorithm
    params: Mapping[str, Value]
    python: str = ""
    """Where ``algorithm`` is ``python``, the function: ``file.py:name``."""

    def to_json(self) -> dict[str, Any]:
        """Return the plan as JSON values."""
        told = {"name": self.name, "algorithm": self.algorithm, "params": dict(self.params)}
        return told | {"python": self.python} if self.python else told

    @classmethod
    def from_json(cls, told: Mapping[str, Any], name: str = "") -> "CandidatePlan":
        """Return a plan from its JSON values; ``name`` where they do not tell it."""
        algorithm = told["algorithm"]
        return cls(told.get("name", name) or algorithm, algorithm, told["params"], told.get("python", ""))


def expand(spec: ModelSpec) -> tuple[CandidatePlan, ...]:
    """Return the plan of every candidate, in the order of declaration; the last searched parameter varies fastest.

    A plan is named after its candidate (``name``, else the algorithm), and numbered from 1 where there are several.

    Raises:
        ManifestError: An algorithm does not fit the task, a parameter is unknown or ill-typed, or names meet.
    """
    made: list[CandidatePlan] = []
    names = [candidate.name for candidate in spec.candidates if candidate.name]
    if doubled := [name for name, count in Counter(names).items() if count > 1]:
        raise ManifestError(f"two candidates are named {doubled[0]}", "give each a name of its own")
    for candidate in spec.candidates:
        label = _label(candidate)
        known = _open_parameters(candidate) if candidate.python else parameters_of(candidate.algorithm, spec.task, label)
        for params in _combinations(candidate, known, label, spec.split.seed):
            plan = CandidatePlan(label, candidate.algorithm, params, candidate.python or "")
            if plan not in made:
                made.append(plan)
        if len(made) > MAX_CANDIDATES:
            raise ManifestError(
                f"the search of candidate {label} brings the model above {MAX_CANDIDATES} candidates",
                "search fewer values, or lower n",
            )
    plans = tuple(_named(made))
    _refuse_equal_names(plans)
    return plans


def _label(candidate: Candidate) -> str:
    """Return what a candidate is called: a function by its file and its own name, where it has no other."""
    if candidate.name or not candidate.python:
        return candidate.name or candidate.algorithm
    file, _, function = candidate.python.partition(":")
    return f"{PurePosixPath(file).stem}-{function}".replace("_", "-").strip("-").lower()


def _open_parameters(candidate: Candidate) -> Mapping[str, Parameter]:
    """Return the parameters of a function: those that are declared, whatever they are. It checks them itself."""
    known: dict[str, Parameter] = {name: Anything() for name in (*candidate.params, *candidate.search)}
    ranges = (name for name, values in candidate.search.items() if isinstance(values, Range))
    return known | {name: Number(0, -math.inf) for name in ranges}


def parameters_of(algorithm: Algorithm, task: Task, label: str) -> Mapping[str, Parameter]:
    """Return the parameters of an algorithm for a task.

    Raises:
        ManifestError: The algorithm cannot learn the task; ``label`` is the candidate that the cause names.
    """
    if algorithm not in ALGORITHMS_BY_TASK[task]:
        fitting = ", ".join(ALGORITHMS_BY_TASK[task])
        near = alternative(algorithm, task)
        raise ManifestError(
            f"candidate {label}: {algorithm} cannot learn {task}", f"the nearest is {near}; for {task}, use {fitting}"
        )
    return parameters_for(algorithm, task)


def _combinations(candidate: Candidate, known: Mapping[str, Parameter], label: str, seed: int) -> Iterator[dict[str, Value]]:
    if both := sorted(candidate.params.keys() & candidate.search.keys()):
        raise ManifestError(f"candidate {label}: {both[0]} is in params and in search", "keep one of them")
    fixed = {name: _checked(name, value, known, label) for name, value in candidate.params.items()}
    defaults = {name: _default(parameter) for name, parameter in known.items()}
    if candidate.random is not None:
        for drawn in _draws(candidate, candidate.random, known, label, seed):
            yield defaults | fixed | drawn
        return
    searched = {name: _values(name, values, known, label) for name, values in candidate.search.items()}
    if math.prod(map(len, searched.values())) > MAX_CANDIDATES:
        raise ManifestError(
            f"candidate {label}: its search has more than {MAX_CANDIDATES} combinations", "search fewer values, or lower n"
        )
    for chosen in itertools.product(*searched.values()):
        yield defaults | fixed | dict(zip(searched, chosen, strict=True))


def _draws(
    candidate: Candidate, count: int, known: Mapping[str, Parameter], label: str, seed: int
) -> Iterator[dict[str, Value]]:
    """Yield ``count`` different draws, fewer where so many cannot be found.

    A draw depends on its number and on the name of the parameter alone: more draws begin with the same ones.
    """
    seen: list[dict[str, Value]] = []
    for number in range(count * _REDRAWS):
        drawn = {
            name: _drawn(name, values, known, label, random.Random(f"{seed} {label} {name} {number}").random())  # noqa: S311 - no secret
            for name, values in candidate.search.items()
        }
        if drawn in seen:
            continue
        seen.append(drawn)
        yield drawn
        if len(seen) == count:
            return


_REDRAWS = 20
"""Draws for each one wanted, so that lists and whole numbers, which repeat, give as many different ones as they can."""


def _drawn(name: str, declared: Sequence[Value] | Range, known: Mapping[str, Parameter], label: str, share: float) -> Value:
    """Return the value of a parameter at a share of its list or range, from 0 to below 1."""
    if not isinstance(declared, Range):
        values = _values(name, declared, known, label)
        return values[int(share * len(values))]
    return _checked(name, _value_at(name, declared, _parameter(name, known, label), label, share), known, label)


def _default(parameter: Parameter) -> Value:
    value = parameter.checked(parameter.default)
    return parameter.default if value is None else value


def _checked(name: str, value: Value, known: Mapping[str, Parameter], label: str) -> Value:
    parameter = _parameter(name, known, label)
    checked = parameter.checked(value)
    if checked is None:
        raise ManifestError(f"candidate {label}: {name} is {value!r}", f"{name} takes {parameter.told}")
    return checked


def _parameter(name: str, known: Mapping[str, Parameter], label: str) -> Parameter:
    if name in known:
        return known[name]
    nearest = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {nearest[0]}? " if nearest else ""
    told = f"it takes {', '.join(known)}" if known else "it takes none"
    raise ManifestError(f"candidate {label}: unknown parameter {name}", meant + told)


def _values(name: str, declared: Sequence[Value] | Range, known: Mapping[str, Parameter], label: str) -> list[Value]:
    """Return the searched values, each once, in their order."""
    parameter = _parameter(name, known, label)
    values = list(_spaced(name, declared, parameter, label)) if isinstance(declared, Range) else list(declared)
    if not values:
        raise ManifestError(f"candidate {label}: search.{name} has no values", "list values, or leave the parameter out")
    return list(dict.fromkeys(_checked(name, value, known, label) for value in values))


def _spaced(name: str, declared: Range, parameter: Parameter, label: str) -> Iterator[Value]:
    for step in range(declared.n):
        yield _value_at(name, declared, parameter, label, step / max(1, declared.n - 1))


def _value_at(name: str, declared: Range, parameter: Parameter, label: str, share: float) -> Value:
    """Return the value at a share of a range: 0 is its first bound, 1 its last one."""
    where = f"candidate {label}: search.{name}"
    if not isinstance(parameter, Number):
        raise ManifestError(f"{where} is a range", f"{name} takes {parameter.told}")
    bounds = declared.log or declared.linear
    if bounds is None or (declared.log and declared.linear):
        raise ManifestError(f"{where} needs either log or linear", "write {log: [0.001, 1000], n: 4}")
    first, last = bounds
    if declared.log and (first <= 0 or last <= 0):
        raise ManifestError(f"{where} has a bound that is not above 0", "use linear, or bounds above 0")
    value = first * (last / first) ** share if declared.log else first + (last - first) * share
    value = last if share == 1 else float(f"{value:.6g}")
    return round(value) if parameter.whole else value


def _named(made: Sequence[CandidatePlan]) -> Iterator[CandidatePlan]:
    totals = Counter(plan.name for plan in made)
    numbers: Counter[str] = Counter()
    for plan in made:
        numbers[plan.name] += 1
        yield plan if totals[plan.name] == 1 else replace(plan, name=f"{plan.name}-{numbers[plan.name]}")


def _refuse_equal_names(plans: Sequence[CandidatePlan]) -> None:
    doubled = [name for name, count in Counter(plan.name for plan in plans).items() if count > 1]
    if doubled:
        raise ManifestError(f"two candidates come to the name {doubled[0]}", "give one of them another name")
