"""The artifact store: OCI image manifests, their blobs, and tags."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from gnomon.resources.identity import Digest

TITLE_ANNOTATION = "org.opencontainers.image.title"
MANIFEST_MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True)
class Layer:
    """One file of an artifact; ``title`` is its file name."""

    media_type: str
    title: str
    content: bytes


@dataclass(frozen=True)
class Descriptor:
    """A blob as a manifest names it."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The file name, or an empty string."""
        return self.annotations.get(TITLE_ANNOTATION, "")


@dataclass(frozen=True)
class Manifest:
    """An OCI image manifest 1.1. Its digest is a function of what is in it: nothing in it tells the time."""

    artifact_type: str
    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)

    def layer(self, title: str) -> Descriptor | None:
        """Return the layer with that file name."""
        return next((layer for layer in self.layers if layer.title == title), None)


class ArtifactReader(Protocol):
    """The reading half, all that serving needs."""

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest, verified by its digest. Raises NotFoundError, CorruptBlobError."""
        ...

    def blob(self, digest: Digest) -> bytes:
        """Return a blob, verified by its digest. Raises NotFoundError, CorruptBlobError."""
        ...


class ArtifactStore(ArtifactReader, Protocol):
    """Keeps artifacts. An artifact is durable, with all its blobs, once ``push`` returns."""

    def push(
        self, artifact_type: str, config: Layer, layers: Sequence[Layer], annotations: Mapping[str, str] | None = None
    ) -> Digest:
        """Keep the blobs and the manifest, in that order, and return the manifest's digest."""
        ...

    def blob_path(self, digest: Digest) -> Path:
        """Return a local, read-only file with the blob."""
        ...

    def tag(self, name: str, digest: Digest) -> None:
        """Let ``name`` (such as ``arrival-delay:7``) point to a kept manifest; moves an existing tag."""
        ...

    def tags(self) -> Mapping[str, Digest]:
        """Return every tag."""
        ...
