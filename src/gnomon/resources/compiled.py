"""What a commit's files come to: resources with their origin, and problems with theirs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.project import Project
from gnomon.resources.release import Release
from gnomon.resources.service import Service

AnyResource = Project | Dataset | Pipeline | Model | Service | Release


@dataclass(frozen=True)
class ManifestFile:
    """One file of a commit (or of a folder), as bytes. ``blob`` names the content, and is the key of the parse cache."""

    path: str
    blob: str
    content: bytes


@dataclass(frozen=True)
class Problem:
    """Why a file or a resource was refused. Lines and columns count from 1; 0 means the whole file."""

    path: str
    line: int
    column: int
    cause: str
    mend: str
    key: ResourceKey | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}:{self.column}" if self.line else self.path
        return f"{where}: {self.cause} ({self.mend})"


@dataclass(frozen=True)
class Declared:
    """A resource and where it stands. ``spec_digest`` changes exactly when the canonical spec does."""

    resource: AnyResource
    path: str
    line: int
    blob: str
    spec_digest: str


@dataclass(frozen=True)
class Compiled:
    """The desired state of one commit.

    ``declared`` holds every good resource and, for those in ``held``, the last good version of a resource whose file
    (or whose own content) is broken in this commit.
    """

    declared: Mapping[ResourceKey, Declared] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    held: frozenset[ResourceKey] = frozenset()
