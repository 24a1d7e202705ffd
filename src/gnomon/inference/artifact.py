"""What an artifact consists of: media types, file names, and its configuration document."""

from typing import Any

import msgspec

from gnomon.inference.signature import Signature

ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHT_MEDIA_TYPE = "application/vnd.cncf.model.weight.v1.raw"
DOC_MEDIA_TYPE = "application/vnd.cncf.model.doc.v1.raw"

MODEL_FILE = "model.onnx"
GOLDEN_FILE = "golden.json"


class Provenance(msgspec.Struct, frozen=True, rename="camel"):
    """Where an artifact comes from, as digests: content only, so that equal inputs give an equal artifact."""

    snapshot: str
    candidate: str
    algorithm: str
    params: dict[str, Any]
    step_keys: dict[str, str]
    libraries: dict[str, str]


class ArtifactConfig(msgspec.Struct, frozen=True, rename="camel"):
    """The configuration blob of an artifact."""

    model: str
    signature: Signature
    provenance: Provenance
