"""A passed candidate becomes an artifact: vetted, in canonical bytes, kept under its digest."""

import msgspec

from gnomon.errors import ArtifactError
from gnomon.estimators.payload import is_payload, vet_payload
from gnomon.inference.artifact import (
    ARTIFACT_TYPE,
    CONFIG_MEDIA_TYPE,
    DOC_MEDIA_TYPE,
    GOLDEN_FILE,
    MODEL_FILE,
    PAYLOAD_FILE,
    WEIGHT_MEDIA_TYPE,
    ArtifactConfig,
)
from gnomon.inference.golden import GoldenRows
from gnomon.registry.vetting import vet_model
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import ArtifactStore, Layer

CONFIG_FILE = "config.json"


def pack(artifacts: ArtifactStore, config: ArtifactConfig, model: bytes, golden: GoldenRows) -> Digest:
    """Keep an artifact and return its digest; it is durable then. Equal arguments give an equal digest, on any machine.

    Args:
        artifacts: Where it is kept.
        config: Its configuration.
        model: The serialized ONNX graph, or the payload of an estimator.
        golden: Rows that every replica replays before it is ready.

    Raises:
        ArtifactError: The model is refused (``vet_model``, ``vet_payload``), there are no golden rows, or they lack an input.
        StoreError: The store cannot keep it.
    """
    title = PAYLOAD_FILE if is_payload(model) else MODEL_FILE
    if title == PAYLOAD_FILE:
        vet_payload(model)
    else:
        vet_model(model)
    _require_golden_rows(config, golden)
    return artifacts.push(
        ARTIFACT_TYPE,
        Layer(CONFIG_MEDIA_TYPE, CONFIG_FILE, canonical_json(config)),
        (Layer(WEIGHT_MEDIA_TYPE, title, model), Layer(DOC_MEDIA_TYPE, GOLDEN_FILE, canonical_json(golden))),
    )


def canonical_json(document: msgspec.Struct) -> bytes:
    """Return the one JSON form of a document: sorted keys, no spaces, UTF-8."""
    return msgspec.json.encode(document, order="sorted")


def _require_golden_rows(config: ArtifactConfig, golden: GoldenRows) -> None:
    """Refuse an artifact that would replay nothing: a replica could not tell a runtime that computes differently."""
    if not golden.prediction:
        raise ArtifactError(f"the artifact of {config.model} has no golden rows", "choose rows with their expected answers")
    inputs = {column.name for column in config.signature.inputs}
    if inputs != golden.columns.keys():
        raise ArtifactError(
            f"the golden rows of {config.model} hold {sorted(golden.columns)}, the model reads {sorted(inputs)}",
            "record golden rows of exactly the model's inputs",
        )
    expected = {"prediction", *golden.outputs, *(["probabilities"] if golden.probabilities else [])}
    if missing := [output.name for output in config.signature.outputs if output.name not in expected]:
        raise ArtifactError(
            f"the golden rows of {config.model} expect no {missing[0]}",
            "record them: the prediction alone hides most differences",
        )
