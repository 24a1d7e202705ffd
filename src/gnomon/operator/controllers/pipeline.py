"""Pipeline: a change, a schedule or a person starts a run; a run that stands is never made twice."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from gnomon.operator.actions import CancelRun, PipelineInputs, StartPipelineRun
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.verdicts import INTERRUPTED
from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended, Waiting
from gnomon.operator.pipeline_parts import PipelineParts, parts_of, told
from gnomon.operator.schedules import due, next_firing
from gnomon.operator.state import Desired, Observed
from gnomon.resources.canonical import canonical_json
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.pipeline import Pipeline
from gnomon.stores.records.interface import RunRecord

_LOOK_AGAIN = timedelta(minutes=10)
_RETRY_AT_LEAST = timedelta(minutes=1)
_RETRY_AT_MOST = timedelta(hours=1)


@dataclass(frozen=True)
class _Wanted:
    """What a run would be made from now."""

    parts: PipelineParts
    inputs: PipelineInputs
    checkout: str


def reconcile_pipeline(pipeline: Pipeline, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether a run is due. One run of a pipeline goes on at a time."""
    runs = observed.runs.get(pipeline.key, ())
    running = next((run for run in runs if run.state == "running"), None)
    if pipeline.spec.suspend:
        cancelled = (CancelRun(pipeline.key, running.id, "the pipeline is suspended"),) if running is not None else ()
        return Decision(Suspended(details=_details(runs)), cancelled)
    wanted = _wanted(pipeline, desired, observed)
    if running is not None:
        return _under_way(pipeline, running, wanted, observed, runs)
    if isinstance(wanted, Stalled | Waiting):
        return Decision(wanted)
    missing = sorted({name for step in pipeline.spec.steps for name in step.secrets} - observed.variables)
    if missing:
        names = ", ".join(missing)
        message = f"the operator's environment has no {names}; set it and start the operator again"
        return Decision(Stalled("SecretMissing", message, _details(runs)))
    return _without_run(pipeline, wanted, observed, now, runs)


def good_snapshot(key: ResourceKey, desired: Desired, observed: Observed) -> Digest | None:
    """Return the snapshot of a dataset as it is declared now; None while it is being read, or never was good."""
    declared, intake, source = desired.compiled.declared.get(key), observed.intakes.get(key), desired.sources.get(key)
    if declared is None or not isinstance(declared.resource, Dataset) or intake is None or intake.snapshot is None:
        return None
    is_followed = source is not None and not source.error and not declared.resource.spec.suspend
    if is_followed and source is not None:
        is_read = (intake.spec_digest, intake.fingerprint) == (declared.spec_digest, source.fingerprint)
        return intake.snapshot if is_read else None
    return intake.snapshot


def _wanted(pipeline: Pipeline, desired: Desired, observed: Observed) -> _Wanted | Stalled | Waiting:
    details = _details(observed.runs.get(pipeline.key, ()))
    code = desired.pipelines.get(pipeline.key)
    if code is None:
        return Waiting(_LOOK_AGAIN, "ReadingCode", "its code has not been looked at yet", details)
    if code.error:
        return Stalled("CodeRefused", code.error, details)
    snapshots: dict[str, Digest] = {}
    for name, source in pipeline.spec.inputs.items():
        if source.dataset is None:
            continue
        key = ResourceKey("Dataset", pipeline.metadata.namespace, source.dataset)
        snapshot = good_snapshot(key, desired, observed)
        if snapshot is None:
            return _waits_for(key, desired, observed, details)
        snapshots[name] = snapshot
    return _Wanted(
        parts_of(code, snapshots), PipelineInputs(tuple(snapshots.items()), tuple(code.inputs.items())), code.checkout
    )


def _waits_for(key: ResourceKey, desired: Desired, observed: Observed, details: dict[str, object]) -> Stalled | Waiting:
    intake, source = observed.intakes.get(key), desired.sources.get(key)
    trouble = source.error if source is not None and source.error else intake.error if intake is not None else ""
    if trouble and (intake is None or intake.snapshot is None):
        return Stalled("DatasetNotReady", f"{key} has no good snapshot yet: {trouble}", details)
    return Waiting(_LOOK_AGAIN, "DatasetNotReady", f"waiting for {key} to be read", details)


def _under_way(
    pipeline: Pipeline,
    run: RunRecord,
    wanted: _Wanted | Stalled | Waiting,
    observed: Observed,
    runs: tuple[RunRecord, ...],
) -> Decision:
    """Decide for a pipeline that runs: what a change started, a later change ends; other runs are let finish."""
    progress = observed.runs_under_way.get(run.id)
    waiting = Waiting(_LOOK_AGAIN, "Running", f"run {run.id}: {progress or 'resuming'}", _details(runs))
    before = run.summary.get("parts", {})
    if isinstance(wanted, _Wanted) and run.summary.get("cause") == "change" and _reasons(pipeline, wanted, before):
        why = f"{told(wanted.parts.changed(before))} changed"
        return Decision(waiting, (CancelRun(pipeline.key, run.id, why),))
    if progress is not None:
        return Decision(waiting)
    resume = StartPipelineRun(
        pipeline.key, run.fingerprint, (), PipelineInputs(), "", "resumed after an interruption", resume=run.id
    )
    return Decision(waiting, (resume,))


def _without_run(
    pipeline: Pipeline, wanted: _Wanted, observed: Observed, now: datetime, runs: tuple[RunRecord, ...]
) -> Decision:
    requests = observed.run_requests.get(pipeline.key, ())
    if requests:
        request = requests[0]
        given = (
            f" with {', '.join(f'{name}={_shown(value)}' for name, value in request.params.items())}" if request.params else ""
        )
        why = f"a person asked for it{given}"
        return _start(pipeline, wanted, why, runs, cause="person", params=request.params, run=request.run)
    firing = _due(pipeline, observed, now, runs)
    if firing is not None:
        return _start(pipeline, wanted, f"scheduled for {firing:%Y-%m-%d %H:%M} UTC", runs, cause="schedule")
    decision = _judged(pipeline, wanted, now, runs)
    spec = pipeline.spec
    if decision.actions or spec.schedule is None or not isinstance(decision.outcome, Done | Stalled):
        return decision
    following = next_firing(spec.schedule, spec.timezone, now)
    outcome = decision.outcome
    message = f"{outcome.message}; next on {following:%Y-%m-%d %H:%M} UTC"
    return Decision(type(outcome)(outcome.reason, message, outcome.details, look_again=following - now))


def _due(pipeline: Pipeline, observed: Observed, now: datetime, runs: tuple[RunRecord, ...]) -> datetime | None:
    """Return the firing that no run has followed yet. The schedule counts from when the pipeline was first seen."""
    if pipeline.spec.schedule is None:
        return None
    standing = [run.started_at for run in runs if not run.summary.get("params") and run.state != "superseded"]
    record = observed.resources.get(pipeline.key)
    ready = record.status.condition("Ready") if record is not None else None
    since = standing[0] if standing else ready.last_transition_time if ready is not None else now
    return due(pipeline.spec.schedule, pipeline.spec.timezone, since, now)


def _judged(pipeline: Pipeline, wanted: _Wanted, now: datetime, runs: tuple[RunRecord, ...]) -> Decision:
    standing = [run for run in runs if not run.summary.get("params") and run.state != "superseded"]
    before = standing[0] if standing else None
    if before is None:
        if pipeline.spec.triggers == ():
            return Decision(Done("NotStarted", "it starts by schedule, or with `gnomon run`", _details(runs)))
        return _start(pipeline, wanted, "first run", runs)
    same = next((run for run in standing if run.fingerprint == wanted.parts.digest), None)
    if same is not None:
        return _with_verdict(pipeline, same, wanted, now, runs)
    parts = before.summary.get("parts", {})
    why = f"{told(wanted.parts.changed(parts))} changed"
    if _reasons(pipeline, wanted, parts):
        return _start(pipeline, wanted, why, runs)
    outcome = Done if before.state == "passed" else Stalled
    return Decision(outcome("NotStarted", f"{why}, which spec.triggers do not name; {before.message}", _details(runs)))


def _with_verdict(pipeline: Pipeline, run: RunRecord, wanted: _Wanted, now: datetime, runs: tuple[RunRecord, ...]) -> Decision:
    if run.state == "passed":
        return Decision(Done("StepsDone", run.message, _details(runs)))
    if wanted.parts.has_other("limits", run.summary.get("parts", {})):
        return _start(pipeline, wanted, "a failed run is tried again with other limits", runs)
    if run.reason != INTERRUPTED:
        return Decision(Stalled(run.reason or "StepFailed", run.message, _details(runs)))
    times = sum(1 for each in runs if each.fingerprint == run.fingerprint)
    pause = min(_RETRY_AT_MOST, _RETRY_AT_LEAST * 2 ** min(times - 1, 10))
    again_at = (run.ended_at or run.started_at) + pause
    if again_at <= now:
        return _start(pipeline, wanted, f"tried again after run {run.id} was interrupted", runs)
    message = f"{run.message}; it is tried again at {again_at:%Y-%m-%d %H:%M:%S} UTC"
    return Decision(Waiting(again_at - now, INTERRUPTED, message, _details(runs)))


def _reasons(pipeline: Pipeline, wanted: _Wanted, before: Mapping[str, str]) -> tuple[str, ...]:
    """Return the changed parts that are a reason for a run, by what the triggers name."""
    changed = wanted.parts.changed(before)
    triggers = pipeline.spec.triggers
    if triggers is None:
        return changed
    datasets = {trigger.data for trigger in triggers if trigger.data is not None}
    names = {name for name, source in pipeline.spec.inputs.items() if source.dataset in datasets and source.dataset}
    is_touched = any(trigger.commit is not None for trigger in triggers) and wanted.parts.has_other("watched", before)
    return tuple(part for part in changed if (part.removeprefix("data:") in names if part.startswith("data:") else is_touched))


def _start(
    pipeline: Pipeline,
    wanted: _Wanted,
    why: str,
    runs: tuple[RunRecord, ...],
    *,
    cause: Literal["change", "schedule", "person"] = "change",
    params: Mapping[str, Any] | None = None,
    run: str | None = None,
) -> Decision:
    fingerprint = wanted.parts.digest
    if params:
        fingerprint = hashlib.sha256(fingerprint.encode() + canonical_json(dict(params))).hexdigest()
    action = StartPipelineRun(
        pipeline.key, fingerprint, wanted.parts.parts, wanted.inputs, wanted.checkout, why, cause, dict(params or {}), run
    )
    outcome: Outcome = Waiting(_LOOK_AGAIN, "Running", f"starting a run: {why}", _details(runs))
    return Decision(outcome, (action,))


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else canonical_json(value).decode()
    return text if len(text) <= 40 else f"{text[:40]}…"


def _details(runs: tuple[RunRecord, ...]) -> dict[str, object]:
    """Return what is told of the newest run, and of the newest that passed."""
    if not runs:
        return {}
    passed = next((run for run in runs if run.state == "passed"), None)
    run = runs[0]
    return {"run": run.id, "state": run.state, "lastPassed": passed.id if passed is not None else None}
