"""Everything that a plan may ask to be done, as values that people can read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from gnomon.data.windows import Grid, Window
from gnomon.resources.compiled import Declared
from gnomon.resources.identity import Digest, ResourceKey, Revision


@dataclass(frozen=True)
class TargetVersion:
    """A version of a model, and the artifact that it is."""

    version: int
    digest: Digest


@dataclass(frozen=True)
class IndexRequest:
    """What is to be known of a dataset's rows by event time: the time column, and the parts of time."""

    dataset: ResourceKey
    time: str
    grid: Grid

    @property
    def name(self) -> str:
        """Return the name of the setting that keeps it."""
        return f"windows/{self.dataset.namespace}/{self.dataset.name}/{self.grid}/{self.time}"


@dataclass(frozen=True)
class RunWindow:
    """The window that a run learns from. ``index`` names what is known of the snapshot's rows by time.

    ``newest`` is the end of the newest window that was wanted then: what ends later is news, what ends earlier was asked for.
    """

    window: Window
    rows: int
    index: Digest
    newest: datetime

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values, as runs record them."""
        window = self.window
        named = {"label": window.label, "start": window.start.isoformat(), "end": window.end.isoformat()}
        return {**named, "rows": self.rows, "index": self.index, "newest": self.newest.isoformat()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "RunWindow":
        """Return what ``to_json`` wrote."""
        window = Window(datetime.fromisoformat(value["start"]), datetime.fromisoformat(value["end"]))
        return RunWindow(window, value["rows"], Digest(value["index"]), datetime.fromisoformat(value["newest"]))


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
class PipelineInputs:
    """The data of a run of a pipeline, by the names of its inputs."""

    snapshots: tuple[tuple[str, Digest], ...] = ()
    files: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Blobs of the commit, in the order of their paths."""


@dataclass(frozen=True)
class IndexWindows:
    """Count and digest the rows of a snapshot by event time, so that windows can be told apart."""

    key: ResourceKey
    request: IndexRequest
    snapshot: Digest

    def __str__(self) -> str:
        return f"index {self.key} by {self.request.time}"


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
    window: RunWindow | None = None
    """None where the model learns from all rows."""

    def __str__(self) -> str:
        return f"{'resume' if self.resume else 'train'} {self.key}: {self.why}"


@dataclass(frozen=True)
class StartPipelineRun:
    """Run the steps of a pipeline that are not known yet; ``resume`` names a run that a crash left behind."""

    key: ResourceKey
    fingerprint: str
    parts: tuple[tuple[str, str], ...]
    inputs: PipelineInputs
    checkout: str
    why: str
    cause: Literal["change", "schedule", "person"] = "change"
    params: Mapping[str, Any] = field(default_factory=dict)
    """Values that a person gave instead of those that are declared."""
    run: str | None = None
    """The id that a person was told."""
    resume: str | None = None

    def __str__(self) -> str:
        return f"{'resume' if self.resume else 'run'} {self.key}: {self.why}"


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


Action = (
    StartGateway
    | Apply
    | Prune
    | TakeSnapshot
    | IndexWindows
    | StartRun
    | StartPipelineRun
    | CancelRun
    | WriteRelease
    | SetRoutes
)


def action_json(action: Action) -> dict[str, Any]:
    """Return an action as plain JSON values for people and programs."""
    kind = type(action).__name__
    if isinstance(action, StartGateway):
        return {"action": kind, "text": str(action)}
    if isinstance(action, SetRoutes):
        return {"action": kind, "text": str(action), "services": [str(route.key) for route in action.routes]}
    return {"action": kind, "resource": str(action.key), "text": str(action)}
