"""Kind Release: the machine-owned lock file of a service. The operator writes it; ``git revert`` of it is the rollback."""

from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from gnomon.resources.base import Name, Resource, Strict

DIGEST_PATTERN = r"^sha256:[0-9a-f]{64}$"
DigestText = Annotated[str, StringConstraints(pattern=DIGEST_PATTERN)]


class ReleaseSpec(Strict):
    """The whole of a Release. ``sequence`` grows by one with every forward release; the revert rule reads it from history."""

    service: Name
    model: Name
    version: Annotated[int, Field(ge=1)]
    sequence: Annotated[int, Field(ge=1)]
    digest: DigestText
    previous: DigestText | None = None
    rejected: tuple[DigestText, ...] = ()
    """Digests that a person took back; automation never pins one of them again."""
    evidence: dict[str, Any] = Field(default_factory=dict)


class Release(Resource):
    """The pinned version of a service."""

    kind: Literal["Release"] = "Release"
    spec: ReleaseSpec


def release_path(namespace: str, service: str) -> str:
    """Return the path of a service's lock file in the repository."""
    return f"releases/{namespace}/{service}.yaml"
