"""A digest becomes a model that may answer: blobs verified, session built, golden rows replayed."""

from dataclasses import dataclass
from typing import TypeVar

import msgspec

from gnomon.errors import ArtifactError
from gnomon.inference.artifact import ARTIFACT_TYPE, GOLDEN_FILE, MODEL_FILE, PAYLOAD_FILE, ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Answering, Predictor
from gnomon.inference.worker_process import WorkerPredictor
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import ArtifactReader, Manifest

_T = TypeVar("_T")


@dataclass(frozen=True)
class LoadedArtifact:
    """An artifact that reproduced its golden rows on this runtime."""

    digest: Digest
    config: ArtifactConfig
    predictor: Answering
    golden: GoldenRows


def load_artifact(reader: ArtifactReader, digest: Digest) -> LoadedArtifact:
    """Return the artifact, ready to answer.

    Raises:
        NotFoundError: The manifest or a blob is not there.
        CorruptBlobError: Bytes do not have the digest that names them.
        ArtifactError: This is no artifact of ours, or its model cannot be loaded.
        GoldenRowsError: This runtime does not reproduce the golden rows.
    """
    manifest = reader.manifest(digest)
    if manifest.artifact_type != ARTIFACT_TYPE:
        raise ArtifactError(f"{digest} is of type {manifest.artifact_type!r}", f"name an artifact of type {ARTIFACT_TYPE}")
    config = _decoded(reader.blob(manifest.config.digest), ArtifactConfig, digest, "configuration")
    golden = _decoded(_file(reader, manifest, digest, GOLDEN_FILE), GoldenRows, digest, GOLDEN_FILE)
    predictor = _predictor(reader, manifest, digest, config)
    replay(predictor, golden)
    return LoadedArtifact(digest, config, predictor, golden)


def _predictor(reader: ArtifactReader, manifest: Manifest, digest: Digest, config: ArtifactConfig) -> Answering:
    if manifest.layer(PAYLOAD_FILE) is None:
        return Predictor(_file(reader, manifest, digest, MODEL_FILE), config.signature)
    try:
        return WorkerPredictor(_file(reader, manifest, digest, PAYLOAD_FILE), config.signature)
    except ArtifactError as error:
        made_with = ", ".join(f"{name} {version}" for name, version in sorted(config.libraries.items()))
        raise ArtifactError(error.cause, f"{error.mend}; it was made with {made_with}") from error


def _file(reader: ArtifactReader, manifest: Manifest, digest: Digest, title: str) -> bytes:
    layer = manifest.layer(title)
    if layer is None:
        raise ArtifactError(f"artifact {digest} has no file {title}", "pack the artifact anew")
    return reader.blob(layer.digest)


def _decoded(content: bytes, kind: type[_T], digest: Digest, what: str) -> _T:
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.MsgspecError as error:
        raise ArtifactError(f"the {what} of artifact {digest} is not valid: {error}", "pack the artifact anew") from error
