"""Small real artifacts for tests: a regression whose weight tells which version answered, and a classifier of every kind."""

from collections.abc import Sequence

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from gnomon.inference.artifact import (
    ARTIFACT_TYPE,
    CONFIG_MEDIA_TYPE,
    DOC_MEDIA_TYPE,
    GOLDEN_FILE,
    MODEL_FILE,
    WEIGHT_MEDIA_TYPE,
    ArtifactConfig,
)
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.interface import ArtifactStore, Layer

REGRESSION = Signature(
    task="regression",
    target="y",
    inputs=(
        InputColumn("x", "float", "floats", 0, nullable=False),
        InputColumn("count", "integer", "floats", 1),
    ),
    outputs=(Output("prediction", "FP32"),),
)
"""``prediction = weight * x``; ``count`` is taken and ignored, missing or not."""

CLASSES = ("no", "yes")
CLASSIFICATION = Signature(
    task="classification",
    target="label",
    inputs=(
        InputColumn("late", "boolean", "floats", 0),
        InputColumn("at", "timestamp", "ints", 0),
        InputColumn("city", "string", "strings", 0),
    ),
    outputs=(Output("prediction", "BYTES"), Output("probabilities", "FP32", (2,))),
    classes=CLASSES,
)
"""``yes`` where ``late`` is true, or ``city`` is Zürich, or ``at`` is after the epoch.

The probability of ``yes`` is 0.9 then, otherwise 0.2.
"""


def regression_model(weight: float) -> bytes:
    """Return ``prediction = weight * floats[:, 0]``, float32 [N]."""
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["floats", "first"], ["x"], axis=1),
            helper.make_node("Mul", ["x", "weight"], ["prediction"]),
        ],
        "regression",
        [helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", 2])],
        [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N"])],
        [_constant("first", np.array(0, dtype=np.int64)), _constant("weight", np.array(weight, dtype=np.float32))],
    )
    return _serialized(graph)


def classification_model() -> bytes:
    """Return the graph that ``CLASSIFICATION`` describes."""
    graph = helper.make_graph(
        [
            helper.make_node("Squeeze", ["floats", "axis"], ["late"]),
            helper.make_node("Greater", ["late", "half"], ["is_late"]),
            helper.make_node("Squeeze", ["ints", "axis"], ["at"]),
            helper.make_node("Greater", ["at", "epoch"], ["is_after"]),
            helper.make_node("LabelEncoder", ["strings"], ["known"], domain="ai.onnx.ml", **_CITIES),
            helper.make_node("Squeeze", ["known", "axis"], ["place"]),
            helper.make_node("Greater", ["place", "epoch"], ["is_there"]),
            helper.make_node("Or", ["is_late", "is_after"], ["either"]),
            helper.make_node("Or", ["either", "is_there"], ["any"]),
            helper.make_node("Where", ["any", "high", "low"], ["p"]),
            helper.make_node("Sub", ["one", "p"], ["q"]),
            helper.make_node("Unsqueeze", ["p", "axis"], ["p1"]),
            helper.make_node("Unsqueeze", ["q", "axis"], ["q1"]),
            helper.make_node("Concat", ["q1", "p1"], ["probabilities"], axis=1),
            helper.make_node("ArgMax", ["probabilities"], ["best"], axis=1, keepdims=0),
            helper.make_node("LabelEncoder", ["best"], ["prediction"], domain="ai.onnx.ml", **_LABELS),
        ],
        "classification",
        [
            helper.make_tensor_value_info("floats", TensorProto.FLOAT, ["N", 1]),
            helper.make_tensor_value_info("ints", TensorProto.INT64, ["N", 1]),
            helper.make_tensor_value_info("strings", TensorProto.STRING, ["N", 1]),
        ],
        [
            helper.make_tensor_value_info("prediction", TensorProto.STRING, ["N"]),
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", 2]),
        ],
        [
            _constant("axis", np.array([1], dtype=np.int64)),
            _constant("half", np.array(0.5, dtype=np.float32)),
            _constant("epoch", np.array(0, dtype=np.int64)),
            _constant("one", np.array(1, dtype=np.float32)),
            _constant("high", np.array(0.9, dtype=np.float32)),
            _constant("low", np.array(0.2, dtype=np.float32)),
        ],
    )
    return _serialized(graph)


def make_artifact(store: ArtifactStore, weight: float = 1.0, *, golden: GoldenRows | None = None, model: str = "m") -> Digest:
    """Keep a regression that answers ``weight * x``. Give ``golden`` rows of your own to make it refuse to load."""
    rows = golden or GoldenRows(columns={"x": [1.0, -2.0, 0.0], "count": [1, None, 3]}, prediction=[weight, weight * -2.0, 0.0])
    return keep(store, regression_model(weight), ArtifactConfig(model, REGRESSION), rows)


def make_classifier(store: ArtifactStore, *, model: str = "c") -> Digest:
    """Keep the classifier that ``CLASSIFICATION`` describes."""
    rows = GoldenRows(
        columns={"late": [True, None, False], "at": [None, 0, 1_000_000], "city": ["Bern", None, "Bern"]},
        prediction=["yes", "no", "yes"],
        probabilities=[[0.1, 0.9], [0.8, 0.2], [0.1, 0.9]],
    )
    return keep(store, classification_model(), ArtifactConfig(model, CLASSIFICATION), rows)


def keep(store: ArtifactStore, model: bytes, config: ArtifactConfig, golden: GoldenRows, extra: Sequence[Layer] = ()) -> Digest:
    """Pack and keep an artifact."""
    return store.push(
        ARTIFACT_TYPE,
        Layer(CONFIG_MEDIA_TYPE, "config.json", msgspec.json.encode(config, order="deterministic")),
        [
            Layer(WEIGHT_MEDIA_TYPE, MODEL_FILE, model),
            Layer(DOC_MEDIA_TYPE, GOLDEN_FILE, msgspec.json.encode(golden, order="deterministic")),
            *extra,
        ],
    )


_CITIES = {"keys_strings": ["Zürich"], "values_int64s": [1], "default_int64": 0}
_LABELS = {"keys_int64s": [0, 1], "values_strings": list(CLASSES), "default_string": ""}


def _constant(name: str, values: np.ndarray) -> TensorProto:
    return numpy_helper.from_array(values, name)


def _serialized(graph: onnx.GraphProto) -> bytes:
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)])
    model.ir_version = 10
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString(deterministic=True)
    return content
