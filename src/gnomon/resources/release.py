"""Kind Release: the machine-owned lock file of a service. The operator writes it; ``git revert`` of it is the rollback."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gnomon.resources.base import Name, Resource, Strict

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
DigestText = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]


class ReleaseSpec(Strict):
    """The whole of a Release. ``sequence`` grows by one with every forward release; the revert rule reads it from history."""

    service: Name
    """The Service that it pins; the release has the same name."""
    model: Name
    """The Model that made the version."""
    version: Annotated[int, Field(ge=1)]
    """The version of that model."""
    sequence: Annotated[int, Field(ge=1)]
    """Grows by one with every forward release, and goes back with a revert."""
    digest: DigestText
    """The artifact that serves."""
    previous: DigestText | None = None
    """The artifact that served before."""
    rejected: tuple[DigestText, ...] = ()
    """Digests that a person took back; automation never pins one of them again."""
    evidence: dict[str, Any] = Field(default_factory=dict)
    """How it came to be: run, code, data, gates."""


class Release(Resource):
    """The pinned version of a service."""

    kind: Literal["Release"] = "Release"
    """Always ``Release``."""
    spec: ReleaseSpec
    """What is pinned."""


def release_path(namespace: str, service: str) -> str:
    """Return the path of a service's lock file in the repository."""
    return f"releases/{namespace}/{service}.yaml"
