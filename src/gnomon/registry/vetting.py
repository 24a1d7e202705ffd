"""What an ONNX model must be before it is packed: bounded, self-contained, and made of standard operators only.

A graph here is a straight line of operators. What a hostile or broken file could do is refused by its shape, before any
runtime sees it: read another file (external data), never finish loading (local functions that call each other), or never
finish answering (loops). Memory that an operator asks for is bounded where the model first runs, by the step's limit.
"""

from collections.abc import Iterator

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types

from gnomon.errors import ArtifactError

LARGEST_MODEL_BYTES = 2**29
"""512 MiB; protocol buffers end at 2 GiB, and a gateway keeps several models in memory."""

DOMAINS = frozenset({"", "ai.onnx", "ai.onnx.ml"})
_EXTERNAL = onnx.TensorProto.EXTERNAL
_MEND = "export a self-contained graph of ai.onnx and ai.onnx.ml operators, without functions and loops"


def vet_model(content: bytes) -> None:
    """Check a serialized model.

    Raises:
        ArtifactError: It is too large, no valid ONNX model, or refers to anything outside itself; the cause names what.
    """
    if len(content) > LARGEST_MODEL_BYTES:
        raise ArtifactError(
            f"the model has {len(content)} bytes, the most that is packed is {LARGEST_MODEL_BYTES}",
            "train a smaller model: fewer trees, leaves or columns",
        )
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise ArtifactError("the model is not a serialized ONNX model", "pack the bytes of an .onnx file") from error
    if not model.graph.node:
        raise ArtifactError("the model's graph has no operator", "pack the bytes of an .onnx file")
    fault = next(_faults(model), None)
    if fault is not None:
        raise ArtifactError(f"the model {fault}", _MEND)
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        raise ArtifactError(f"the model is not valid ONNX: {str(error).partition(chr(10))[0][:300]}", _MEND) from error


def _faults(model: onnx.ModelProto) -> Iterator[str]:
    """Yield what is wrong with a model's shape, in words that follow "the model"."""
    if model.functions:
        yield f"defines the local function {model.functions[0].name!r}"
    if model.training_info:
        yield "carries training information"
    for opset in model.opset_import:
        if opset.domain not in DOMAINS:
            yield f"imports operators of the domain {opset.domain!r}"
    for node in model.graph.node:
        if node.domain not in DOMAINS:
            yield f"uses operator {node.op_type} of the domain {node.domain!r}"
        if any(attribute.HasField("g") or attribute.graphs for attribute in node.attribute):
            yield f"uses operator {node.op_type}, which has a graph inside"
    for tensor in _tensors(model.graph):
        if tensor.data_location == _EXTERNAL or tensor.external_data:
            yield f"keeps the values of tensor {tensor.name!r} in another file"


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    """Yield every constant of a graph without graphs inside."""
    yield from graph.initializer
    sparse = list(graph.sparse_initializer)
    for node in graph.node:
        for attribute in node.attribute:
            yield attribute.t
            yield from attribute.tensors
            sparse += [attribute.sparse_tensor, *attribute.sparse_tensors]
    for tensor in sparse:
        yield from (tensor.values, tensor.indices)
