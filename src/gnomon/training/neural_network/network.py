"""A feed-forward network: rows go forward through matrices, slopes of the loss come back through the same matrices."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from gnomon.training.neural_network.activations import (
    Activation,
    Array,
    Output,
    activate,
    apply_output,
    multiply_by_derivative,
)
from gnomon.training.neural_network.losses import Loss, loss_of, slopes_in_sums
from gnomon.training.neural_network.weights import FlatLayers, flat_layers, initialise


@dataclass(frozen=True)
class Architecture:
    """What a network is, but for its weights.

    Args:
        sizes: Units of each layer: inputs, hidden layers, outputs.
        activation: Of the hidden layers.
        output: Of the last layer.
        loss: What learning makes small.
        alpha: Strength of the penalty alpha (l1_ratio sum |w| + (1 - l1_ratio) / 2 sum w²) over the weights; biases are free.
        l1_ratio: From 0, squares alone, to 1, magnitudes alone (Zou & Hastie 2005, J. R. Statist. Soc. B 67:301).
    """

    sizes: tuple[int, ...]
    activation: Activation
    output: Output
    loss: Loss
    alpha: float = 0.0
    l1_ratio: float = 0.0


class Network:
    """A network with its weights, and room for the work on one batch, taken once.

    Args:
        architecture: What it is.
        largest_batch: Most rows of one batch.
        dtype: float32 to learn; float64 to check gradients.
    """

    def __init__(self, architecture: Architecture, largest_batch: int, dtype: DTypeLike = np.float32) -> None:
        self.architecture = architecture
        self.parameters: FlatLayers = flat_layers(architecture.sizes, dtype)
        self.gradient: FlatLayers = flat_layers(architecture.sizes, dtype)
        self._given: list[Array] = [np.empty((largest_batch, size), dtype) for size in architecture.sizes]
        self._slopes: list[Array] = [np.empty((largest_batch, size), dtype) for size in architecture.sizes]
        self._scratch: Array = np.empty(largest_batch * max(architecture.sizes), dtype)
        self._penalty: Array = np.empty_like(self.parameters.penalised)

    def initialise(self, draw: np.random.Generator) -> None:
        """Draw the weights that learning starts from."""
        initialise(self.parameters, self.architecture.activation, draw)

    def input_rows(self, rows: int) -> Array:
        """Return the (rows, inputs) that a batch is to be written into, before ``learn_from_input``."""
        return self._given[0][:rows]

    def forward(self, rows: int) -> Array:
        """Return the answers (rows, outputs) to the batch in ``input_rows``; valid until the next call."""
        given = self._given[0][:rows]
        last = self.parameters.layers[-1]
        for layer, room in zip(self.parameters.layers, self._given[1:], strict=True):
            sums = room[:rows]
            np.matmul(given, layer.weights, out=sums)
            sums += layer.biases
            if layer is last:
                apply_output(self.architecture.output, sums)
            else:
                activate(self.architecture.activation, sums)
            given = sums
        return given

    def backward(self, targets: Array, weights: Array | None = None) -> None:
        """Write into ``gradient`` that of the mean loss, penalty included, over the batch that went ``forward`` last.

        With d_l the slopes in the sums of layer l, and a_l what it gave: dL/dW_l = a_(l-1)' d_l, dL/db_l = sum of d_l over
        rows, d_(l-1) = (d_l W_l') f'(a_(l-1)) (Rumelhart, Hinton & Williams 1986, Nature 323:533).

        Args:
            targets: (rows, outputs).
            weights: (rows,), or None for 1.
        """
        rows = len(targets)
        architecture = self.architecture
        slopes = self._slopes[-1][:rows]
        slopes_in_sums(architecture.loss, architecture.output, self._given[-1][:rows], targets, slopes, weights)
        for index in range(len(self.parameters.layers) - 1, -1, -1):
            given = self._given[index][:rows]
            into = self.gradient.layers[index]
            np.matmul(given.T, slopes, out=into.weights)
            np.add.reduce(slopes, axis=0, out=into.biases)
            if index:
                before = self._slopes[index][:rows]
                np.matmul(slopes, self.parameters.layers[index].weights.T, out=before)
                scratch = self._scratch[: before.size].reshape(before.shape)
                multiply_by_derivative(architecture.activation, before, given, scratch)
                slopes = before
        self._add_penalty()

    def _add_penalty(self) -> None:
        squares, magnitudes = self._strengths()
        if squares:
            np.multiply(self.parameters.penalised, squares, out=self._penalty)
            self.gradient.penalised[:] += self._penalty
        if magnitudes:
            np.sign(self.parameters.penalised, out=self._penalty)
            self._penalty *= magnitudes
            self.gradient.penalised[:] += self._penalty

    def _strengths(self) -> tuple[float, float]:
        alpha, ratio = self.architecture.alpha, self.architecture.l1_ratio
        return alpha * (1 - ratio), alpha * ratio

    def loss(self, answers: Array, targets: Array, weights: Array | None = None) -> float:
        """Return the mean loss of answers, penalty included: what ``gradient`` is the gradient of."""
        squares, magnitudes = self._strengths()
        exact: Any = self.parameters.penalised.astype(np.float64)
        penalty = 0.5 * squares * float(exact @ exact) + magnitudes * float(np.abs(exact).sum())
        return loss_of(self.architecture.loss, answers, targets, weights) + penalty
