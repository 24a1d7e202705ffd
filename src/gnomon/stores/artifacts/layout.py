"""Artifacts as an OCI image layout, the folder that skopeo, oras and crane read and write.

``skopeo inspect --raw oci:FOLDER:TAG`` shows an artifact. A tag stands in ``index.json`` as the annotation
``org.opencontainers.image.ref.name``, as it is: skopeo takes everything behind the first colon for the tag, so
``arrival-delay:7`` and ``pricing/arrival-delay:7`` work. (It refuses three dashes in a row; then take the digest.)
"""

import fcntl
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gnomon.errors import StoreError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.encoding import canonical_json, decode_manifest, encode_manifest, manifest_of
from gnomon.stores.artifacts.interface import MANIFEST_MEDIA_TYPE, Layer, Manifest
from gnomon.stores.artifacts.tags import checked_tag
from gnomon.stores.content import ContentFolder
from gnomon.stores.digests import hex_of
from gnomon.stores.durable import Drafts, disk_errors, replace_file

_INDEX_MEDIA_TYPE = "application/vnd.oci.image.index.v1+json"
_LAYOUT = canonical_json({"imageLayoutVersion": "1.0.0"})
_REF_NAME = "org.opencontainers.image.ref.name"

_Entry = dict[str, Any]
"""A descriptor in ``index.json``. Other programs may have put entries and fields there: they are kept."""


class OciLayout:
    """The real artifact store. Processes may push and tag at the same time; reading asks for no lock.

    Only writing makes the folder, so a reader may be there first.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._layout_path = root / "oci-layout"
        self._index_path = root / "index.json"
        self._blobs = ContentFolder(root / "blobs" / "sha256", root / "tmp", fan_out=False)
        self._drafts = Drafts(root / "tmp")

    def push(
        self, artifact_type: str, config: Layer, layers: Sequence[Layer], annotations: Mapping[str, str] | None = None
    ) -> Digest:
        """Keep the blobs, the manifest and its entry in the index, in that order, and return the manifest's digest."""
        manifest = manifest_of(artifact_type, config, layers, annotations)
        for layer in (config, *layers):
            self._blobs.put(layer.content)
        content = encode_manifest(manifest)
        digest = self._blobs.put(content)

        def with_manifest(entries: list[_Entry]) -> list[_Entry]:
            known = any(entry["digest"] == digest for entry in entries)
            return entries if known else [*entries, _entry(manifest, digest, len(content))]

        self._change_index(with_manifest)
        return digest

    def manifest(self, digest: Digest) -> Manifest:
        """Return a manifest, verified. Raises NotFoundError, CorruptBlobError, ArtifactError where it is something else."""
        return decode_manifest(digest, self._blobs.get(digest))

    def blob(self, digest: Digest) -> bytes:
        """Return a blob (a manifest's bytes too), verified. Raises NotFoundError, CorruptBlobError."""
        return self._blobs.get(digest)

    def blob_path(self, digest: Digest) -> Path:
        """Return the file with the blob, not verified. Raises NotFoundError."""
        return self._blobs.path(digest)

    def tag(self, name: str, digest: Digest) -> None:
        """Let a tag point to a kept manifest. What it pointed to stays in the index without it."""
        checked_tag(name)
        content = self._blobs.get(digest)
        manifest = decode_manifest(digest, content)

        def with_tag(entries: list[_Entry]) -> list[_Entry]:
            if any(_tag(entry) == name and entry["digest"] == digest for entry in entries):
                return entries
            untagged = [_without_tag(entry) if _tag(entry) == name else entry for entry in entries]
            return [*untagged, {**_entry(manifest, digest, len(content)), "annotations": {_REF_NAME: name}}]

        self._change_index(with_tag)

    def tags(self) -> Mapping[str, Digest]:
        """Return every tag."""
        return {name: Digest(entry["digest"]) for entry in _entries(self._index()) if (name := _tag(entry)) is not None}

    def sweep(self) -> int:
        """Remove what dead processes left half-written and return how many files that were."""
        return self._blobs.sweep()

    def _change_index(self, change: Callable[[list[_Entry]], list[_Entry]]) -> None:
        with disk_errors(f"change {self._index_path}"), self._index_lock():
            index = self._index()
            entries = _entries(index)
            changed = _tidied(change(entries))
            if changed != entries:
                if not self._layout_path.exists():
                    replace_file(self._layout_path, _LAYOUT, self._drafts)
                replace_file(self._index_path, canonical_json({**index, "manifests": changed}), self._drafts)

    @contextmanager
    def _index_lock(self) -> Iterator[None]:
        with (self._root / "index.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # ends with the file, or with the process
            yield

    def _index(self) -> dict[str, Any]:
        try:
            content = self._index_path.read_bytes()
        except FileNotFoundError:
            return {"schemaVersion": 2, "mediaType": _INDEX_MEDIA_TYPE, "manifests": []}
        except OSError as error:
            raise StoreError(f"cannot read {self._index_path}: {error.strerror}", "see that this user may read it") from error
        try:
            index = json.loads(content)
            for entry in _entries(index):
                hex_of(entry["digest"])
                _tag(entry)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
            raise StoreError(
                f"{self._index_path} is not an OCI image index: {type(error).__name__}: {error}",
                "restore it from a backup, or move it away: the artifacts stay, only tags and entries must be made anew",
            ) from error
        return index  # type: ignore[no-any-return]  # just looked through


def _entries(index: Mapping[str, Any]) -> list[_Entry]:
    return list(index["manifests"])


def _entry(manifest: Manifest, digest: Digest, size: int) -> _Entry:
    return {"mediaType": MANIFEST_MEDIA_TYPE, "artifactType": manifest.artifact_type, "digest": digest, "size": size}


def _tag(entry: _Entry) -> str | None:
    return (entry.get("annotations") or {}).get(_REF_NAME)


def _without_tag(entry: _Entry) -> _Entry:
    annotations = {name: value for name, value in entry["annotations"].items() if name != _REF_NAME}
    bare = {name: value for name, value in entry.items() if name != "annotations"}
    return {**bare, "annotations": annotations} if annotations else bare


def _tidied(entries: list[_Entry]) -> list[_Entry]:
    """Return the entries without those that have no tag and name what another entry names too."""
    kept: list[_Entry] = []
    named = {entry["digest"] for entry in entries if _tag(entry) is not None}
    for entry in entries:
        if _tag(entry) is not None:
            kept.append(entry)
        elif entry["digest"] not in named:
            named.add(entry["digest"])
            kept.append(entry)
    return kept
