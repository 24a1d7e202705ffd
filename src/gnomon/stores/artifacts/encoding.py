"""Manifests as canonical JSON: equal manifests have equal bytes, hence one digest."""

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from gnomon.errors import ArtifactError, UsageError
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import MANIFEST_MEDIA_TYPE, TITLE_ANNOTATION, Descriptor, Layer, Manifest
from gnomon.stores.digests import digest_of, hex_of


def canonical_json(value: Any) -> bytes:
    """Return the one spelling of a JSON value: sorted keys, no spaces, UTF-8.

    Raises:
        UsageError: A text in it is not Unicode (it holds half of a surrogate pair).
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        found = text[max(error.start - 20, 0) : error.end]
        raise UsageError(f"{found!r} is not Unicode text", "take the unpaired surrogate out of it") from error


def manifest_of(
    artifact_type: str, config: Layer, layers: Sequence[Layer], annotations: Mapping[str, str] | None = None
) -> Manifest:
    """Return the manifest that names these files.

    Raises:
        UsageError: Two files have one title, or a title would leave the folder that the artifact is unpacked into.
    """
    titles = [layer.title for layer in (config, *layers)]
    for title in titles:
        path = PurePosixPath(title)
        if str(path) != title or path.is_absolute() or ".." in path.parts or title == ".":
            raise UsageError(f"{title!r} cannot be the title of a layer", "give a file name, or a plain relative path")
        if titles.count(title) > 1:
            raise UsageError(f"two files of the artifact have the title {title!r}", "give each file its own name")
    return Manifest(artifact_type, _descriptor_of(config), tuple(map(_descriptor_of, layers)), dict(annotations or {}))


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the canonical bytes of a manifest."""
    document: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_MEDIA_TYPE,
        "artifactType": manifest.artifact_type,
        "config": _encode_descriptor(manifest.config),
        "layers": [_encode_descriptor(layer) for layer in manifest.layers],
    }
    if manifest.annotations:
        document["annotations"] = dict(manifest.annotations)
    return canonical_json(document)


def decode_manifest(digest: Digest, content: bytes) -> Manifest:
    """Return the manifest in ``content``, which has been verified to have that digest.

    Raises:
        ArtifactError: The bytes are something else, such as a layer.
    """
    try:
        document = json.loads(content)
        if document["mediaType"] != MANIFEST_MEDIA_TYPE:
            raise ValueError(f"its media type is {document['mediaType']}")  # noqa: TRY301 - one way out for all that does not fit
        return Manifest(
            artifact_type=str(document.get("artifactType", "")),
            config=_decode_descriptor(document["config"]),
            layers=tuple(_decode_descriptor(layer) for layer in document["layers"]),
            annotations=_decode_annotations(document),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, UsageError) as error:
        raise ArtifactError(
            f"{digest} is not an OCI image manifest: {type(error).__name__}: {error}", "give the digest of an artifact"
        ) from error


def _descriptor_of(layer: Layer) -> Descriptor:
    return Descriptor(layer.media_type, digest_of(layer.content), len(layer.content), {TITLE_ANNOTATION: layer.title})


def _encode_descriptor(descriptor: Descriptor) -> dict[str, Any]:
    document: dict[str, Any] = {
        "mediaType": descriptor.media_type,
        "digest": descriptor.digest,
        "size": descriptor.size,
    }
    if descriptor.annotations:
        document["annotations"] = dict(descriptor.annotations)
    return document


def _decode_descriptor(document: Mapping[str, Any]) -> Descriptor:
    digest = Digest(str(document["digest"]))
    hex_of(digest)
    return Descriptor(str(document["mediaType"]), digest, int(document["size"]), _decode_annotations(document))


def _decode_annotations(document: Mapping[str, Any]) -> dict[str, str]:
    return {str(name): str(value) for name, value in (document.get("annotations") or {}).items()}
