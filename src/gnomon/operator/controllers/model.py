"""Model: a snapshot becomes a run, or one for each window, and a run becomes a verdict."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from gnomon.data.wanted_windows import windows_of
from gnomon.data.windows import Window
from gnomon.operator.actions import Action, TargetVersion
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.verdicts import (
    INTERRUPTED,
    Ask,
    Verdict,
    last_finished,
    reasons,
    run_details,
    run_of,
    verdict,
)
from gnomon.operator.controllers.wanted import WantedRun, WantedRuns, run_window, wanted_runs
from gnomon.operator.controllers.windows import (
    WindowStanding,
    is_chained,
    is_ended,
    most_at_once,
    passed_artifact,
    windows_decision,
)
from gnomon.operator.fingerprint import Fingerprint
from gnomon.operator.machine import lacking
from gnomon.operator.outcomes import Done, Stalled, Suspended
from gnomon.operator.schedules import due, next_firing
from gnomon.operator.state import Desired, Observed
from gnomon.resources.identity import Digest
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord

__all__ = ["INTERRUPTED", "champion_of", "reconcile_model", "released_versions", "standing_run", "wanted_fingerprint"]

_SCHEDULE = "schedule"
_ANY_TIME = datetime.min.replace(tzinfo=UTC)
"""Where it is asked what is wanted, and not when to try again."""


def reconcile_model(model: Model, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide which runs are due. A run whose fingerprint has a verdict already is never started again."""
    runs = observed.runs.get(model.key, ())
    taken_up = _taken_up(model, observed, now)
    if model.spec.suspend:
        return _with_schedule(Decision(Suspended(details=run_details(runs[0] if runs else None))), model, taken_up, now)
    wanted = wanted_runs(model, desired, observed, now)
    if isinstance(wanted, Decision):
        return _with_schedule(wanted, model, taken_up, now)
    firing = _firing(model, taken_up, now)
    if wanted.windows is None:
        found = _verdict(model, wanted.runs[0], desired, observed, now, is_firing=firing is not None)
        verdicts: tuple[Verdict, ...] = (found,)
        started: tuple[Action, ...] = () if found.start is None else (*found.cancelled, found.start)
        decision = Decision(found.outcome, started)
    else:
        standings = _standings(model, wanted, desired, observed, now, is_firing=firing is not None)
        verdicts = tuple(each.verdict for each in standings)
        decision = windows_decision(model, wanted, standings, observed)
    # A firing is over when everything that it takes up has its run; until then, whoever dies in between, it is still due.
    is_over = firing is not None and not any(each.standing in {"due", "held"} for each in verdicts)
    return _with_schedule(decision, model, firing if is_over else taken_up, now)


def standing_run(model: Model, desired: Desired, observed: Observed) -> RunRecord | None:
    """Return the run that speaks for the model as it is declared now; None where a new one is due.

    Of a model with windows, that is the run for the newest window alone: no older one is ever offered in its place, even if
    the newest rows went away again.
    """
    wanted = wanted_runs(model, desired, observed, _ANY_TIME)
    if isinstance(wanted, Decision):
        return None
    newest, runs = wanted.runs[-1], observed.runs.get(model.key, ())
    if wanted.windows is None:
        return _speaking(model, newest, tuple(run for run in runs if run_window(run) is None))
    same = tuple(run for run in runs if _is_for(run, newest))
    found = _speaking(model, newest, same)
    if found is None and not same:
        earlier = _of_newest_window(runs)
        found = earlier if earlier is not None and not reasons(model, newest.fingerprint, earlier) else None
    window = run_window(found) if found is not None else None
    return None if window is None or _has_newer_version(model, window.window, runs) else found


def wanted_fingerprint(model: Model, desired: Desired, observed: Observed) -> Fingerprint | None:
    """Return the fingerprint of the (newest) run that the model should have now; None while that cannot be said."""
    wanted = wanted_runs(model, desired, observed, _ANY_TIME)
    return None if isinstance(wanted, Decision) else wanted.runs[-1].fingerprint


def champion_of(model: Model, desired: Desired, observed: Observed) -> Digest | None:
    """Return the digest that the first service of this model runs by Git's word, where its artifact is kept here."""
    for _, service in desired.services():
        same_model = (service.metadata.namespace, service.spec.model) == (model.metadata.namespace, model.metadata.name)
        release = desired.release_of(service) if same_model else None
        if release is not None and release.spec.digest in observed.artifacts:
            return Digest(release.spec.digest)
    return None


def released_versions(model: Model, desired: Desired) -> tuple[TargetVersion, ...]:
    """Return every version of a model that Git's history names: records that begin anew must not give these numbers again."""
    found: dict[TargetVersion, None] = {}
    for _, service in desired.services():
        lock = desired.locks.get(service.key) if service.metadata.namespace == model.metadata.namespace else None
        for past in lock.history if lock is not None else ():
            if past.model == model.metadata.name:
                found[TargetVersion(past.version, Digest(past.digest))] = None
    return tuple(found)


def _verdict(
    model: Model, wanted: WantedRun, desired: Desired, observed: Observed, now: datetime, *, is_firing: bool
) -> Verdict:
    """Decide for a model that learns from all rows."""
    ask = Ask(
        model=model,
        wanted=wanted,
        runs=tuple(run for run in observed.runs.get(model.key, ()) if run_window(run) is None),
        earlier=None,
        champion=champion_of(model, desired, observed),
        released=released_versions(model, desired),
        is_news=False,
        is_firing=is_firing,
        lacking=lacking(model.spec, observed.machine),
    )
    return verdict(ask, observed, now)


def _standings(
    model: Model, wanted: WantedRuns, desired: Desired, observed: Observed, now: datetime, *, is_firing: bool
) -> list[WindowStanding]:
    """Decide for each wanted window, in the order of time."""
    runs = observed.runs.get(model.key, ())
    by_window: dict[Window, list[RunRecord]] = defaultdict(list)
    for run in runs:
        if (recorded := run_window(run)) is not None:
            by_window[recorded.window].append(run)
    earlier, released = _of_newest_window(runs), released_versions(model, desired)
    asked_before = max((asked.newest for run in runs if (asked := run_window(run)) is not None), default=None)
    serving, chained = champion_of(model, desired, observed), is_chained(model)
    fingerprints = {each.fingerprint.digest for each in wanted.runs}
    room = most_at_once(model, observed) - sum(run.state == "running" and run.fingerprint in fingerprints for run in runs)
    standings: list[WindowStanding] = []
    champion: Digest | None = None
    is_blocked = False
    for each in wanted.runs:
        window = each.window
        is_newest = each is wanted.runs[-1]
        ask = Ask(
            model=model,
            wanted=each,
            runs=tuple(by_window[window.window]) if window is not None else (),
            earlier=earlier,
            champion=(serving if is_newest else None) or champion,
            released=released,
            is_news=window is not None and asked_before is not None and window.window.end > asked_before,
            is_firing=is_firing,
            lacking=lacking(model.spec, observed.machine),
        )
        found = verdict(ask, observed, now)
        waits = found.standing == "due" and (is_blocked or room <= 0)
        room -= found.standing == "due" and not waits
        standings.append(WindowStanding(each, found, waits))
        if chained:
            champion = passed_artifact(found) or champion
            is_blocked = is_blocked or not is_ended(found)
    return standings


def _speaking(model: Model, wanted: WantedRun, runs: tuple[RunRecord, ...]) -> RunRecord | None:
    """Return the run that speaks for a wanted one: with its fingerprint, or one since which nothing happened that counts."""
    before = last_finished(runs)
    if before is not None and not reasons(model, wanted.fingerprint, before):
        return run_of(wanted.fingerprint, runs) or before
    return run_of(wanted.fingerprint, runs)


def _is_for(run: RunRecord, wanted: WantedRun) -> bool:
    found = run_window(run)
    return found is not None and wanted.window is not None and found.window == wanted.window.window


def _of_newest_window(runs: tuple[RunRecord, ...]) -> RunRecord | None:
    """Return the last finished run for the newest window that there was one for."""
    finished = [run for run in runs if run.state in {"passed", "refused", "failed"} and run_window(run) is not None]
    return max(finished, key=_end, default=None)


def _end(run: RunRecord) -> tuple[datetime, datetime]:
    window = run_window(run)
    return (window.window.end if window is not None else run.started_at, run.started_at)


def _has_newer_version(model: Model, window: Window, runs: tuple[RunRecord, ...]) -> bool:
    """Return whether a version was made for a later window of the shape that is declared now."""
    windows = windows_of(model.spec.window) if model.spec.window is not None else None
    later = (found.window for run in runs if run.state == "passed" and (found := run_window(run)) is not None)
    return any(each.end > window.end and windows is not None and windows.has(each) for each in later)


def _taken_up(model: Model, observed: Observed, now: datetime) -> datetime | None:
    """Return up to when the schedule's firings are over, as the last pass told; it counts from when it is first seen."""
    if model.spec.retrain.schedule is None:
        return None
    record = observed.resources.get(model.key)
    told: Any = record.status.details.get(_SCHEDULE) if record is not None else None
    return datetime.fromisoformat(told["takenUp"]) if isinstance(told, Mapping) else now


def _firing(model: Model, taken_up: datetime | None, now: datetime) -> datetime | None:
    """Return the firing that is due; missed ones fold into one."""
    retrain = model.spec.retrain
    return due(retrain.schedule, retrain.timezone, taken_up, now) if retrain.schedule is not None and taken_up else None


def _with_schedule(decision: Decision, model: Model, taken_up: datetime | None, now: datetime) -> Decision:
    """Return the decision with the schedule in its details, where the next pass finds it."""
    retrain = model.spec.retrain
    if retrain.schedule is None or taken_up is None:
        return decision
    firing = next_firing(retrain.schedule, retrain.timezone, now)
    schedule = {"takenUp": taken_up.isoformat(), "next": firing.isoformat()}
    outcome = replace(decision.outcome, details={**decision.outcome.details, _SCHEDULE: schedule})
    if isinstance(outcome, Done | Stalled):
        outcome = replace(outcome, look_again=firing - now)
    return Decision(outcome, decision.actions)
