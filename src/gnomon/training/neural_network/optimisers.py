"""A gradient becomes a step of all parameters at once, in place, without taking memory.

What fades - weights that only a penalty moves, means of gradients that have become zero - is set to zero now and then: below
1e-38, processors compute floats tens of times slower.
"""

from typing import Literal, Protocol

import numpy as np

from gnomon.training.neural_network.activations import Array

Optimiser = Literal["adam", "sgd"]

_CLEARED_EVERY = 64
"""Steps. In so many, what a factor of 0.9 shrinks stays far above 1e-38."""
_LEAST_WEIGHT = 1e-12
_LEAST_MEAN = 1e-25


class Steps(Protocol):
    """Moves parameters against their gradient, and remembers what it needs of the past."""

    def step(self, parameters: Array, gradient: Array, rate: float) -> None:
        """Move ``parameters`` (P,) in place, by the learning rate ``rate``."""
        ...


class MomentumSteps:
    """Stochastic gradient descent: v = momentum v + g, then p = p - rate v (Polyak 1964, USSR Comput. Math. 4(5):1)."""

    def __init__(self, parameters: Array, momentum: float) -> None:
        self._velocity: Array = np.zeros_like(parameters)
        self._scratch: Array = np.empty_like(parameters)
        self._momentum = momentum
        self._count = 0

    def step(self, parameters: Array, gradient: Array, rate: float) -> None:
        """Move the parameters in place."""
        self._count += 1
        self._velocity *= self._momentum
        self._velocity += gradient
        np.multiply(self._velocity, rate, out=self._scratch)
        parameters -= self._scratch
        if self._count % _CLEARED_EVERY == 0:
            _clear(parameters, _LEAST_WEIGHT, self._scratch)
            _clear(self._velocity, _LEAST_MEAN, self._scratch)


class AdamSteps:
    """Adam: means of gradients and of their squares, both corrected for their start (Kingma & Ba 2015, ICLR, algorithm 1).

    The means are kept without their factors (1 - beta), which the last line of a step brings in: two passes over the
    parameters fewer.
    """

    FIRST, SECOND, LEAST = 0.9, 0.999, 1e-8
    """beta_1, beta_2 and epsilon of the paper."""

    def __init__(self, parameters: Array) -> None:
        self._first: Array = np.zeros_like(parameters)
        self._second: Array = np.zeros_like(parameters)
        self._scratch: Array = np.empty_like(parameters)
        self._count = 0

    def step(self, parameters: Array, gradient: Array, rate: float) -> None:
        """Move the parameters in place."""
        self._count += 1
        self._first *= self.FIRST
        self._first += gradient
        self._second *= self.SECOND
        np.multiply(gradient, gradient, out=self._scratch)
        self._second += self._scratch
        first = (1 - self.FIRST) / (1 - self.FIRST**self._count)
        second = np.sqrt((1 - self.SECOND) / (1 - self.SECOND**self._count))
        np.sqrt(self._second, out=self._scratch)
        self._scratch += self.LEAST / float(second)
        np.divide(self._first, self._scratch, out=self._scratch)
        self._scratch *= rate * first / float(second)
        parameters -= self._scratch
        if self._count % _CLEARED_EVERY == 0:
            _clear(parameters, _LEAST_WEIGHT, self._scratch)
            _clear(self._first, _LEAST_MEAN, self._scratch)


def steps_of(optimiser: Optimiser, parameters: Array, momentum: float) -> Steps:
    """Return the optimiser of a network; ``momentum`` is that of ``sgd``."""
    return AdamSteps(parameters) if optimiser == "adam" else MomentumSteps(parameters, momentum)


def _clear(values: Array, least: float, scratch: Array) -> None:
    """Set what is nearer to zero than ``least`` to zero."""
    np.abs(values, out=scratch)
    np.greater_equal(scratch, least, out=scratch)
    values *= scratch
