"""Kind Project: how one repository is followed. One per repository; every key has a default."""

from datetime import timedelta
from typing import Literal

from pydantic import Field

from gnomon.resources.base import Resource, Strict
from gnomon.resources.quantities import Duration, Share


class Prune(Strict):
    """What happens to resources whose files are gone."""

    enabled: bool = True
    max_fraction: Share = 0.25


class Sync(Strict):
    """How desired state is made real."""

    prune: Prune = Prune()


class Author(Strict):
    """Who signs the operator's commits."""

    name: str = "gnomon"
    email: str = "gnomon@localhost"


class WriteBack(Strict):
    """How releases are written back to Git."""

    mode: Literal["direct", "disabled"] = "direct"
    author: Author = Author()


class Source(Strict):
    """How the remote is polled."""

    interval: Duration = timedelta(seconds=30)
    timeout: Duration = timedelta(seconds=60)


class ProjectSpec(Strict):
    """The whole of a Project."""

    source: Source = Source()
    sync: Sync = Sync()
    write_back: WriteBack = WriteBack()


class Project(Resource):
    """How one repository is followed."""

    kind: Literal["Project"] = "Project"
    spec: ProjectSpec = Field(default_factory=ProjectSpec)
