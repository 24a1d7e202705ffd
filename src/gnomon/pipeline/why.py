"""Why a step ran: which part of its key is another than when it last ran."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from gnomon.errors import NotFoundError
from gnomon.pipeline.naming import nearest
from gnomon.stores.records.steps import Journal, StepRecord

_MACHINERY = frozenset({"closure", "params", "inputs"})
_NAMES = {"seed": "the seed", "machine": "Python or the kind of machine", "environment": "the environment"}
_SHOWN = 60
_RUN = ":<module>"

Kind = Literal["code", "package", "parameter", "input", "seed", "environment", "setting"]
Verdict = Literal["first", "known", "changed", "again", "unstarted"]


class KnownClosures(Protocol):
    """Tells what code closures consist of, as a journal does."""

    def closure(self, digest: str) -> Mapping[str, Any] | None:
        """Return what a code closure consists of."""
        ...


@dataclass(frozen=True)
class Change:
    """One part of a key that changed.

    Args:
        kind: What sort of part it is.
        name: Which one: ``helpers.py:scale``, a package, a parameter, an input.
        before: What it was, as short text; empty where it was not there.
        after: What it is.
        step: For an input: the step that it is the result of, if it is of one.
    """

    kind: Kind
    name: str
    before: str = ""
    after: str = ""
    step: str = ""

    def __str__(self) -> str:
        """Return it as a sentence."""
        match self.kind:
            case "input":
                whose = f", the result of {self.step}," if self.step else ""
                return f"the input {self.name}{whose} {_how(self, 'has another content')}"
            case "parameter":
                return f"the parameter {self.name} {_how(self, f'is {self.after} and was {self.before}')}"
            case "code":
                name = f"what importing {self.name.removesuffix(_RUN)} does" if self.name.endswith(_RUN) else self.name
                return f"{name} {_how(self, 'changed')}"
            case "package":
                return f"the package {self.name} {_how(self, f'is at {self.after} and was at {self.before}')}"
            case _:
                return f"{_NAMES.get(self.name, self.name)} {_how(self, f'is {self.after} and was {self.before}')}"


@dataclass(frozen=True)
class Explanation:
    """Why a step ran, or did not.

    Args:
        step: Its name.
        verdict: ``first``: it never ended before. ``known``: its result was there. ``changed``: see ``changes``. ``again``: its
            key is the same, and there was no result. ``unstarted``: it had no key, because a step before it did not succeed.
        changes: What changed, code first.
        before_run: The run that it is compared with.
        message: All of it in words.
    """

    step: str
    verdict: Verdict
    changes: tuple[Change, ...] = ()
    before_run: str = ""
    message: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return it as plain values."""
        return {
            "step": self.step,
            "verdict": self.verdict,
            "beforeRun": self.before_run,
            "message": self.message,
            "changes": [
                {
                    "kind": each.kind,
                    "name": each.name,
                    "before": each.before,
                    "after": each.after,
                    "step": each.step,
                    "message": str(each),
                }
                for each in self.changes
            ],
        }


def explain(journal: Journal, run: str, step: str, earlier: Sequence[str]) -> Explanation:
    """Return why a step ran in a run.

    Args:
        journal: Where both are found.
        run: The run.
        step: The name of the step.
        earlier: Runs of the same pipeline or model before it, the newest first. It is compared with the last of them in
            which the step came to have a key.

    Raises:
        NotFoundError: The run has no such step.
    """
    steps = {record.name: record for record in journal.steps(run)}
    if step not in steps:
        near = nearest(step, steps)
        known = ", ".join(list(steps)[:10])
        raise NotFoundError(
            f"run {run} has no step {step}",
            f"did you mean {near}?" if near else f"it has {known}" if known else "nothing was started in it",
        )
    now = steps[step]
    for name in earlier:
        before = next((record for record in journal.steps(name) if record.name == step and record.parts is not None), None)
        if before is not None:
            return compared(journal, now, before)
    return compared(journal, now, None)


def compared(journal: KnownClosures, now: StepRecord, before: StepRecord | None) -> Explanation:
    """Return why a step ran, given how it ran before."""
    if now.parts is None:
        return Explanation(
            now.name, "unstarted", message=f"{now.name} was not started: {now.error or 'nothing is known of it'}"
        )
    if before is None or before.parts is None:
        how = "its result was known from elsewhere" if now.state == "cached" else "it never ran before"
        return Explanation(now.name, "known" if now.state == "cached" else "first", message=f"{now.name}: {how}")
    changes = tuple(_changes(journal, before.parts, now.parts))
    if now.key == before.key:
        if now.state == "cached":
            return _explained(now, before, "known", (), "nothing changed, and its result was known")
        ended = (
            f"it ended as {before.state} in run {before.run}"
            if before.state not in {"done", "cached"}
            else "its result was gone"
        )
        return _explained(now, before, "again", (), f"nothing changed, but {ended}")
    words = "; ".join(map(str, changes)) or "its key is made otherwise since an upgrade of gnomon"
    known = "; its result was known all the same, from an earlier run" if now.state == "cached" else ""
    return _explained(now, before, "changed", changes, f"{words}{known}")


def _explained(now: StepRecord, before: StepRecord, verdict: Verdict, changes: tuple[Change, ...], words: str) -> Explanation:
    return Explanation(now.name, verdict, changes, before.run, f"{now.name}: {words} (compared with run {before.run})")


def _changes(journal: KnownClosures, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    if before.get("closure") != now.get("closure"):
        yield from _code_changes(journal, str(before.get("closure")), str(now.get("closure")))
    yield from _differences("parameter", before.get("params", {}), now.get("params", {}))
    yield from _input_changes(before.get("inputs", {}), now.get("inputs", {}))
    others = [{name: value for name, value in parts.items() if name not in _MACHINERY} for parts in (before, now)]
    for change in _differences("setting", others[0], others[1]):
        kind: Kind = (
            "seed" if change.name == "seed" else "environment" if change.name in {"machine", "environment"} else "setting"
        )
        yield Change(kind, change.name, change.before, change.after)


def _code_changes(journal: KnownClosures, before: str, now: str) -> Iterator[Change]:
    was, is_now = journal.closure(before), journal.closure(now)
    if was is None or is_now is None:
        yield Change("code", "the code", before[:12], now[:12])
        return
    parts = list(_differences("code", was["parts"], is_now["parts"], is_shown=False))
    named = {change.name.partition(":")[0] for change in parts if not change.name.endswith(_RUN)}
    found = [
        # What a module does when it is imported holds its constants too, which are told by name already.
        *(change for change in parts if not change.name.endswith(_RUN) or change.name.partition(":")[0] not in named),
        *_differences("package", was["packages"], is_now["packages"]),
    ]
    # Another function of the same parts, or only another order of them.
    yield from found or [Change("code", "the function that is called", before[:12], now[:12])]


def _input_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[Change]:
    for name in sorted({*before, *now}):
        was, is_now = before.get(name), now.get(name)
        old, new = (str(each["digest"]) if each else "" for each in (was, is_now))
        if old != new:
            yield Change("input", name, old, new, str((is_now or was or {}).get("step", "")))


def _differences(kind: Kind, before: Mapping[str, Any], now: Mapping[str, Any], *, is_shown: bool = True) -> Iterator[Change]:
    for name in sorted({*before, *now}):
        if name in before and name in now and before[name] == now[name] and type(before[name]) is type(now[name]):
            continue
        yield Change(kind, name, _shown(before, name, is_shown=is_shown), _shown(now, name, is_shown=is_shown))


def _shown(values: Mapping[str, Any], name: str, *, is_shown: bool) -> str:
    if name not in values:
        return ""
    value = values[name]
    if not is_shown:
        return str(value)[:12]
    text = f"{value['digest'][:12]}…" if isinstance(value, Mapping) and set(value) == {"digest"} else repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def _how(change: Change, otherwise: str) -> str:
    if not change.before:
        return "is new"
    return "is gone" if not change.after else otherwise
