"""Records become the JSON documents of the API: lowerCamelCase keys, times in ISO 8601 UTC."""

from datetime import datetime
from typing import Any

from gnomon.resources.identity import ResourceKey
from gnomon.resources.status import Status
from gnomon.stores.records.interface import EventRecord, ResourceRecord, RunRecord, StepRecord, VersionRecord

_WENT_BY = frozenset({"spec", "inputs", "parts", "environment"})
"""What the summary of a run holds for carrying it on."""


def resource_json(record: ResourceRecord) -> dict[str, Any]:
    """Return a resource as its declaration with ``status``, as ``kubectl get -o json`` does."""
    return {
        **record.declaration,
        "status": status_json(record.status),
        "provenance": {"path": record.path, "line": record.line, "revision": record.revision, "generation": record.generation},
    }


def status_json(status: Status) -> dict[str, Any]:
    """Return a status with its conditions."""
    return {
        "observedGeneration": status.observed_generation,
        "observedRevision": status.observed_revision,
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": time_json(condition.last_transition_time),
                "observedGeneration": condition.observed_generation,
            }
            for condition in status.conditions
        ],
        **status.details,
    }


def event_json(event: EventRecord) -> dict[str, Any]:
    """Return an event."""
    return {
        "id": event.id,
        "type": event.type,
        "kind": event.key.kind,
        "namespace": event.key.namespace,
        "name": event.key.name,
        "reason": event.reason,
        "message": event.message,
        "revision": event.revision,
        "run": event.run,
        "count": event.count,
        "firstSeen": time_json(event.first_seen),
        "lastSeen": time_json(event.last_seen),
    }


def run_json(run: RunRecord, progress: str | None, *, is_brief: bool = False) -> dict[str, Any]:
    """Return a run; ``progress`` is set while this operator carries it out. A brief one leaves out what it went by."""
    return {
        "id": run.id,
        "kind": run.owner.kind,
        "name": run.owner.name,
        "namespace": run.owner.namespace,
        # For those who ask for the runs of models alone.
        "model": run.owner.name if run.owner.kind == "Model" else None,
        "state": run.state,
        "reason": run.reason,
        "message": run.message,
        "progress": progress,
        "version": run.version,
        "artifact": run.artifact,
        "champion": run.champion,
        "revision": run.revision,
        "snapshot": run.snapshot,
        "fingerprint": run.fingerprint,
        "startedAt": time_json(run.started_at),
        "endedAt": time_json(run.ended_at) if run.ended_at is not None else None,
        "hasReport": run.report_page is not None,
        "summary": {name: value for name, value in run.summary.items() if not (is_brief and name in _WENT_BY)},
    }


def waiting_run_json(run: str, owner: ResourceKey, status: Status | None) -> dict[str, Any]:
    """Return a run that is asked for and has not begun; ``status`` of what it is of tells what it waits for."""
    ready = status.condition("Ready") if status is not None else None
    waits_for = f": {ready.reason}: {ready.message}" if ready is not None and ready.status != "True" else ""
    return {
        "id": run,
        "kind": owner.kind,
        "name": owner.name,
        "namespace": owner.namespace,
        "model": None,
        "state": "waiting",
        "reason": "",
        "message": "asked for",
        "progress": f"waiting for its turn{waits_for}",
        "startedAt": None,
        "endedAt": None,
        "hasReport": False,
        "summary": {},
        "steps": [],
    }


def step_json(step: StepRecord) -> dict[str, Any]:
    """Return a step of a run."""
    return {
        "name": step.name,
        "attempt": step.attempt,
        "state": step.state,
        "key": step.key,
        "startedAt": time_json(step.started_at),
        "endedAt": time_json(step.ended_at) if step.ended_at is not None else None,
        "error": step.error,
        "reason": step.reason,
        "seconds": round((step.ended_at - step.started_at).total_seconds(), 3) if step.ended_at is not None else None,
        "cpuSeconds": round(step.cpu_s, 3),
        "peakMemoryBytes": step.peak_rss_bytes,
        "results": dict(step.result or {}),
        "hasLog": step.log is not None,
    }


def version_json(version: VersionRecord) -> dict[str, Any]:
    """Return a version of a model."""
    return {
        "model": version.model.name,
        "namespace": version.model.namespace,
        "version": version.version,
        "digest": version.digest,
        "run": version.run,
        "createdAt": time_json(version.created_at),
        "metrics": dict(version.metrics),
    }


def time_json(at: datetime) -> str:
    """Return a time as ISO 8601 in UTC, with a Z."""
    return at.isoformat().replace("+00:00", "Z")
