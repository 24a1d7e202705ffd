"""Artifacts in memory, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.encoding import decode_manifest, encode_manifest, manifest_of
from gnomon.stores.artifacts.interface import Layer, Manifest
from gnomon.stores.artifacts.tags import checked_tag
from gnomon.stores.content_memory import ContentMemory


class MemoryArtifactStore:
    """The twin of the OCI layout: equal artifacts get equal digests in both."""

    def __init__(self) -> None:
        self._blobs = ContentMemory()
        self._tags: dict[str, Digest] = {}

    def push(
        self, artifact_type: str, config: Layer, layers: Sequence[Layer], annotations: Mapping[str, str] | None = None
    ) -> Digest:
        """Keep an artifact and return its manifest's digest."""
        manifest = manifest_of(artifact_type, config, layers, annotations)
        for layer in (config, *layers):
            self._blobs.put(layer.content)
        return self._blobs.put(encode_manifest(manifest))

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest. Raises NotFoundError, ArtifactError where the digest names something else."""
        return decode_manifest(digest, self._blobs.get(digest))

    def blob(self, digest: Digest) -> bytes:
        """Return a blob. Raises NotFoundError."""
        return self._blobs.get(digest)

    def blob_path(self, digest: Digest) -> Path:
        """Return a read-only file with the blob. Raises NotFoundError."""
        return self._blobs.path(digest)

    def tag(self, name: str, digest: Digest) -> None:
        """Let a tag point to a kept manifest."""
        checked_tag(name)
        self.manifest(digest)
        self._tags[name] = digest

    def tags(self) -> Mapping[str, Digest]:
        """Return every tag."""
        return dict(self._tags)
