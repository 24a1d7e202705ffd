"""The ONNX model that a user's function returns becomes a graph with an artifact's inputs and outputs around it.

It may take the artifact's own matrices, ``floats``, ``ints`` and ``strings``, or raw columns by their names, each (N,) or
(N, 1). Of its outputs the one that answers is found by its name, or by its type where there is only one of that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # protobuf ships no types
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper, numpy_helper

from gnomon.errors import TrainingError
from gnomon.inference.signature import InputColumn, Matrix

_THEIRS = "user/"
_LEAST_OPSET = 13
_HIGHEST_IR = 10
_MATRICES: dict[Matrix, int] = {"floats": TensorProto.FLOAT, "ints": TensorProto.INT64, "strings": TensorProto.STRING}
_NUMBERS = frozenset({TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16})


@dataclass
class _Framing:
    """Operators and constants that are added around a model."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(value, name))
        return name

    def node(self, op: str, *inputs: str, to_name: str = "", **attributes: Any) -> str:
        name = to_name or f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], name=f"gnomon/{name}", **attributes))
        return name


def framed(
    content: bytes, inputs: Sequence[InputColumn], classes: Sequence[str], present: Sequence[int], candidate: str
) -> bytes:
    """Return the model with the inputs and outputs of an artifact.

    Args:
        content: The serialized model.
        inputs: The raw columns, and where they stand in the matrices.
        classes: Names of all classes; none for regression.
        present: The classes that training rows have: a model may answer for these alone.
        candidate: What an error names.

    Raises:
        TrainingError: It is no ONNX model, takes something else, or gives nothing that fits; the cause names it.
    """
    model = compose.add_prefix(_read(content, candidate), _THEIRS)
    before, after = _Framing(), _Framing()
    kept = {tensor.name for tensor in model.graph.initializer}
    for asked in model.graph.input:
        if asked.name not in kept:
            _feed(before, asked, inputs, candidate)
    _tell(after, _answer(model.graph.output, classes, candidate), classes, present)
    for node in (*before.nodes, *after.nodes, *model.graph.node):
        node.ClearField("doc_string")
        node.ClearField("metadata_props")
    widths = {column.matrix: 0 for column in inputs} | {column.matrix: column.index + 1 for column in _in_order(inputs)}
    # Names of the two framings are told apart by where they stand.
    _rename(after, "a")
    graph = helper.make_graph(
        [*before.nodes, *model.graph.node, *after.nodes],
        "model",
        [helper.make_tensor_value_info(name, _MATRICES[name], ["N", width]) for name, width in widths.items()],
        _outputs(classes),
        initializer=[*before.constants, *model.graph.initializer, *after.constants],
        sparse_initializer=model.graph.sparse_initializer,
    )
    ir_version = min(model.ir_version, _HIGHEST_IR)
    made = helper.make_model(graph, opset_imports=model.opset_import, ir_version=ir_version, producer_name="gnomon")
    try:
        onnx.checker.check_model(made)
    except onnx.checker.ValidationError as error:
        told = str(error).partition("\n")[0][:300]
        raise TrainingError(f"the ONNX model of candidate {candidate} is not valid: {told}", "export it anew") from error
    written: bytes = made.SerializeToString(deterministic=True)
    return written


def _read(content: bytes, candidate: str) -> onnx.ModelProto:
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError as error:
        raise TrainingError(
            f"candidate {candidate} returned {len(content)} bytes that are no ONNX model",
            "return onnx_model.SerializeToString()",
        ) from error
    opset = next((each.version for each in model.opset_import if each.domain in {"", "ai.onnx"}), 0)
    if opset < _LEAST_OPSET:
        raise TrainingError(
            f"the ONNX model of candidate {candidate} uses opset {opset}", f"export it with opset {_LEAST_OPSET} or newer"
        )
    if model.functions or model.training_info:
        raise TrainingError(
            f"the ONNX model of candidate {candidate} defines functions of its own", "export it with functions inlined"
        )
    return model


def _feed(before: _Framing, asked: onnx.ValueInfoProto, inputs: Sequence[InputColumn], candidate: str) -> None:
    """Connect one input of the model: a whole matrix, or one column of it in the type and shape that it asks for."""
    name = asked.name.removeprefix(_THEIRS)
    tensor = asked.type.tensor_type
    columns = {column.name: column for column in inputs}
    if name in _MATRICES and name in {column.matrix for column in inputs} and name not in columns:
        before.node("Identity", name, to_name=asked.name)
        return
    if name not in columns:
        raise TrainingError(
            f'the ONNX model of candidate {candidate} takes "{name}", which is no column of the model',
            f"name its inputs floats, ints or strings, or after columns: {', '.join(columns)}",
        )
    column = columns[name]
    if (tensor.elem_type == TensorProto.STRING) != (column.kind == "string"):
        kind = TensorProto.DataType.Name(tensor.elem_type).lower()
        raise TrainingError(
            f'the ONNX model of candidate {candidate} takes "{name}" as {kind}, and the column is a {column.kind}',
            "let the input have the type of the column",
        )
    place = before.constant(np.array([column.index], dtype=np.int64))
    value = before.node("Gather", column.matrix, place, axis=1)
    if tensor.elem_type != _MATRICES[column.matrix]:
        value = before.node("Cast", value, to=tensor.elem_type)
    if len(tensor.shape.dim) == 1:
        value = before.node("Reshape", value, before.constant(np.array([-1], dtype=np.int64)))
    before.node("Identity", value, to_name=asked.name)


def _answer(outputs: Sequence[onnx.ValueInfoProto], classes: Sequence[str], candidate: str) -> onnx.ValueInfoProto:
    """Return the output that answers."""
    wanted = "probabilities" if classes else "prediction"
    numbers = [each for each in outputs if each.type.tensor_type.elem_type in _NUMBERS]
    named = [each for each in numbers if each.name.removeprefix(_THEIRS) == wanted]
    chosen = named or numbers
    if len(chosen) != 1:
        told = ", ".join(each.name.removeprefix(_THEIRS) for each in outputs) or "nothing"
        shape = f"(N, {len(classes)})" if classes else "(N,)"
        raise TrainingError(
            f"the ONNX model of candidate {candidate} gives {told}, of which {len(chosen)} are numbers and none is {wanted}",
            f"name the output {wanted}: floats of shape {shape}",
        )
    return chosen[0]


def _tell(after: _Framing, answer: onnx.ValueInfoProto, classes: Sequence[str], present: Sequence[int]) -> None:
    """Write the outputs of an artifact from the output that answers."""
    given = after.node("Cast", answer.name, to=TensorProto.FLOAT)
    if not classes:
        after.node("Reshape", given, after.constant(np.array([-1], dtype=np.int64)), to_name="prediction")
        return
    dims = answer.type.tensor_type.shape.dim
    width = dims[-1].dim_value if dims else 0
    if width == len(present) < len(classes):
        places = np.zeros((len(present), len(classes)), dtype=np.float32)
        places[np.arange(len(present)), list(present)] = 1
        given = after.node("MatMul", given, after.constant(places))
    after.node("Identity", given, to_name="probabilities")
    likeliest = after.node("ArgMax", given, axis=1, keepdims=0)
    after.node("Gather", after.constant(np.array(classes, dtype=object)), likeliest, to_name="prediction")


def _rename(after: _Framing, prefix: str) -> None:
    """Give the inner names of a framing a prefix, so that they meet no others."""
    inner = {tensor.name for tensor in after.constants} | {node.output[0] for node in after.nodes}
    inner -= {"prediction", "probabilities"}
    for tensor in after.constants:
        tensor.name = prefix + tensor.name
    for node in after.nodes:
        for names in (node.input, node.output):
            for index, name in enumerate(names):
                if name in inner:
                    names[index] = prefix + name
        node.name = f"gnomon/{node.output[0]}"


def _outputs(classes: Sequence[str]) -> list[onnx.ValueInfoProto]:
    if not classes:
        return [helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["N"])]
    return [
        helper.make_tensor_value_info("prediction", TensorProto.STRING, ["N"]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(classes)]),
    ]


def _in_order(inputs: Sequence[InputColumn]) -> list[InputColumn]:
    return sorted(inputs, key=lambda column: column.index)
