"""Model: a snapshot becomes a run, a run becomes a verdict."""

from datetime import datetime, timedelta
from typing import assert_never

from gnomon.operator.actions import Action, CancelRun, StartRun
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.fingerprint import Fingerprint, model_fingerprint
from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended, Waiting
from gnomon.operator.state import Desired, Observed
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord

_LOOK_AGAIN = timedelta(minutes=10)
_DAY = timedelta(days=1)


def reconcile_model(model: Model, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether a run is due. A run whose fingerprint has a verdict already is never started again."""
    runs = observed.runs.get(model.key, ())
    if model.spec.suspend:
        return Decision(Suspended(details=_details(runs[0] if runs else None)))
    fingerprint = wanted_fingerprint(model, desired, observed)
    if fingerprint is None:
        return Decision(_waits_for_data(model, observed), ())
    cancelled = tuple(
        CancelRun(model.key, run.id, "something that it was made from has changed")
        for run in runs
        if run.state == "running" and run.fingerprint != fingerprint.digest
    )
    run = next((run for run in runs if run.fingerprint == fingerprint.digest and run.state != "superseded"), None)
    if run is None:
        return _start(model, fingerprint, desired, observed, runs, now, cancelled)
    details = _details(run)
    match run.state:
        case "running":
            progress = observed.runs_under_way.get(run.id)
            resume: tuple[Action, ...] = ()
            if progress is None:
                resume = (_start_run(model, fingerprint, "resumed after an interruption", run),)
            waiting = Waiting(_LOOK_AGAIN, "Training", f"run {run.id}: {progress or 'resuming'}", details)
            return Decision(waiting, (*cancelled, *resume))
        case "passed":
            return Decision(Done("GatesPassed", run.message, details), cancelled)
        case "refused":
            return Decision(Stalled("GatesRefused", run.message, details), cancelled)
        case "failed":
            return Decision(Stalled(run.reason or "RunFailed", run.message, details), cancelled)
        case "superseded":  # pragma: no cover - filtered above
            raise AssertionError(run.id)
        case _:
            assert_never(run.state)


def wanted_fingerprint(model: Model, desired: Desired, observed: Observed) -> Fingerprint | None:
    """Return the fingerprint of the run that the model should have now; None while its data is being read or never was good."""
    key = ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset)
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
    return model_fingerprint(model.spec, declared.resource.spec, intake.snapshot, observed.code)


def champion_of(model: Model, desired: Desired, observed: Observed) -> Digest | None:
    """Return the digest that the first service of this model runs by Git's word, where its artifact is kept here."""
    for _, service in desired.services():
        same_model = (service.metadata.namespace, service.spec.model) == (model.metadata.namespace, model.metadata.name)
        release = desired.release_of(service) if same_model else None
        if release is not None and release.spec.digest in observed.artifacts:
            return Digest(release.spec.digest)
    return None


def _waits_for_data(model: Model, observed: Observed) -> Outcome:
    key = ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset)
    intake = observed.intakes.get(key)
    if intake is not None and intake.snapshot is None and intake.error:
        return Stalled("DatasetNotReady", f"{key} has no good snapshot yet: {intake.error}")
    return Waiting(_LOOK_AGAIN, "DatasetNotReady", f"waiting for {key} to be read")


def _start(
    model: Model,
    fingerprint: Fingerprint,
    desired: Desired,
    observed: Observed,
    runs: tuple[RunRecord, ...],
    now: datetime,
    cancelled: tuple[Action, ...],
) -> Decision:
    finished = [run for run in runs if run.state in {"passed", "refused", "failed"}]
    why = "first run"
    if finished:
        changed = fingerprint.changed_parts(finished[0].summary.get("parts", {}))
        why = f"{' and '.join(changed) or 'something'} changed"
        not_a_reason = [part for part in changed if part != "spec" and part not in model.spec.retrain.when]
        if changed and len(not_a_reason) == len(changed):
            allowed = ", ".join(model.spec.retrain.when) or "nothing"
            message = f"{why}, but spec.retrain.when names {allowed}; {finished[0].message}"
            return Decision(Done("NotRetrained", message, _details(finished[0])), cancelled)
        wait = _held_back(model, runs, now)
        if wait is not None:
            return Decision(wait, cancelled)
    start = _start_run(model, fingerprint, why, None, champion_of(model, desired, observed))
    waiting = Waiting(_LOOK_AGAIN, "Training", f"starting a run: {why}", _details(finished[0] if finished else None))
    return Decision(waiting, (*cancelled, start))


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
    model: Model, fingerprint: Fingerprint, why: str, resumed: RunRecord | None, champion: Digest | None = None
) -> StartRun:
    return StartRun(
        key=model.key,
        fingerprint=fingerprint.digest,
        parts=fingerprint.parts(),
        snapshot=Digest(fingerprint.data),
        champion=champion if resumed is None else resumed.champion,
        why=why,
        resume=None if resumed is None else resumed.id,
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
