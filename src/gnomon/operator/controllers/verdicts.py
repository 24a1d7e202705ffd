"""One wanted run: it has a verdict, is under way, is due, or is held back. The same for all rows and for one window."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, assert_never

from gnomon.operator.actions import CancelRun, StartRun, TargetVersion
from gnomon.operator.controllers.wanted import LOOK_AGAIN, WantedRun
from gnomon.operator.fingerprint import Fingerprint
from gnomon.operator.outcomes import Done, Outcome, Stalled, Waiting
from gnomon.operator.state import Observed
from gnomon.resources.identity import Digest
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord

_DAY = timedelta(days=1)
_RETRY_AT_LEAST = timedelta(minutes=1)
_RETRY_AT_MOST = timedelta(hours=1)
INTERRUPTED = "Interrupted"
"""Reason of a run that failed for what has nothing to do with it, such as a full disk: trying again may end otherwise."""
Standing = Literal["judged", "kept", "running", "due", "held"]
"""``judged``: there is a verdict. ``kept``: what changed since the last one is no reason for a run now. ``held``: due later."""


@dataclass(frozen=True)
class Ask:
    """What a verdict is asked for.

    ``runs`` are those for the same window, newest first; ``earlier`` is the last finished run of the model for any window.
    ``is_news`` says that the window is newer than every one that was run for; ``is_firing``, that the schedule is due.
    """

    model: Model
    wanted: WantedRun
    runs: tuple[RunRecord, ...]
    earlier: RunRecord | None
    champion: Digest | None
    released: tuple[TargetVersion, ...]
    is_news: bool
    is_firing: bool
    lacking: str = ""
    """Why no run can come to anything on this machine."""


@dataclass(frozen=True)
class Verdict:
    """Where a wanted run stands. ``run`` is the one that speaks for it now; ``start`` what would make another one."""

    standing: Standing
    outcome: Outcome
    run: RunRecord | None = None
    start: StartRun | None = None
    cancelled: tuple[CancelRun, ...] = ()
    """The runs that ``start`` would take the place of."""


def verdict(ask: Ask, observed: Observed, now: datetime) -> Verdict:
    """Decide for one wanted run. One whose fingerprint has a verdict already is never started again."""
    run = run_of(ask.wanted.fingerprint, ask.runs)
    return _judged(ask, run, observed, now) if run is not None else _without_run(ask, observed, now)


def run_of(fingerprint: Fingerprint, runs: tuple[RunRecord, ...]) -> RunRecord | None:
    """Return the newest run with this fingerprint that counts."""
    return next((run for run in runs if run.fingerprint == fingerprint.digest and run.state != "superseded"), None)


def last_finished(runs: tuple[RunRecord, ...]) -> RunRecord | None:
    """Return the newest run that came to an end by itself."""
    return next((run for run in runs if run.state in {"passed", "refused", "failed"}), None)


def reasons(model: Model, fingerprint: Fingerprint, before: RunRecord, *, is_firing: bool = False) -> tuple[str, ...]:
    """Return what has changed since a run and is a reason for another one."""
    changed = fingerprint.changed_parts(before.summary.get("parts", {}))
    at_once = {"spec", *model.spec.retrain.at_once}
    return tuple(part for part in changed if is_firing or part in at_once)


def run_details(run: RunRecord | None) -> dict[str, object]:
    """Return what the status tells of a run."""
    if run is None:
        return {}
    return {
        "run": run.id,
        "state": run.state,
        "version": run.version,
        "artifact": run.artifact,
        "winner": run.summary.get("winner"),
        "metrics": run.summary.get("metrics"),
        "gates": run.summary.get("gates"),
    }


def _judged(ask: Ask, run: RunRecord, observed: Observed, now: datetime) -> Verdict:
    """Decide where the inputs have a run."""
    details = run_details(run)
    match run.state:
        case "running":
            return _running(ask, run, observed)
        case "passed":
            return Verdict("judged", Done("GatesPassed", run.message, details), run)
        case "refused":
            return Verdict("judged", Stalled("GatesRefused", run.message, details), run)
        case "failed":
            if ask.wanted.fingerprint.has_other_limits(run.summary.get("parts", {})):
                return _start(ask, "a failed run is tried again with other limits", now)
            if run.reason == INTERRUPTED:
                return _again_later(ask, run, now)
            return Verdict("judged", Stalled(run.reason or "RunFailed", run.message, details), run)
        case "superseded":  # pragma: no cover - such runs speak for nothing
            raise AssertionError(run.id)
        case _:
            assert_never(run.state)


def _running(ask: Ask, run: RunRecord, observed: Observed, note: str = "") -> Verdict:
    progress = observed.runs_under_way.get(run.id)
    waiting = Waiting(LOOK_AGAIN, "Training", f"run {run.id}: {progress or 'resuming'}{note}", run_details(run))
    resumed = None if progress is not None else _start_run(ask, "resumed after an interruption", resumed=run)
    return Verdict("running", waiting, run, resumed)


def _without_run(ask: Ask, observed: Observed, now: datetime) -> Verdict:
    """Decide where the inputs have no run."""
    under_way = next((run for run in ask.runs if run.state == "running"), None)
    before = under_way or last_finished(ask.runs)
    if before is None and (ask.earlier is None or not ask.is_news):
        return _start(ask, _first(ask), now)
    compared = before or ask.earlier
    if compared is None:  # pragma: no cover - excluded above
        raise AssertionError(ask.model.key)
    why = _why(ask, compared)
    if reasons(ask.model, ask.wanted.fingerprint, compared, is_firing=ask.is_firing):
        started = _start(ask, why, now)
        # What is under way is worth more than what may not begin yet.
        return started if under_way is None or started.start is not None else _running(ask, under_way, observed, _also(started))
    if under_way is not None:
        return _running(ask, under_way, observed)
    return _kept(ask, why, compared)


def _kept(ask: Ask, why: str, before: RunRecord) -> Verdict:
    retrain = ask.model.spec.retrain
    allowed = ", ".join(retrain.at_once) or "nothing"
    if retrain.schedule is None:
        hint = f"but spec.retrain.when names {allowed}"
    else:
        hint = f'which spec.retrain.schedule ("{retrain.schedule}", {retrain.timezone}) takes up when it is due'
    outcome = Done if before.state == "passed" else Stalled
    kept = outcome("NotRetrained", f"{why}, {hint}; {before.message}", run_details(before))
    return Verdict("kept", kept, before if before in ask.runs else None)


def _first(ask: Ask) -> str:
    if ask.wanted.window is None or ask.earlier is None:
        return "first run" if ask.wanted.window is None else f"first run for window {ask.wanted.window.window}"
    return f"window {ask.wanted.window.window} is wanted, and has no run yet"


def _why(ask: Ask, before: RunRecord) -> str:
    """Return what changed since a run, in words."""
    changed = ask.wanted.fingerprint.changed_parts(before.summary.get("parts", {}))
    window = ask.wanted.window
    if window is None:
        return f"{' and '.join(changed)} changed"
    if before not in ask.runs:
        others = [part for part in changed if part not in {"data", "window"}]
        also = f" and {' and '.join(others)} changed" if others else ""
        return f"window {window.window} is complete{also}"
    rows = window.rows - int(before.summary.get("window", {}).get("rows", window.rows))
    late = "1 late row" if rows == 1 else f"{rows:,} late rows" if rows > 0 else "other rows"
    if changed == ("data",):
        return f"window {window.window} has {late}"
    told = (f"it has {late}" if part == "data" else f"{part} changed" for part in changed)
    return f"window {window.window}: {' and '.join(told)}"


def _also(held: Verdict) -> str:
    return f"; then {held.outcome.message}"


def _again_later(ask: Ask, run: RunRecord, now: datetime) -> Verdict:
    """Try an interrupted run again, ever more seldom."""
    same = [each for each in ask.runs if each.fingerprint == run.fingerprint]
    pause = min(_RETRY_AT_MOST, _RETRY_AT_LEAST * 2 ** min(len(same) - 1, 10))
    again_at = (run.ended_at or run.started_at) + pause
    if again_at <= now:
        return _start(ask, f"tried again after run {run.id} was interrupted", now)
    message = f"{run.message}; it is tried again at {again_at:%Y-%m-%d %H:%M:%S} UTC"
    return Verdict("held", Waiting(again_at - now, INTERRUPTED, message, run_details(run)), run)


def _start(ask: Ask, why: str, now: datetime) -> Verdict:
    before = last_finished(ask.runs)
    wait = _held_back(ask.model, ask.runs, now) if before is not None else None
    if wait is not None:
        return Verdict("held", wait, before)
    if ask.lacking:
        return Verdict("held", Stalled("MachineLacks", ask.lacking, run_details(before)), before)
    outdated = tuple(
        CancelRun(ask.model.key, run.id, "something that it was made from has changed")
        for run in ask.runs
        if run.state == "running"
    )
    waiting = Waiting(LOOK_AGAIN, "Training", f"starting a run: {why}", run_details(before))
    return Verdict("due", waiting, before, _start_run(ask, why), outdated)


def _held_back(model: Model, runs: tuple[RunRecord, ...], now: datetime) -> Waiting | None:
    retrain = model.spec.retrain
    free_at = runs[0].started_at + retrain.cooldown
    reason = f"spec.retrain.cooldown holds the next run back until {free_at:%Y-%m-%d %H:%M:%S} UTC"
    if retrain.max_per_day is not None:
        today = [run.started_at for run in runs if run.started_at > now - _DAY]
        if len(today) >= retrain.max_per_day and today[retrain.max_per_day - 1] + _DAY > free_at:
            free_at = today[retrain.max_per_day - 1] + _DAY
            reason = f"spec.retrain.maxPerDay holds the next run back until {free_at:%Y-%m-%d %H:%M:%S} UTC"
    return Waiting(free_at - now, "HeldBack", reason, run_details(runs[0])) if free_at > now else None


def _start_run(ask: Ask, why: str, *, resumed: RunRecord | None = None) -> StartRun:
    wanted = ask.wanted
    return StartRun(
        key=ask.model.key,
        fingerprint=wanted.fingerprint.digest,
        parts=wanted.fingerprint.parts(),
        snapshot=wanted.snapshot,
        champion=ask.champion if resumed is None else resumed.champion,
        why=why,
        resume=None if resumed is None else resumed.id,
        released=ask.released,
        window=wanted.window,
    )
