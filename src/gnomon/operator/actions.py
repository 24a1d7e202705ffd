"""Everything that a plan may ask to be done, as values that people can read."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from gnomon.resources.compiled import Declared
from gnomon.resources.identity import Digest, ResourceKey, Revision


@dataclass(frozen=True)
class TargetVersion:
    """A version of a model, and the artifact that it is."""

    version: int
    digest: Digest


@dataclass(frozen=True)
class Apply:
    """Record a resource as declared at a commit. ``change`` is ``moved`` where only its file or position differs."""

    declared: Declared
    revision: Revision
    change: Literal["create", "update", "moved"]

    @property
    def key(self) -> ResourceKey:
        """The resource."""
        return self.declared.resource.key

    def __str__(self) -> str:
        return f"{self.change} {self.key}"


@dataclass(frozen=True)
class Prune:
    """Stop and forget a resource that is no longer declared. Data, artifacts, runs and logs stay."""

    key: ResourceKey

    def __str__(self) -> str:
        return f"prune {self.key}"


@dataclass(frozen=True)
class TakeSnapshot:
    """Read a dataset's files, enforce its schema, run its checks."""

    key: ResourceKey
    spec_digest: str
    fingerprint: str

    def __str__(self) -> str:
        return f"snapshot {self.key}"


@dataclass(frozen=True)
class StartRun:
    """Train, judge and perhaps register a version of a model; ``resume`` names a run that a crash left behind."""

    key: ResourceKey
    fingerprint: str
    parts: tuple[tuple[str, str], ...]
    snapshot: Digest
    champion: Digest | None
    why: str
    resume: str | None = None
    released: tuple[TargetVersion, ...] = ()
    """Versions of the model that Git's history names."""

    def __str__(self) -> str:
        return f"{'resume' if self.resume else 'train'} {self.key}: {self.why}"


@dataclass(frozen=True)
class CancelRun:
    """Stop a run whose result nobody wants any more."""

    key: ResourceKey
    run: str
    why: str

    def __str__(self) -> str:
        return f"cancel run {self.run} of {self.key}: {self.why}"


@dataclass(frozen=True)
class WriteRelease:
    """Commit a service's release to Git. Traffic moves only when the commit has come back."""

    key: ResourceKey
    model: str
    version: int
    digest: Digest
    run: str

    def __str__(self) -> str:
        return f"release {self.key}: {self.model} v{self.version}"


@dataclass(frozen=True)
class ServiceRoute:
    """Where a service's requests go. Without ``active`` the service answers that it has no release yet."""

    key: ResourceKey
    active: TargetVersion | None
    warm: tuple[TargetVersion, ...]
    body_limit: int
    timeout: timedelta


@dataclass(frozen=True)
class SetRoutes:
    """Replace the gateway's routes. ``why`` names the services whose traffic changes."""

    routes: tuple[ServiceRoute, ...]
    why: str

    def __str__(self) -> str:
        return f"route {self.why}"


@dataclass(frozen=True)
class StartGateway:
    """Start the gateway, which is not running."""

    def __str__(self) -> str:
        return "start the gateway"


Action = StartGateway | Apply | Prune | TakeSnapshot | StartRun | CancelRun | WriteRelease | SetRoutes


def action_json(action: Action) -> dict[str, Any]:
    """Return an action as plain JSON values for people and programs."""
    kind = type(action).__name__
    if isinstance(action, StartGateway):
        return {"action": kind, "text": str(action)}
    if isinstance(action, SetRoutes):
        return {"action": kind, "text": str(action), "services": [str(route.key) for route in action.routes]}
    return {"action": kind, "resource": str(action.key), "text": str(action)}
