"""The plan: a pure function from desired and observed state to everything that will be done.

It is the whole of the operator's judgement; ``gnomon plan`` prints the same thing for a folder of files.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from gnomon.operator.actions import Action, Apply, Prune, ServiceRoute, SetRoutes, StartGateway
from gnomon.operator.controllers.dataset import reconcile_dataset
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.controllers.model import reconcile_model
from gnomon.operator.controllers.pipeline import reconcile_pipeline
from gnomon.operator.controllers.service import reconcile_service, service_route
from gnomon.operator.outcomes import Done, Outcome, Stalled
from gnomon.operator.state import Desired, Observed
from gnomon.resources.compiled import Declared
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.project import Project
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.stores.records.interface import ResourceRecord


@dataclass(frozen=True)
class Plan:
    """What is to be done, in order, and where every declared resource stands."""

    actions: tuple[Action, ...]
    outcomes: Mapping[ResourceKey, Outcome]
    prune_refused: str = ""
    """Why resources that are no longer declared are kept, if they are."""


def plan(desired: Desired, observed: Observed, now: datetime) -> Plan:
    """Return everything that must be done for ``observed`` to become ``desired``. Nothing to do gives no actions."""
    applied = tuple(_applied(desired, observed))
    pruned, prune_refused = _pruned(desired, observed)
    actions: list[Action] = [*applied, *pruned]
    if not observed.gateway.is_up:
        actions.insert(0, StartGateway())
    outcomes: dict[ResourceKey, Outcome] = {}
    for key, declared in desired.in_order:
        decision = _decide(declared, desired, observed, now)
        outcomes[key] = _held(key, decision.outcome, desired) or decision.outcome
        actions.extend(decision.actions)
    if prune_refused:
        outcomes |= {
            record.key: Stalled("PruneRefused", prune_refused, record.status.details) for record in _gone(desired, observed)
        }
    actions.extend(_routes(desired, observed, is_pruning_refused=bool(prune_refused)))
    return Plan(tuple(actions), outcomes, prune_refused)


def _decide(declared: Declared, desired: Desired, observed: Observed, now: datetime) -> Decision:
    resource = declared.resource
    match resource:
        case Project():
            return Decision(Done("Followed", "the repository is followed with these settings"))
        case Dataset():
            return reconcile_dataset(declared, resource, desired, observed, now)
        case Pipeline():
            return reconcile_pipeline(resource, desired, observed, now)
        case Model():
            return reconcile_model(resource, desired, observed, now)
        case Service():
            return reconcile_service(resource, desired, observed, now)
        case Release():
            message = f"v{resource.spec.version} of {resource.spec.model} is pinned"
            return Decision(Done("Pinned", message, {"digest": resource.spec.digest, "version": resource.spec.version}))


def _held(key: ResourceKey, outcome: Outcome, desired: Desired) -> Outcome | None:
    """Return the outcome of a resource whose file is broken in this commit: its last good declaration stays in force."""
    if key not in desired.compiled.held:
        return None
    path = desired.compiled.declared[key].path
    problems = [str(p) for p in desired.compiled.problems if p.key == key or (p.key is None and p.path == path)]
    why = "; ".join(problems) or f"{path} cannot be read"
    return Stalled("InvalidManifest", f"{why}; the last good declaration stays in force", outcome.details)


def _applied(desired: Desired, observed: Observed) -> Iterable[Apply]:
    for key, declared in desired.in_order:
        if key in desired.compiled.held:
            continue
        record = observed.resources.get(key)
        if record is None:
            yield Apply(declared, desired.revision, "create")
        elif record.spec_digest != declared.spec_digest:
            yield Apply(declared, desired.revision, "update")
        elif (record.path, record.line, record.blob) != (declared.path, declared.line, declared.blob):
            yield Apply(declared, desired.revision, "moved")


def _pruned(desired: Desired, observed: Observed) -> tuple[tuple[Prune, ...], str]:
    """Return what is to be pruned. A mass deletion is refused whole: it is more often an accident than a wish."""
    # A release file is removed by reverting the first release, which has its own meaning; it needs no guard.
    releases = tuple(Prune(key) for key in observed.resources if key.kind == "Release" and key not in desired.compiled.declared)
    others = _gone(desired, observed)
    refusal = _prune_refusal(desired, observed, others)
    return (releases, refusal) if refusal else ((*releases, *(Prune(record.key) for record in others)), "")


def _gone(desired: Desired, observed: Observed) -> list[ResourceRecord]:
    """Return the recorded resources that are no longer declared, but for releases."""
    declared = desired.compiled.declared
    return [record for key, record in observed.resources.items() if key not in declared and key.kind != "Release"]


def _prune_refusal(desired: Desired, observed: Observed, gone: list[ResourceRecord]) -> str:
    if not gone:
        return ""
    prune = desired.project.sync.prune
    names = ", ".join(str(record.key) for record in gone)
    if not prune.enabled:
        return f"{names} left the repository; spec.sync.prune.enabled is false, so they stay"
    unreadable = sorted({problem.path for problem in desired.compiled.problems if problem.key is None})
    if unreadable:
        # A renamed file with a syntax error in it looks like a deletion.
        return f"{names} left the repository, or stand in {', '.join(unreadable)}, which cannot be read; until then they stay"
    if desired.allowed_prunes is not None and len(gone) <= desired.allowed_prunes:
        return ""
    mend = f"a commit with the trailer `Gnomon-Allow-Prune: {len(gone)}` lets them go"
    # What is new counts as well: otherwise the same commit would be judged otherwise before and after it is applied.
    guarded = {key for key in (*observed.resources, *desired.compiled.declared) if key.kind != "Release"}
    if len(gone) == len(guarded):
        return f"every resource left the repository ({names}); nothing is pruned; {mend}"
    if len(gone) > max(1, int(prune.max_fraction * len(guarded))):
        share = f"{len(gone)} of {len(guarded)} resources"
        return f"{share} left the repository ({names}), more than spec.sync.prune.maxFraction allows; they stay; {mend}"
    return ""


def _routes(desired: Desired, observed: Observed, *, is_pruning_refused: bool) -> Iterable[SetRoutes]:
    routes = tuple(service_route(service, desired, observed) for _, service in desired.services())
    # A service whose pruning was refused keeps the route that it has; so does one that may stand in a file that cannot be read,
    # even where the records that would tell so are lost.
    is_unreadable = any(problem.key is None for problem in desired.compiled.problems)
    kept = tuple(
        route
        for key, route in observed.route_of.items()
        if key not in desired.compiled.declared and (is_unreadable or (is_pruning_refused and key in observed.resources))
    )
    if kept:
        routes = tuple(sorted((*routes, *kept), key=lambda route: route.key))
    if observed.routes is None or routes != observed.routes:
        yield SetRoutes(routes, _what_changes(routes, observed.routes or ()))


def _what_changes(routes: tuple[ServiceRoute, ...], before: tuple[ServiceRoute, ...]) -> str:
    old = {route.key: route for route in before}
    new = {route.key: route for route in routes}
    changes = [f"{key} to {_version(route)}" for key, route in new.items() if old.get(key) != route]
    changes += [f"{key} to nothing" for key in old if key not in new]
    return ", ".join(changes) or "nothing yet"


def _version(route: ServiceRoute) -> str:
    return f"v{route.active.version}" if route.active is not None else "no release"
