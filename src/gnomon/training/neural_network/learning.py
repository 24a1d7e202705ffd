"""Epochs of mini-batches: the loop that learns, and the one that watches held-out rows and says when to stop."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.training.neural_network.activations import Array
from gnomon.training.neural_network.losses import loss_of
from gnomon.training.neural_network.network import Architecture, Network
from gnomon.training.neural_network.optimisers import Optimiser, steps_of
from gnomon.training.neural_network.schedules import Schedule, rate_at


@dataclass(frozen=True)
class Course:
    """How a network learns.

    Args:
        epochs: How often every row is seen.
        batch_size: Rows of one step; the last batch of an epoch has the rest.
        learning_rate: The highest rate of the schedule.
        optimiser: What makes a step of a gradient.
        momentum: Of ``sgd``.
        schedule: How the rate changes.
        seed: Of the first weights and of the order of the rows.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    optimiser: Optimiser
    momentum: float
    schedule: Schedule
    seed: int


@dataclass(frozen=True, eq=False)
class Examples:
    """N rows to learn from, or to watch.

    Args:
        features: float32 (N, F).
        targets: float32 (N, K) values, or int64 (N,) indices of classes.
        weights: float32 (N,) with the mean 1, or None where every row weighs the same.
    """

    features: Array
    targets: Array
    weights: Array | None = None

    def take(self, rows: NDArray[np.int64]) -> "Examples":
        """Return some of the rows."""
        return Examples(self.features[rows], self.targets[rows], None if self.weights is None else self.weights[rows])


class DivergedError(ArithmeticError):
    """The weights left the finite numbers."""


def learnt(architecture: Architecture, course: Course, examples: Examples, stop_after: int | None = None) -> Network:
    """Return a network that learnt the examples.

    Args:
        architecture: What it is.
        course: How it learns.
        examples: What it learns.
        stop_after: Epochs after which it stops, on the schedule of all; None for all.

    Raises:
        DivergedError: The steps were too large.
    """
    learner = _Learner(architecture, course, examples)
    for _ in range(course.epochs if stop_after is None else stop_after):
        learner.epoch()
    return learner.network


def best_epochs(architecture: Architecture, course: Course, learning: Examples, watched: Examples, patience: int) -> int:
    """Return after how many epochs the loss on ``watched`` rows was least, having looked ``patience`` epochs further.

    Raises:
        DivergedError: The steps were too large.
    """
    learner = _Learner(architecture, course, learning)
    targets = _dense(watched.targets, architecture.sizes[-1], learning.features.dtype)
    best, least = 1, np.inf
    for epoch in range(1, course.epochs + 1):
        learner.epoch()
        loss = loss_of(architecture.loss, answers_of(learner.network, watched.features), targets, watched.weights)
        if loss < least:
            best, least = epoch, loss
        elif epoch - best >= patience:
            break
    return best


def answers_of(network: Network, features: Array) -> Array:
    """Return the answers to any number of rows, (N, outputs), in batches of at most the network's largest."""
    answers = np.empty((len(features), network.architecture.sizes[-1]), features.dtype)
    most = len(network.input_rows(len(features)))
    for start in range(0, len(features), most):
        batch = features[start : start + most]
        network.input_rows(len(batch))[:] = batch
        answers[start : start + most] = network.forward(len(batch))
    return answers


class _Learner:
    def __init__(self, architecture: Architecture, course: Course, examples: Examples) -> None:
        rows, dtype = len(examples.features), examples.features.dtype
        self._course = course
        self._examples = examples
        self._batch = min(course.batch_size, rows)
        self._steps = course.epochs * -(-rows // self._batch)
        self._made = 0
        self._draw = np.random.default_rng(course.seed)
        self.network = Network(architecture, self._batch, dtype)
        self.network.initialise(self._draw)
        self._optimiser = steps_of(course.optimiser, self.network.parameters.flat, course.momentum)
        self._targets: Array = np.empty((self._batch, architecture.sizes[-1]), dtype)
        self._weights: Array = np.empty(self._batch, dtype)

    def epoch(self) -> None:
        """Learn every row once, in a new order."""
        order = self._draw.permutation(len(self._examples.features))
        with np.errstate(over="ignore", invalid="ignore"):  # what leaves the finite numbers is told below
            for start in range(0, len(order), self._batch):
                self._learn(order[start : start + self._batch])
        if not np.isfinite(self.network.parameters.flat).all():
            raise DivergedError("the weights left the finite numbers: lower learning_rate")

    def _learn(self, rows: NDArray[np.int64]) -> None:
        network, examples = self.network, self._examples
        count = len(rows)
        # Without mode, NumPy would write into a copy first, for the case of an index that is out of range.
        np.take(examples.features, rows, axis=0, out=network.input_rows(count), mode="clip")
        network.forward(count)
        targets = self._targets[:count]
        if examples.targets.ndim == 1:
            targets.fill(0)
            targets[np.arange(count), examples.targets[rows]] = 1
        else:
            np.take(examples.targets, rows, axis=0, out=targets, mode="clip")
        weights = None
        if examples.weights is not None:
            weights = np.take(examples.weights, rows, out=self._weights[:count], mode="clip")
        network.backward(targets, weights)
        self._made += 1
        rate = rate_at(self._course.schedule, self._course.learning_rate, self._made / self._steps)
        self._optimiser.step(network.parameters.flat, network.gradient.flat, rate)


def _dense(targets: Array, outputs: int, dtype: np.dtype) -> Array:
    """Return targets as (N, outputs), 1 at each row's class."""
    if targets.ndim > 1:
        return targets
    dense = np.zeros((len(targets), outputs), dtype)
    dense[np.arange(len(targets)), targets] = 1
    return dense
