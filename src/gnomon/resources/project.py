"""Kind Project: how one repository is followed. One per repository; every key has a default."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from gnomon.resources.base import Resource, Strict
from gnomon.resources.quantities import Duration, Share


class Prune(Strict):
    """What happens to resources whose files are gone."""

    enabled: bool = True
    """Whether a resource whose file is gone is taken down."""
    max_fraction: Share = 0.25
    """Most of all resources that one commit may take down; a commit that removes more is held."""


class Sync(Strict):
    """How desired state is made real."""

    prune: Prune = Prune()
    """What happens to resources whose files are gone."""


class Author(Strict):
    """Who signs the operator's commits."""

    name: str = "gnomon"
    """The name in commits."""
    email: str = "gnomon@localhost"
    """The address in commits."""


class WriteBack(Strict):
    """How releases are written back to Git."""

    mode: Literal["direct", "disabled"] = "direct"
    """Push releases to the followed branch, or make none."""
    author: Author = Author()
    """Who the commits are by."""


class Source(Strict):
    """How the remote is polled."""

    interval: Duration = timedelta(seconds=30)
    """Time between two questions to the remote."""
    timeout: Duration = timedelta(seconds=60)
    """Longest that one operation with the remote may take."""


class ProjectSpec(Strict):
    """The whole of a Project."""

    source: Source = Source()
    """How the remote is polled."""
    sync: Sync = Sync()
    """How desired state is made real."""
    write_back: WriteBack = WriteBack()
    """How releases are written back."""


class Project(Resource):
    """How one repository is followed."""

    kind: Literal["Project"] = "Project"
    """Always ``Project``."""
    spec: ProjectSpec = Field(default_factory=ProjectSpec)
    """What is wanted."""
