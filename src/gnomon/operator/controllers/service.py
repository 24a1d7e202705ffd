"""Service: a passed version becomes a release in Git, a release in Git becomes a route."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from gnomon.operator.actions import Action, ServiceRoute, TargetVersion, WriteRelease
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.model import reconcile_model, standing_run
from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended, Waiting
from gnomon.operator.revert import LockState
from gnomon.operator.state import Desired, GatewayView, Observed
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.release import Release
from gnomon.resources.service import Service

_LOOK_AGAIN = timedelta(minutes=10)
_SWITCHING = timedelta(milliseconds=50)
_SLOWLY = timedelta(seconds=2)
_PATIENCE = timedelta(seconds=60)
"""How long the gateway may take over new routes before a person is told: a large model takes seconds to load."""


@dataclass(frozen=True)
class _Promotion:
    """The release that is to be written, or why a version that passed is not released."""

    actions: tuple[Action, ...] = ()
    note: str = ""
    is_blocked: bool = False
    """Whether Git refuses it, so that a person must act."""


def reconcile_service(service: Service, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether a release must be written, and tell whether what Git pins is what serves."""
    if service.spec.suspend:
        return Decision(Suspended(details=_details(service, desired, observed)))
    promotion = _promotion(service, desired, observed, now)
    return Decision(_outcome(service, desired, observed, promotion, now), promotion.actions)


def service_route(service: Service, desired: Desired, observed: Observed) -> ServiceRoute:
    """Return where the service's requests should go: what Git pins, else what serves now (last good state)."""
    release = desired.release_of(service)
    before = observed.route_of.get(service.key)
    if service.spec.suspend and before is not None:
        return before
    active: TargetVersion | None = None
    if release is not None:
        pinned = TargetVersion(release.spec.version, Digest(release.spec.digest))
        active = pinned if _refusal(service, release, observed) is None else (before.active if before is not None else None)
    elif _is_release_lost(service, desired):
        active = before.active if before is not None else None
    return ServiceRoute(
        key=service.key,
        active=active,
        warm=_warm(service, active, desired, observed),
        body_limit=service.spec.limits.body,
        timeout=service.spec.limits.timeout,
    )


def _is_release_lost(service: Service, desired: Desired) -> bool:
    """Whether history knows nothing of a release that this operator wrote or followed: nobody took it back, it is gone."""
    lock = desired.locks.get(service.key)
    return desired.release_of(service) is None and lock is not None and not lock.history and lock.top_sequence > 0


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


def _model(service: Service, desired: Desired) -> Model | None:
    declared = desired.compiled.declared.get(ResourceKey("Model", service.metadata.namespace, service.spec.model))
    return declared.resource if declared is not None and isinstance(declared.resource, Model) else None


def _model_note(service: Service, desired: Desired, observed: Observed, now: datetime) -> str:
    """Return where the model stands, for a service that has nothing to serve yet."""
    model = _model(service, desired)
    return f"the model: {reconcile_model(model, desired, observed, now).outcome.message}" if model is not None else ""


def _promotion(service: Service, desired: Desired, observed: Observed, now: datetime) -> _Promotion:
    """Decide whether the version that speaks for the model must be released."""
    model = _model(service, desired)
    run = standing_run(model, desired, observed) if model is not None else None
    if run is None or run.state != "passed" or run.artifact is None or run.version is None:
        return _Promotion()
    lock = desired.locks.get(service.key) or LockState.empty()
    if lock.current is not None and run.artifact == lock.current.digest:
        return _Promotion()
    offered = f"v{run.version} of {service.spec.model}"
    held = _held_back(service, run.artifact, lock, desired)
    if held:
        return _Promotion(note=f"{offered} {held}")
    blocked = observed.blocked.get(service.key)
    if blocked is not None and blocked.digest == run.artifact and blocked.until > now:
        return _Promotion(note=f"{offered} cannot be written to Git: {blocked.message}", is_blocked=blocked.is_final)
    write = WriteRelease(service.key, service.spec.model, run.version, run.artifact, run.id)
    return _Promotion((write,), f"writing the release of {offered} to Git")


def _held_back(service: Service, digest: Digest, lock: LockState, desired: Desired) -> str:
    """Return why a version that passed is not to be released, if so."""
    if digest in lock.withdrawn:
        return "was withdrawn in Git and is not offered again"
    if service.spec.release.promote == "manual":
        return "passed its gates and waits for a person: spec.release.promote is manual"
    if desired.project.write_back.mode == "disabled":
        return "passed its gates, but spec.writeBack.mode of the project is disabled"
    if service.spec.release.after_revert == "hold" and lock.is_reverted:
        return "is held: a release was reverted and spec.release.afterRevert is hold"
    return ""


def _outcome(service: Service, desired: Desired, observed: Observed, promotion: _Promotion, now: datetime) -> Outcome:
    details = _details(service, desired, observed)
    release = desired.release_of(service)
    refusal = _refusal(service, release, observed) if release is not None else None
    if release is None or refusal is not None:
        note = promotion.note or _model_note(service, desired, observed, now)
        suffix = f"; {note}" if note else ""
        if refusal is not None:
            return Stalled("ArtifactUnverified", f"{refusal}; {_meanwhile(service, observed)}{suffix}", details)
        if _is_release_lost(service, desired):
            lost = "the branch's history no longer knows the release of this service: it was rewritten or replaced"
            mend = "push the release file again, or a change that makes a new version"
            return Stalled("ReleaseLost", f"{lost}; {_meanwhile(service, observed)}; {mend}{suffix}", details)
        if promotion.is_blocked:
            return Stalled("WriteBackBlocked", f"no release yet{suffix}", details)
        return Waiting(_LOOK_AGAIN, "NoRelease", f"no version of model/{service.spec.model} is released yet{suffix}", details)
    version, name, gateway = release.spec.version, service.metadata.name, observed.gateway
    if not gateway.is_up:
        why = f": {gateway.problem}" if gateway.problem else ""
        return Waiting(_SLOWLY, "GatewayStarting", f"the gateway is not up{why}", details)
    if gateway.active.get(name) == release.spec.digest and gateway.applied:
        suffix = f"; {promotion.note}" if promotion.note else ""
        serving = f"v{version} serves ({release.spec.digest[:19]}){suffix}"
        return Stalled("WriteBackBlocked", serving, details) if promotion.is_blocked else Done("Serving", serving, details)
    error = gateway.errors.get(name)
    if error and gateway.applied:
        message = f"v{version} cannot be loaded: {error}; {_meanwhile(service, observed)}"
        return Stalled("LoadFailed", message, details)
    return _switching(version, gateway, now, details)


def _switching(version: int, gateway: GatewayView, now: datetime, details: dict[str, object]) -> Outcome:
    if gateway.problem:
        return Stalled("GatewayUnreadable", f"the gateway runs, but cannot be asked: {gateway.problem}", details)
    if gateway.written_at is not None and now - gateway.written_at > _PATIENCE:
        since = f"{gateway.written_at:%Y-%m-%d %H:%M:%S} UTC"
        message = f"the gateway has not taken up the routes of {since}; what it served before goes on serving: see its log"
        return Stalled("GatewayUnresponsive", message, details)
    return Waiting(_SWITCHING, "Switching", f"the gateway is loading v{version}", details)


def _meanwhile(service: Service, observed: Observed) -> str:
    """Return what clients get from a service that cannot serve what Git pins."""
    serving = observed.gateway.active.get(service.metadata.name)
    return f"the last good version ({serving[:19]}) goes on serving" if serving else "nothing serves meanwhile"


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
