"""Service: a passed version becomes a release in Git, a release in Git becomes a route."""

from datetime import datetime, timedelta

from gnomon.operator.actions import Action, ServiceRoute, TargetVersion, WriteRelease
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.model import reconcile_model, wanted_fingerprint
from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended, Waiting
from gnomon.operator.revert import LockState
from gnomon.operator.state import Desired, Observed
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.stores.records.interface import RunRecord

_SWITCHING = timedelta(milliseconds=50)
_LOOK_AGAIN = timedelta(minutes=10)


def reconcile_service(service: Service, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether a release must be written, and tell whether what Git pins is what serves."""
    if service.spec.suspend:
        return Decision(Suspended(details=_details(service, desired, observed)))
    promotion, note = _promotion(service, desired, observed, now)
    return Decision(_outcome(service, desired, observed, note or _model_note(service, desired, observed, now)), promotion)


def service_route(service: Service, desired: Desired, observed: Observed) -> ServiceRoute:
    """Return where the service's requests should go: what Git pins, else what serves now (last good state)."""
    release = desired.release_of(service)
    before = next((route for route in observed.routes or () if route.key == service.key), None)
    if service.spec.suspend and before is not None:
        return before
    active: TargetVersion | None = None
    if release is not None:
        pinned = TargetVersion(release.spec.version, Digest(release.spec.digest))
        active = pinned if _refusal(service, release, observed) is None else (before.active if before is not None else None)
    return ServiceRoute(
        key=service.key,
        active=active,
        warm=_warm(service, active, desired, observed),
        body_limit=service.spec.limits.body,
        timeout=service.spec.limits.timeout,
    )


def _warm(service: Service, active: TargetVersion | None, desired: Desired, observed: Observed) -> tuple[TargetVersion, ...]:
    """Return the releases before (or, after a revert, behind) the active one that stay loaded, newest first."""
    lock = desired.locks.get(service.key)
    warm: list[TargetVersion] = []
    for past in lock.history if lock is not None else ():
        target = TargetVersion(past.version, Digest(past.digest))
        is_known = observed.artifacts.get(target.digest) == _model_name(service)
        if active is not None and target.digest != active.digest and is_known and target not in warm:
            warm.append(target)
    return tuple(warm[: service.spec.release.keep_warm])


def _model_name(service: Service) -> str:
    return f"{service.metadata.namespace}/{service.spec.model}"


def _refusal(service: Service, release: Release, observed: Observed) -> str | None:
    """Return why a pinned digest cannot be served here, if so."""
    model = observed.artifacts.get(Digest(release.spec.digest))
    if model is None:
        return f"no artifact is kept under {release.spec.digest}"
    if model != _model_name(service):
        return f"{release.spec.digest} is an artifact of {model}, not of {_model_name(service)}"
    return None


def _passed_run(service: Service, desired: Desired, observed: Observed) -> RunRecord | None:
    """Return the run that passed for the model as it is declared now."""
    key = ResourceKey("Model", service.metadata.namespace, service.spec.model)
    declared = desired.compiled.declared.get(key)
    if declared is None or not isinstance(declared.resource, Model):
        return None
    fingerprint = wanted_fingerprint(declared.resource, desired, observed)
    if fingerprint is None:
        return None
    runs = observed.runs.get(key, ())
    return next((run for run in runs if run.state == "passed" and run.fingerprint == fingerprint.digest), None)


def _model_note(service: Service, desired: Desired, observed: Observed, now: datetime) -> str:
    """Return where the model stands, for a service that has no release to serve yet."""
    key = ResourceKey("Model", service.metadata.namespace, service.spec.model)
    declared = desired.compiled.declared.get(key)
    if desired.release_of(service) is not None or declared is None or not isinstance(declared.resource, Model):
        return ""
    outcome = reconcile_model(declared.resource, desired, observed, now).outcome
    return f"the model: {outcome.message}"


def _promotion(service: Service, desired: Desired, observed: Observed, now: datetime) -> tuple[tuple[Action, ...], str]:
    """Return the release to write, if one is due, and a note for people where one is held back."""
    run = _passed_run(service, desired, observed)
    if run is None or run.artifact is None or run.version is None:
        return (), ""
    lock = desired.locks.get(service.key) or LockState.empty()
    current = lock.current.digest if lock.current is not None else None
    offered = f"v{run.version} of {service.spec.model}"
    if run.artifact == current:
        return (), ""
    if run.artifact in lock.withdrawn:
        return (), f"{offered} was withdrawn in Git and is not offered again"
    if service.spec.release.promote == "manual":
        return (), f"{offered} passed its gates and waits for a person: spec.release.promote is manual"
    if desired.project.write_back.mode == "disabled":
        return (), f"{offered} passed its gates, but spec.writeBack.mode of the project is disabled"
    if service.spec.release.after_revert == "hold" and lock.is_reverted:
        return (), f"{offered} is held: a release was reverted and spec.release.afterRevert is hold"
    blocked = observed.blocked.get(service.key)
    if blocked is not None and blocked.digest == run.artifact and blocked.until > now:
        return (), f"{offered} cannot be written to Git: {blocked.message}"
    write = WriteRelease(service.key, service.spec.model, run.version, run.artifact, run.id)
    return (write,), f"writing the release of {offered} to Git"


def _outcome(service: Service, desired: Desired, observed: Observed, note: str) -> Outcome:
    details = _details(service, desired, observed)
    blocked = observed.blocked.get(service.key)
    suffix = f"; {note}" if note else ""
    release = desired.release_of(service)
    if release is None:
        if blocked is not None and blocked.is_final:
            return Stalled("WriteBackBlocked", f"no release yet{suffix}", details)
        return Waiting(_LOOK_AGAIN, "NoRelease", f"no version of model/{service.spec.model} is released yet{suffix}", details)
    refusal = _refusal(service, release, observed)
    if refusal is not None:
        return Stalled("ArtifactUnverified", f"{refusal}; the last good version goes on serving", details)
    error = observed.gateway.errors.get(service.metadata.name)
    is_active = observed.gateway.active.get(service.metadata.name) == release.spec.digest
    serving = f"v{release.spec.version} serves ({release.spec.digest[:19]}){suffix}"
    if not observed.gateway.is_up:
        return Waiting(_SWITCHING, "GatewayStarting", "the gateway is not up yet", details)
    if is_active and observed.gateway.applied:
        if blocked is not None and blocked.is_final and note:
            return Stalled("WriteBackBlocked", serving, details)
        return Done("Serving", serving, details)
    if error:
        return Stalled("LoadFailed", f"v{release.spec.version} cannot be loaded: {error}; the old version serves", details)
    return Waiting(_SWITCHING, "Switching", f"the gateway is loading v{release.spec.version}", details)


def _details(service: Service, desired: Desired, observed: Observed) -> dict[str, object]:
    release = desired.release_of(service)
    lock = desired.locks.get(service.key)
    return {
        "model": service.spec.model,
        "version": release.spec.version if release is not None else None,
        "digest": release.spec.digest if release is not None else None,
        "serving": observed.gateway.active.get(service.metadata.name),
        "withdrawn": sorted(lock.withdrawn) if lock is not None else [],
    }
