"""Results made again are held against those that are recorded, digest by digest."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from gnomon.errors import GnomonError
from gnomon.pipeline.values import read_kept
from gnomon.pipeline.why import compared as keys_compared
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Journal, StepRecord

_FINISHED = frozenset({"done", "cached"})
_OF_THE_DAY = frozenset({"latency", "latencyP99", "cpuSeconds", "libraries"})
"""Keys of reports that tell of the machine and the day, which the environment is compared for."""
_DRAWN = frozenset({"render"})
"""Steps that draw what others measured, times included."""

Verdict = Literal["equal", "differs", "not made"]


@dataclass(frozen=True)
class ComparedItem:
    """One item of a result, by both its digests."""

    name: str
    recorded: str
    remade: str
    is_equal: bool


@dataclass(frozen=True)
class ComparedStep:
    """A step of the run and its twin.

    Args:
        name: The step.
        verdict: How they compare.
        items: Their results.
        cause: Which part of the key is another, or why the step was not made.
    """

    name: str
    verdict: Verdict
    items: tuple[ComparedItem, ...] = ()
    cause: str = ""


@dataclass(frozen=True)
class Difference:
    """A part of the environment that is another than it was."""

    name: str
    recorded: str
    here: str


@dataclass(frozen=True)
class Results:
    """The steps of a run, with what tells of them."""

    steps: Sequence[StepRecord]
    objects: ObjectStore
    journal: Journal


def compared_steps(recorded: Results, remade: Results) -> tuple[ComparedStep, ...]:
    """Return the steps that were made again beside the recorded ones, in the recorded order."""
    twins = {step.name: step for step in remade.steps}
    names = {step.name for step in recorded.steps}
    found = [
        _compared(step, twins[step.name], recorded, remade)
        for step in recorded.steps
        if step.name in twins and step.name not in _DRAWN and step.state in _FINISHED
    ]
    new = [step.name for step in remade.steps if step.name not in names and step.name not in _DRAWN]
    return (*found, *(ComparedStep(name, "differs", cause="the recorded run has no such step") for name in new))


def environment_differences(recorded: Mapping[str, Any] | None, here: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Return what is another: of the interpreter, the machine, the settings and each library."""
    if recorded is None:
        return ()
    before, now = dict(_flat(recorded)), dict(_flat(here))
    return tuple(
        Difference(name, before.get(name, ""), now.get(name, ""))
        for name in sorted({*before, *now})
        if before.get(name, "") != now.get(name, "")
    )


def _compared(step: StepRecord, twin: StepRecord, recorded: Results, remade: Results) -> ComparedStep:
    if twin.state not in _FINISHED:
        return ComparedStep(step.name, "not made", cause=twin.error or f"it ended as {twin.state}")
    before, now = step.result or {}, twin.result or {}
    items = tuple(
        _compared_item(name, before.get(name), now.get(name), recorded, remade)
        for name in [*before, *(other for other in now if other not in before)]
    )
    if all(item.is_equal for item in items):
        return ComparedStep(step.name, "equal", items)
    return ComparedStep(step.name, "differs", items, _other_key(step, twin, recorded, remade))


def _compared_item(
    name: str, before: Mapping[str, Any] | None, now: Mapping[str, Any] | None, recorded: Results, remade: Results
) -> ComparedItem:
    was, is_now = (str(kept["digest"]) if kept else "" for kept in (before, now))
    is_equal = was == is_now
    if not is_equal and before and now and before["codec"] == now["codec"] == "json":
        is_equal = _lasting(before, recorded.objects) == _lasting(now, remade.objects) is not None
    return ComparedItem(name, was, is_now, is_equal)


def _lasting(kept: Mapping[str, Any], objects: ObjectStore) -> Any:
    """Return a JSON value without what is of the day; None where it is gone."""
    try:
        return _without(read_kept(kept, objects))
    except GnomonError:
        return None


def _without(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without(each) for name, each in value.items() if name not in _OF_THE_DAY}
    return [_without(each) for each in value] if isinstance(value, list) else value


def _other_key(step: StepRecord, twin: StepRecord, recorded: Results, remade: Results) -> str:
    if step.key == twin.key:
        return "its key is the same: the step itself comes out differently, or does in another environment"
    told = keys_compared(_Closures((recorded.journal, remade.journal)), twin, step)
    return "; ".join(map(str, told.changes)) or "its key is made otherwise since an upgrade of gnomon"


@dataclass(frozen=True)
class _Closures:
    """What any of several journals knows of closures."""

    journals: tuple[Journal, ...]

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """See ``Journal``."""
        return next((found for journal in self.journals if (found := journal.closure(digest)) is not None), None)


def _flat(value: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for name, each in value.items():
        if isinstance(each, Mapping):
            yield from _flat(each, "" if name == "libraries" else f"{above}{name}.")
        else:
            yield f"{above}{name}", ", ".join(map(str, each)) if isinstance(each, list) else str(each)
