"""Networks of PyTorch as frozen descriptions: what each is made of, how rows go through it, how it is written as a graph.

Every body turns standardised features (N, F) into (N, width); the head, some dense layers, turns those into the answers.
Bodies compute in float32 in the graph, for ONNX Runtime has no others; the head sums in float64.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gnomon.features.graph import DOUBLE, GraphBuilder, cast

Activation = Literal["relu", "tanh", "sigmoid"]
_FUNCTIONS: Mapping[Activation, Any] = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
_OPERATORS: Mapping[Activation, str] = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


class Body(Protocol):
    """What stands in front of the dense layers."""

    @property
    def width(self) -> int:
        """Numbers that it gives of a row."""
        ...

    def modules(self) -> Sequence[Any]:
        """Return fresh modules, their weights drawn from PyTorch's generator."""
        ...

    def forward(self, modules: Sequence[Any], features: Any) -> Any:
        """Return the tensor (N, width) of a tensor (N, F)."""
        ...

    def emit(self, graph: GraphBuilder, modules: Sequence[Any], features: str) -> str:
        """Emit the same, float32 in and out."""
        ...


@dataclass(frozen=True)
class Straight:
    """No body: the features as they are."""

    width: int

    def modules(self) -> Sequence[Any]:
        """Return nothing."""
        return ()

    def forward(self, modules: Sequence[Any], features: Any) -> Any:  # noqa: ARG002 - as of every body
        """Return the features."""
        return features

    def emit(self, graph: GraphBuilder, modules: Sequence[Any], features: str) -> str:  # noqa: ARG002 - as of every body
        """Return the features."""
        return features


@dataclass(frozen=True)
class Convolutions:
    """Pictures (C, H, W): each layer convolves 3 by 3 with a border of zeros, relu, then the maximum of each 2 by 2.

    Source: LeCun et al. (1998), Proc. IEEE 86:2278.
    """

    shape: tuple[int, int, int]
    channels: tuple[int, ...]

    @property
    def width(self) -> int:
        """Numbers that remain of a picture."""
        _, height, width = self.shape
        for _ in self.channels:
            height, width = max(1, height // 2), max(1, width // 2)
        return height * width * (self.channels[-1] if self.channels else self.shape[0])

    def modules(self) -> Sequence[Any]:
        """Return one convolution for each layer."""
        return [nn.Conv2d(inputs, outputs, 3, padding=1) for inputs, outputs in pairwise((self.shape[0], *self.channels))]

    def forward(self, modules: Sequence[Any], features: Any) -> Any:
        """Return what remains of each picture, flat."""
        given = features.reshape(-1, *self.shape)
        for convolution in modules:
            given = torch.relu(convolution(given))
            if (window := self._window(given.shape[2], given.shape[3])) != (1, 1):
                given = torch.max_pool2d(given, window)
        return given.flatten(1)

    def emit(self, graph: GraphBuilder, modules: Sequence[Any], features: str) -> str:
        """Emit the same."""
        given = graph.node("Reshape", features, graph.integers(-1, *self.shape))
        height, width = self.shape[1:]
        for convolution in modules:
            weights, biases = (graph.constant(_array(part)) for part in (convolution.weight, convolution.bias))
            given = graph.node("Conv", given, weights, biases, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
            given = graph.node("Relu", given)
            window = self._window(height, width)
            if window != (1, 1):
                given = graph.node("MaxPool", given, kernel_shape=list(window), strides=list(window))
            height, width = height // window[0], width // window[1]
        return graph.node("Flatten", given, axis=1)

    @staticmethod
    def _window(height: int, width: int) -> tuple[int, int]:
        """Return what is pooled: 2 each way, but 1 where only 1 is left."""
        return min(2, height), min(2, width)


@dataclass(frozen=True)
class Recurrence:
    """Sequences of ``steps`` by ``step_width`` columns: layers of tanh units or LSTM cells; the last step's output remains.

    Source: Elman (1990), Cognitive Science 14:179; Hochreiter & Schmidhuber (1997), Neural Computation 9:1735.
    """

    kind: Literal["rnn", "lstm"]
    steps: int
    step_width: int
    units: int
    layers: int

    @property
    def width(self) -> int:
        """Numbers that remain of a sequence."""
        return self.units

    def modules(self) -> Sequence[Any]:
        """Return one recurrent layer for each."""
        made = nn.LSTM if self.kind == "lstm" else nn.RNN
        return [made(self.units if layer else self.step_width, self.units, batch_first=True) for layer in range(self.layers)]

    def forward(self, modules: Sequence[Any], features: Any) -> Any:
        """Return the output of the last step."""
        given = features.reshape(-1, self.steps, self.step_width)
        for layer in modules:
            given, _ = layer(given)
        return given[:, -1]

    def emit(self, graph: GraphBuilder, modules: Sequence[Any], features: str) -> str:
        """Emit the same: ONNX wants steps before rows, and the gates of an LSTM in another order."""
        given = graph.node("Reshape", features, graph.integers(-1, self.steps, self.step_width))
        given = graph.node("Transpose", given, perm=[1, 0, 2])
        operator = "LSTM" if self.kind == "lstm" else "RNN"
        for layer in modules:
            inputs, recurrent, biases = (
                graph.constant(part[np.newaxis])
                for part in (
                    self._gates(layer.weight_ih_l0),
                    self._gates(layer.weight_hh_l0),
                    np.concatenate([self._gates(layer.bias_ih_l0), self._gates(layer.bias_hh_l0)]),
                )
            )
            # (steps, directions, N, units)
            whole = graph.node(operator, given, inputs, recurrent, biases, hidden_size=self.units)
            given = graph.node("Squeeze", whole, graph.integers(1))
        return graph.node("Gather", given, graph.constant(np.array(self.steps - 1)), axis=0)

    def _gates(self, tensor: Any) -> NDArray[np.float32]:
        """Return weights with the gates in ONNX's order: input, output, forget, cell. PyTorch has the output last."""
        whole = _array(tensor)
        if self.kind == "rnn":
            return whole
        first, forget, cell, output = np.split(whole, 4)
        return np.concatenate([first, output, forget, cell])


@dataclass(frozen=True)
class Plan:
    """A whole network: a body, then dense layers of these widths."""

    body: Body
    hidden: tuple[int, ...]
    outputs: int
    activation: Activation
    dropout: float


@dataclass(frozen=True, eq=False)
class TorchNetwork:
    """A network with its weights."""

    plan: Plan
    body: Any
    """The body's modules, as a ``ModuleList``."""
    head: Any
    """The dense layers, as a ``ModuleList``."""

    @property
    def whole(self) -> Any:
        """All modules as one."""
        return nn.ModuleList([self.body, self.head])

    def forward(self, features: Any, *, learning: bool = False) -> Any:
        """Return the last layer's sums, (N, outputs), of a tensor (N, F)."""
        given = self.plan.body.forward(list(self.body), features)
        for layer in self.head[:-1]:
            given = _FUNCTIONS[self.plan.activation](layer(given))
            given = nn.functional.dropout(given, self.plan.dropout, training=learning)
        return self.head[-1](given)

    def emit(self, graph: GraphBuilder, features: str) -> str:
        """Emit the same: float32 (N, F) in, float64 (N, outputs) out."""
        given = cast(graph, self.plan.body.emit(graph, list(self.body), features), DOUBLE)
        for layer in self.head:
            weights, biases = (
                cast(graph, graph.constant(part), DOUBLE) for part in (_array(layer.weight).T, _array(layer.bias))
            )
            given = graph.node("Add", graph.node("MatMul", given, weights), biases)
            if layer is not self.head[-1]:
                given = graph.node(_OPERATORS[self.plan.activation], given)
        return given


def drawn(plan: Plan) -> TorchNetwork:
    """Return a network whose weights are drawn from PyTorch's generator, by PyTorch's own rules."""
    body = nn.ModuleList(plan.body.modules())
    head = nn.ModuleList([nn.Linear(*sizes) for sizes in pairwise((plan.body.width, *plan.hidden, plan.outputs))])
    return TorchNetwork(plan, body, head)


def _array(tensor: Any) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor.detach().cpu().numpy(), dtype=np.float32)
