"""What an artifact consists of: media types, file names, and its configuration document."""

import msgspec

from gnomon.inference.signature import Signature

ARTIFACT_TYPE = "application/vnd.cncf.model.manifest.v1+json"
CONFIG_MEDIA_TYPE = "application/vnd.cncf.model.config.v1+json"
WEIGHT_MEDIA_TYPE = "application/vnd.cncf.model.weight.v1.raw"
DOC_MEDIA_TYPE = "application/vnd.cncf.model.doc.v1.raw"

MODEL_FILE = "model.onnx"
PAYLOAD_FILE = "model.skops"
"""Instead of a graph, where a model says ``runtime: python``: an estimator, answered for by processes of its own."""
GOLDEN_FILE = "golden.json"


class ArtifactConfig(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The configuration blob of an artifact.

    How it was made is told by the run that registered it, not here: an artifact is named by what it answers, so a model
    that comes out the same twice is the same version, and one that a person took back cannot return under another name.
    """

    model: str
    signature: Signature
    libraries: dict[str, str] = {}
    """Of a payload: the versions of the libraries that it was made and judged with."""
