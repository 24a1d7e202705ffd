"""The runs of a model with windows: wanted windows minus those with a verdict are started in time order, some at a time.

Where a gate compares with the champion, each window waits for the one before it, whose version it must beat.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from gnomon.operator.actions import Action, CancelRun
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.verdicts import Verdict, run_details
from gnomon.operator.controllers.wanted import LOOK_AGAIN, WantedRun, WantedRuns, shortage_note
from gnomon.operator.outcomes import Outcome, Waiting
from gnomon.operator.state import Observed
from gnomon.resources.identity import Digest
from gnomon.resources.model import Model

_RECENT = 10
"""How many of the newest runs tell how long a run takes."""
_MINUTE_S = 60
_HOUR_S = 3600
_MOST_NAMED = 3


@dataclass(frozen=True)
class WindowStanding:
    """Where one window stands, and whether it must wait: for the one before it, or for its turn."""

    wanted: WantedRun
    verdict: Verdict
    waits: bool = False

    @property
    def label(self) -> str:
        """What people call the window."""
        return str(self.wanted.window.window) if self.wanted.window is not None else "all rows"

    @property
    def state(self) -> str:
        """The state of the run that speaks for it, ``held`` or ``waiting``."""
        if self.waits:
            return "waiting"
        match self.verdict.standing:
            case "judged" | "kept":
                return self.verdict.run.state if self.verdict.run is not None else "kept"
            case "due" | "running":
                return "running"
            case "held":
                return "held"


def is_chained(model: Model) -> bool:
    """Return whether each window is judged against the version of the one before."""
    return any(gate.against == "champion" for gate in model.spec.gates)


def is_ended(verdict: Verdict) -> bool:
    """Return whether a window's run is over, so that the next may be held against it."""
    return verdict.standing in {"judged", "kept"}


def passed_artifact(verdict: Verdict) -> Digest | None:
    """Return the artifact of a window's version, if it has one."""
    run = verdict.run
    return run.artifact if is_ended(verdict) and run is not None and run.state == "passed" else None


def most_at_once(model: Model, observed: Observed) -> int:
    """Return how many windows of a model may be trained on at the same time."""
    return min(observed.at_once, model.spec.resources.parallel or observed.at_once)


def windows_decision(model: Model, wanted: WantedRuns, standings: Sequence[WindowStanding], observed: Observed) -> Decision:
    """Return where a model with windows stands, and the runs to start, to resume and to cancel."""
    actions: list[Action] = [*_unwanted(model, standings, observed)]
    for each in standings:
        if each.verdict.start is not None and not each.waits:
            actions += [*each.verdict.cancelled, each.verdict.start]
    return Decision(_outcome(model, wanted, standings, observed), tuple(actions))


def _unwanted(model: Model, standings: Sequence[WindowStanding], observed: Observed) -> tuple[CancelRun, ...]:
    """Return the runs under way for windows that nobody wants any more."""
    kept = {run.id for each in standings for run in (each.verdict.run,) if run is not None and run.state == "running"}
    kept |= {cancel.run for each in standings for cancel in each.verdict.cancelled}
    return tuple(
        CancelRun(model.key, run.id, "its window is not wanted any more")
        for run in observed.runs.get(model.key, ())
        if run.state == "running" and run.id not in kept
    )


def _outcome(model: Model, wanted: WantedRuns, standings: Sequence[WindowStanding], observed: Observed) -> Outcome:
    newest, counts = standings[-1], Counter(each.state for each in standings)
    details = {**run_details(newest.verdict.run), "windows": _details(standings, counts, wanted)}
    done = sum(is_ended(each.verdict) for each in standings)
    tally = f"{done} of {len(standings)} windows"
    if counts["running"] or counts["waiting"]:
        return Waiting(LOOK_AGAIN, "Training", f"{tally}{_progress(model, standings, counts, observed)}", details)
    outcome = newest.verdict.outcome
    held = next((each.verdict.outcome for each in standings if isinstance(each.verdict.outcome, Waiting)), None)
    if held is not None:
        return Waiting(held.after, held.reason, f"{tally}; {held.message}", details)
    message = f"{tally}; {newest.label}: {outcome.message}{_others(standings[:-1])}"
    note = shortage_note(model, wanted.windows) if wanted.windows is not None else ""
    message += f"; {note}" if note else ""
    return replace(outcome, message=message, details=details)


def _progress(model: Model, standings: Sequence[WindowStanding], counts: Mapping[str, int], observed: Observed) -> str:
    under_way = [each for each in standings if each.state == "running"]
    if len(under_way) == 1:
        named = f"{under_way[0].label}: {under_way[0].verdict.outcome.message}"
    else:
        named = _named([each.label for each in under_way])
    running = f", {len(under_way)} running ({named})" if under_way else ""
    took = [
        (run.ended_at - run.started_at).total_seconds()
        for run in observed.runs.get(model.key, ())[:_RECENT]
        if run.ended_at is not None and run.state != "superseded"
    ]
    left = counts["waiting"] + len(under_way) / 2
    return running + (f", about {_rough(fmean(took) * left / most_at_once(model, observed))} left" if took else "")


def _rough(seconds: float) -> str:
    """Return a time as people say it; so rough that it does not change with every look."""
    if seconds < _MINUTE_S:
        return f"{max(10, round(seconds, -1)):.0f} s"
    return f"{seconds / _MINUTE_S:.0f} min" if seconds < 2 * _HOUR_S else f"{seconds / _HOUR_S:.0f} h"


def _others(standings: Sequence[WindowStanding]) -> str:
    """Return which windows before the newest one came to no version, or have changes that wait."""
    told = ""
    for state in ("refused", "failed"):
        labels = [each.label for each in standings if each.state == state]
        told += f"; {state}: {_named(labels)}" if labels else ""
    waiting = [each.label for each in standings if each.verdict.standing == "kept"]
    return told + (f"; changed since, and not trained again: {_named(waiting)}" if waiting else "")


def _named(labels: Sequence[str]) -> str:
    more = len(labels) - _MOST_NAMED
    return ", ".join(labels[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _details(standings: Sequence[WindowStanding], counts: Mapping[str, int], wanted: WantedRuns) -> dict[str, Any]:
    incomplete = wanted.windows.incomplete if wanted.windows is not None else None
    return {
        "wanted": len(standings),
        "oldest": standings[0].label,
        "newest": standings[-1].label,
        **{state: counts[state] for state in ("passed", "refused", "failed", "running", "waiting", "held") if counts[state]},
        **({"incomplete": str(incomplete)} if incomplete is not None else {}),
    }
