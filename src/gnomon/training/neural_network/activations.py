"""What a layer does to its sums, and the derivative of that, both in place.

Derivatives are told by what came out, so that the sums need not be kept: with a = f(z),
sigmoid' = a (1 - a), tanh' = 1 - a², relu' = 1 where a > 0, else 0 (Goodfellow et al. 2016, Deep Learning, §6.3).
"""

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Activation = Literal["relu", "tanh", "sigmoid"]
"""Of the layers between input and output."""
Output = Literal["identity", "softmax"]
"""Of the last layer: numbers as they are, or probabilities that sum to 1."""

_LEAST_EXPONENT = -60.0
"""A probability below e^-60 = 9e-27 is kept at that: smaller ones would only make later products slow to compute."""

Array = NDArray[Any]
"""float32 to learn and to answer; float64 where gradients are checked."""


def activate(activation: Activation, sums: Array) -> None:
    """Replace the sums of a layer, any shape, by what the layer gives."""
    match activation:
        case "relu":
            np.maximum(sums, 0, out=sums)
        case "tanh":
            np.tanh(sums, out=sums)
        case "sigmoid":
            # 1 / (1 + exp(-z)) = (1 + tanh(z / 2)) / 2, which overflows nowhere.
            sums *= 0.5
            np.tanh(sums, out=sums)
            sums *= 0.5
            sums += 0.5


def multiply_by_derivative(activation: Activation, slopes: Array, given: Array, scratch: Array) -> None:
    """Multiply the slopes of the loss in what a layer ``given``, element by element, by the layer's own: all of one shape."""
    match activation:
        case "relu":
            np.greater(given, 0, out=scratch)
        case "tanh":
            np.multiply(given, given, out=scratch)
            np.subtract(1, scratch, out=scratch)
        case "sigmoid":
            np.subtract(1, given, out=scratch)
            scratch *= given
    slopes *= scratch


def apply_output(output: Output, sums: Array) -> None:
    """Replace the sums of the last layer, (N, K), by the answers.

    softmax_k(z) = exp(z_k) / sum_j exp(z_j); the largest sum of a row is taken off first, so that nothing overflows.
    """
    if output == "softmax":
        sums -= sums.max(axis=1, keepdims=True)
        np.maximum(sums, _LEAST_EXPONENT, out=sums)
        np.exp(sums, out=sums)
        sums /= sums.sum(axis=1, keepdims=True)


def multiply_by_output_derivative(output: Output, slopes: Array, answers: Array) -> None:
    """Turn the slopes of the loss in the answers into those in the sums of the last layer, both (N, K).

    For softmax, dL/dz_k = a_k (dL/da_k - sum_j a_j dL/da_j).
    """
    if output == "softmax":
        slopes -= np.einsum("nk,nk->n", slopes, answers)[:, np.newaxis]
        slopes *= answers
