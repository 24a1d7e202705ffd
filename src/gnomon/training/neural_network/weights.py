"""All weights and biases of a network in one flat vector, so that an optimiser moves them with a few array operations."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import DTypeLike

from gnomon.training.neural_network.activations import Activation, Array


@dataclass(frozen=True, eq=False)
class Layer:
    """Views into the flat vector: ``weights`` (inputs, outputs) and ``biases`` (outputs,). A layer gives x W + b."""

    weights: Array
    biases: Array


@dataclass(frozen=True, eq=False)
class FlatLayers:
    """One vector, and the layers that are views of it.

    Args:
        flat: (P,): first the weights of every layer, then the biases of every layer.
        penalised: The part of ``flat`` that holds weights: a penalty leaves biases alone.
        layers: From the input's to the output's.
    """

    flat: Array
    penalised: Array
    layers: tuple[Layer, ...]


def flat_layers(sizes: Sequence[int], dtype: DTypeLike) -> FlatLayers:
    """Return zeros for a network whose layers have ``sizes`` units, the input's first."""
    shapes = list(pairwise(sizes))
    penalised = sum(inputs * outputs for inputs, outputs in shapes)
    flat: Array = np.zeros(penalised + sum(outputs for _, outputs in shapes), dtype=dtype)
    layers = []
    weight, bias = 0, penalised
    for inputs, outputs in shapes:
        matrix = flat[weight : weight + inputs * outputs].reshape(inputs, outputs)
        layers.append(Layer(matrix, flat[bias : bias + outputs]))
        weight += inputs * outputs
        bias += outputs
    return FlatLayers(flat, flat[:penalised], tuple(layers))


def initialise(network: FlatLayers, activation: Activation, draw: np.random.Generator) -> None:
    """Draw the weights so that signals neither fade nor grow from layer to layer; biases stay 0.

    Before relu: normal with variance 2 / inputs (He et al. 2015, ICCV, eq. 10). Before anything else: uniform with variance
    2 / (inputs + outputs) (Glorot & Bengio 2010, AISTATS, eq. 16).
    """
    for layer in network.layers:
        inputs, outputs = layer.weights.shape
        if activation == "relu" and layer is not network.layers[-1]:
            layer.weights[:] = draw.standard_normal(layer.weights.shape) * np.sqrt(2 / inputs)
        else:
            bound = np.sqrt(6 / (inputs + outputs))
            layer.weights[:] = draw.uniform(-bound, bound, layer.weights.shape)
