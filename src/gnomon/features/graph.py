"""Operators become one ONNX graph with deterministic bytes."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

ML = "ai.onnx.ml"
"""The domain of tree ensembles and label encoders."""

_OPSET = 21
_ML_OPSET = 5
_IR_VERSION = 10
"""One generation of ONNX (1.16, 2024): the first with the compact ``TreeEnsemble``."""


class GraphBuilder:
    """Collects operators. Equal operators on equal inputs are written once; what no output needs is left out."""

    def __init__(self) -> None:
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._names: dict[bytes, str] = {}
        self._stand_ins: dict[str, str] = {}
        self._ml_opset = _ML_OPSET

    def use_ml_opset(self, version: int) -> None:
        """Lower the version of the ``ai.onnx.ml`` operators, for one that newer versions no longer have."""
        self._ml_opset = min(self._ml_opset, version)

    def stand_in(self, name: str, value: str) -> None:
        """Let operators that are added from here on take ``value`` where they ask for ``name``, which may be an input."""
        self._stand_ins[name] = value

    def add_input(self, name: str, element_type: int, width: int) -> str:
        """Declare a matrix of ``width`` columns that the graph takes, and return its name."""
        self._inputs.append(helper.make_tensor_value_info(name, element_type, ["N", width]))
        return name

    def add_output(self, name: str, value: str, element_type: int, shape: Sequence[int] = ()) -> None:
        """Give ``value`` as output ``name``; ``shape`` is without the row dimension."""
        self._nodes.append(helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(helper.make_tensor_value_info(name, element_type, ["N", *shape]))

    def constant(self, value: NDArray[Any]) -> str:
        """Return the name of a constant tensor; equal ones are kept once."""
        tensor = numpy_helper.from_array(np.ascontiguousarray(value) if value.ndim else value)
        key = b"constant" + tensor.SerializeToString(deterministic=True)
        if key not in self._names:
            self._names[key] = tensor.name = f"c{len(self._constants)}"
            self._constants[tensor.name] = tensor
        return self._names[key]

    def integers(self, *values: int) -> str:
        """Return the name of a constant int64 vector."""
        return self.constant(np.array(values, dtype=np.int64))

    def node(self, op: str, *inputs: str, domain: str = "", spare: int = 0, **attributes: Any) -> str:
        """Add an operator and return the name of its first output; ``spare`` is how many more it has, which nobody reads."""
        taken = [self._stand_ins.get(name, name) for name in inputs]
        node = helper.make_node(op, taken, [""], domain=domain, **attributes)
        key = b"node" + node.SerializeToString(deterministic=True)
        if key not in self._names:
            name = f"t{len(self._nodes)}"
            node.output[0] = node.name = self._names[key] = name
            node.output.extend(f"{name}s{number}" for number in range(spare))
            self._nodes.append(node)
        return self._names[key]

    def build(self) -> bytes:
        """Return the model: the same calls give the same bytes, on any machine and at any time."""
        needed = {output.name for output in self._outputs}
        kept = []
        for node in reversed(self._nodes):
            if needed.intersection(node.output):
                needed.update(node.input)
                kept.append(node)
        constants = [tensor for name, tensor in self._constants.items() if name in needed]
        graph = helper.make_graph(kept[::-1], "model", self._inputs, self._outputs, initializer=constants)
        opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid(ML, self._ml_opset)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="gnomon")
        content: bytes = model.SerializeToString(deterministic=True)
        return content


def cast(graph: GraphBuilder, value: str, element_type: int) -> str:
    """Return ``value`` with elements of another type."""
    return graph.node("Cast", value, to=element_type)


FLOAT: int = TensorProto.FLOAT
DOUBLE: int = TensorProto.DOUBLE
INT64: int = TensorProto.INT64
STRING: int = TensorProto.STRING
