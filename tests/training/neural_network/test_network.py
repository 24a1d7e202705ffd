"""Gradients are what finite differences say, for every activation, loss and penalty."""

import itertools

import numpy as np
import pytest

from gnomon.training.neural_network.activations import Activation, Array, Output, activate, apply_output
from gnomon.training.neural_network.losses import Loss
from gnomon.training.neural_network.network import Architecture, Network

ANSWERS: tuple[tuple[Output, Loss], ...] = (
    ("identity", "squared_error"),
    ("identity", "absolute_error"),
    ("softmax", "cross_entropy"),
    ("softmax", "squared_error"),
    ("softmax", "absolute_error"),
)
PENALTIES = ((0.0, 0.0), (0.1, 0.0), (0.1, 1.0), (0.1, 0.4))
ACTIVATIONS: tuple[Activation, ...] = ("relu", "tanh", "sigmoid")
ROWS, INPUTS, OUTPUTS = 7, 4, 3
_STEP = 1e-6


def _random_network(architecture: Architecture, draw: np.random.Generator) -> Network:
    network = Network(architecture, ROWS, np.float64)
    network.initialise(draw)
    # Biases as well, so that no kink of relu or of a magnitude is at hand.
    network.parameters.flat[:] += draw.normal(0, 0.1, network.parameters.flat.shape)
    network.input_rows(ROWS)[:] = draw.normal(size=(ROWS, INPUTS))
    return network


def _targets(output: Output, draw: np.random.Generator) -> Array:
    if output == "identity":
        return draw.normal(size=(ROWS, OUTPUTS))
    return np.eye(OUTPUTS)[draw.integers(OUTPUTS, size=ROWS)]


@pytest.mark.parametrize(("activation", "answers", "penalty"), list(itertools.product(ACTIVATIONS, ANSWERS, PENALTIES)))
@pytest.mark.parametrize("hidden", [(5, 4), ()])
def test_the_gradient_is_that_of_central_finite_differences(
    activation: Activation, answers: tuple[Output, Loss], penalty: tuple[float, float], hidden: tuple[int, ...]
) -> None:
    draw = np.random.default_rng(3)
    output, loss = answers
    network = _random_network(Architecture((INPUTS, *hidden, OUTPUTS), activation, output, loss, *penalty), draw)
    targets, weights = _targets(output, draw), draw.uniform(0.5, 2, ROWS)
    network.forward(ROWS)
    network.backward(targets, weights)
    flat = network.parameters.flat
    differences = np.empty_like(flat)
    for place in range(len(flat)):
        here = flat[place]
        sides = []
        for moved in (here + _STEP, here - _STEP):
            flat[place] = moved
            sides.append(network.loss(network.forward(ROWS), targets, weights))
        flat[place] = here
        differences[place] = (sides[0] - sides[1]) / (2 * _STEP)
    gradient = network.gradient.flat
    assert np.linalg.norm(gradient - differences) / np.linalg.norm(gradient) < 1e-7


def test_a_smaller_batch_takes_the_place_of_a_larger_one() -> None:
    draw = np.random.default_rng(1)
    network = _random_network(Architecture((INPUTS, 6, OUTPUTS), "tanh", "softmax", "cross_entropy"), draw)
    whole, targets = network.forward(ROWS).copy(), _targets("softmax", draw)
    np.testing.assert_allclose(network.forward(2), whole[:2], rtol=1e-12)
    network.backward(targets[:2])
    of_two = network.gradient.flat.copy()
    network.forward(ROWS)
    network.backward(targets, np.array([1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    np.testing.assert_allclose(network.gradient.flat * ROWS / 2, of_two, rtol=1e-9, atol=1e-15)


def test_what_every_activation_gives_is_what_its_formula_says_at_any_size() -> None:
    sums = np.array([-1e30, -800.0, -2.0, 0.0, 2.0, 800.0, 1e30])
    with np.errstate(over="ignore"):
        expected = {"relu": np.maximum(sums, 0), "tanh": np.tanh(sums), "sigmoid": 1 / (1 + np.exp(-sums))}
    for activation in ACTIVATIONS:
        for dtype, rtol in ((np.float64, 1e-12), (np.float32, 1e-6)):
            given: Array = sums.astype(dtype)
            activate(activation, given)
            np.testing.assert_allclose(given, expected[activation], rtol=rtol, atol=1e-7)


def test_probabilities_of_huge_sums_are_finite_and_sum_to_one() -> None:
    sums = np.array([[3e38, -3e38, 0.0], [0.0, 0.0, 0.0], [80.0, -80.0, 79.0]], np.float32)
    with np.errstate(over="ignore"):  # the distance between the largest and the smallest
        apply_output("softmax", sums)
    np.testing.assert_allclose(sums.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(sums[0], [1, 0, 0], atol=1e-20)


def test_networks_start_with_the_variance_of_he_before_relu_and_of_glorot_elsewhere() -> None:
    for activation, variance in (("relu", 2 / 400), ("tanh", 2 / 700), ("sigmoid", 2 / 700)):
        network = Network(Architecture((400, 300, 2), activation, "identity", "squared_error"), 1)  # type: ignore[arg-type]  # a loop over literals
        network.initialise(np.random.default_rng(0))
        first, last = network.parameters.layers
        assert first.weights.var() == pytest.approx(variance, rel=0.02)
        assert last.weights.var() == pytest.approx(2 / 302, rel=0.2)
        assert not first.biases.any()
