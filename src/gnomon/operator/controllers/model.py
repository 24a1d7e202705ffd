"""Model: a snapshot becomes a run, a run becomes a verdict."""

from datetime import datetime, timedelta
from typing import assert_never

from gnomon.operator.actions import CancelRun, StartRun, TargetVersion
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.fingerprint import Fingerprint, NamedSpec, model_fingerprint
from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended, Waiting
from gnomon.operator.state import Desired, Observed
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord

_LOOK_AGAIN = timedelta(minutes=10)
_DAY = timedelta(days=1)
_RETRY_AT_LEAST = timedelta(minutes=1)
_RETRY_AT_MOST = timedelta(hours=1)
INTERRUPTED = "Interrupted"
"""Reason of a run that failed for what has nothing to do with it, such as a full disk: trying again may end otherwise."""


def reconcile_model(model: Model, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether a run is due. A run whose fingerprint has a verdict already is never started again."""
    runs = observed.runs.get(model.key, ())
    if model.spec.suspend:
        return Decision(Suspended(details=_details(runs[0] if runs else None)))
    fingerprint = wanted_fingerprint(model, desired, observed)
    if fingerprint is None:
        return Decision(_waits_for_data(model, desired, observed), ())
    cancelled = tuple(
        CancelRun(model.key, run.id, "something that it was made from has changed")
        for run in runs
        if run.state == "running" and run.fingerprint != fingerprint.digest
    )
    run = _run_of(fingerprint, runs)
    decision = (
        _judged(model, run, fingerprint, desired, observed, now)
        if run is not None
        else _without_run(model, fingerprint, desired, observed, now)
    )
    return Decision(decision.outcome, (*cancelled, *decision.actions))


def standing_run(model: Model, desired: Desired, observed: Observed) -> RunRecord | None:
    """Return the run that speaks for the model as it is declared now; None where a new one is due."""
    fingerprint = wanted_fingerprint(model, desired, observed)
    if fingerprint is None:
        return None
    runs = observed.runs.get(model.key, ())
    before = _last_finished(runs)
    if before is not None and _reasons(model, fingerprint, before) == ():
        return _run_of(fingerprint, runs) or before
    return _run_of(fingerprint, runs)


def wanted_fingerprint(model: Model, desired: Desired, observed: Observed) -> Fingerprint | None:
    """Return the fingerprint of the run that the model should have now; None while its data is being read or never was good."""
    key = _dataset_key(model)
    declared = desired.compiled.declared.get(key)
    intake = observed.intakes.get(key)
    if declared is None or not isinstance(declared.resource, Dataset) or intake is None or intake.snapshot is None:
        return None
    source = desired.sources.get(key)
    is_stale = (
        source is not None
        and not source.error
        and not declared.resource.spec.suspend
        and (intake.spec_digest, intake.fingerprint) != (declared.spec_digest, source.fingerprint)
    )
    if is_stale:
        return None
    named = NamedSpec(desired.compiled.declared[model.key].spec_digest, model.spec)
    return model_fingerprint(named, declared.resource.spec, intake.snapshot, observed.code)


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


def _dataset_key(model: Model) -> ResourceKey:
    return ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset)


def _run_of(fingerprint: Fingerprint, runs: tuple[RunRecord, ...]) -> RunRecord | None:
    return next((run for run in runs if run.fingerprint == fingerprint.digest and run.state != "superseded"), None)


def _last_finished(runs: tuple[RunRecord, ...]) -> RunRecord | None:
    return next((run for run in runs if run.state in {"passed", "refused", "failed"}), None)


def _waits_for_data(model: Model, desired: Desired, observed: Observed) -> Outcome:
    key = _dataset_key(model)
    intake, source = observed.intakes.get(key), desired.sources.get(key)
    declared = desired.compiled.declared.get(key)
    if intake is None or intake.snapshot is None:
        if declared is not None and isinstance(declared.resource, Dataset) and declared.resource.spec.suspend:
            return Stalled("DatasetNotReady", f"{key} has no good snapshot yet, and is suspended")
        trouble = source.error if source is not None and source.error else intake.error if intake is not None else ""
        if trouble:
            return Stalled("DatasetNotReady", f"{key} has no good snapshot yet: {trouble}")
    return Waiting(_LOOK_AGAIN, "DatasetNotReady", f"waiting for {key} to be read")


def _judged(
    model: Model, run: RunRecord, fingerprint: Fingerprint, desired: Desired, observed: Observed, now: datetime
) -> Decision:
    """Decide for a model whose inputs have a run."""
    details = _details(run)
    match run.state:
        case "running":
            progress = observed.runs_under_way.get(run.id)
            waiting = Waiting(_LOOK_AGAIN, "Training", f"run {run.id}: {progress or 'resuming'}", details)
            if progress is not None:
                return Decision(waiting)
            return Decision(waiting, (_start_run(model, fingerprint, "resumed after an interruption", desired, resumed=run),))
        case "passed":
            return Decision(Done("GatesPassed", run.message, details))
        case "refused":
            return Decision(Stalled("GatesRefused", run.message, details))
        case "failed":
            if fingerprint.has_other_limits(run.summary.get("parts", {})):
                return _start(model, fingerprint, "a failed run is tried again with other limits", desired, observed, now)
            if run.reason == INTERRUPTED:
                return _again_later(model, run, fingerprint, desired, observed, now)
            return Decision(Stalled(run.reason or "RunFailed", run.message, details))
        case "superseded":  # pragma: no cover - such runs speak for nothing
            raise AssertionError(run.id)
        case _:
            assert_never(run.state)


def _without_run(model: Model, fingerprint: Fingerprint, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide for a model whose inputs have no run."""
    before = _last_finished(observed.runs.get(model.key, ()))
    if before is None:
        return _start(model, fingerprint, "first run", desired, observed, now)
    why = f"{' and '.join(fingerprint.changed_parts(before.summary.get('parts', {})))} changed"
    if not _reasons(model, fingerprint, before):
        allowed = ", ".join(model.spec.retrain.when) or "nothing"
        message = f"{why}, but spec.retrain.when names {allowed}; {before.message}"
        outcome = Done if before.state == "passed" else Stalled
        return Decision(outcome("NotRetrained", message, _details(before)))
    return _start(model, fingerprint, why, desired, observed, now)


def _reasons(model: Model, fingerprint: Fingerprint, before: RunRecord) -> tuple[str, ...]:
    """Return what has changed since a run and is a reason for another one."""
    changed = fingerprint.changed_parts(before.summary.get("parts", {}))
    return tuple(part for part in changed if part == "spec" or part in model.spec.retrain.when)


def _again_later(
    model: Model, run: RunRecord, fingerprint: Fingerprint, desired: Desired, observed: Observed, now: datetime
) -> Decision:
    """Try an interrupted run again, ever more seldom."""
    same = [each for each in observed.runs.get(model.key, ()) if each.fingerprint == run.fingerprint]
    pause = min(_RETRY_AT_MOST, _RETRY_AT_LEAST * 2 ** min(len(same) - 1, 10))
    again_at = (run.ended_at or run.started_at) + pause
    if again_at <= now:
        return _start(model, fingerprint, f"tried again after run {run.id} was interrupted", desired, observed, now)
    message = f"{run.message}; it is tried again at {again_at:%Y-%m-%d %H:%M:%S} UTC"
    return Decision(Waiting(again_at - now, INTERRUPTED, message, _details(run)))


def _start(model: Model, fingerprint: Fingerprint, why: str, desired: Desired, observed: Observed, now: datetime) -> Decision:
    runs = observed.runs.get(model.key, ())
    before = _last_finished(runs)
    wait = _held_back(model, runs, now) if before is not None else None
    if wait is not None:
        return Decision(wait)
    start = _start_run(model, fingerprint, why, desired, champion=champion_of(model, desired, observed))
    return Decision(Waiting(_LOOK_AGAIN, "Training", f"starting a run: {why}", _details(before)), (start,))


def _held_back(model: Model, runs: tuple[RunRecord, ...], now: datetime) -> Waiting | None:
    retrain = model.spec.retrain
    free_at = runs[0].started_at + retrain.cooldown
    reason = f"spec.retrain.cooldown holds the next run back until {free_at:%Y-%m-%d %H:%M:%S} UTC"
    if retrain.max_per_day is not None:
        today = [run.started_at for run in runs if run.started_at > now - _DAY]
        if len(today) >= retrain.max_per_day and today[retrain.max_per_day - 1] + _DAY > free_at:
            free_at = today[retrain.max_per_day - 1] + _DAY
            reason = f"spec.retrain.maxPerDay holds the next run back until {free_at:%Y-%m-%d %H:%M:%S} UTC"
    return Waiting(free_at - now, "HeldBack", reason, _details(runs[0])) if free_at > now else None


def _start_run(
    model: Model,
    fingerprint: Fingerprint,
    why: str,
    desired: Desired,
    *,
    champion: Digest | None = None,
    resumed: RunRecord | None = None,
) -> StartRun:
    return StartRun(
        key=model.key,
        fingerprint=fingerprint.digest,
        parts=fingerprint.parts(),
        snapshot=Digest(fingerprint.data),
        champion=champion if resumed is None else resumed.champion,
        why=why,
        resume=None if resumed is None else resumed.id,
        released=released_versions(model, desired),
    )


def _details(run: RunRecord | None) -> dict[str, object]:
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
