"""Epochs of mini-batches on PyTorch's gradients: on the step's GPU where it has one, else on one thread."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from gnomon.training.neural_network.learning import DivergedError
from gnomon.training.neural_network.optimisers import AdamSteps
from gnomon.training.neural_network.schedules import Schedule, rate_at
from gnomon.training.torch_network.layers import Plan, TorchNetwork, drawn

_LARGEST_GRADIENT = 5.0
"""Gradients of a greater norm are scaled down to it, or recurrent ones might explode (Pascanu et al. 2013, ICML, alg. 1)."""
_ANSWERED_AT_ONCE = 4096


@dataclass(frozen=True)
class TorchCourse:
    """How a network learns; ``alpha`` is the strength of alpha / 2 sum w² over the weights, biases aside."""

    epochs: int
    batch_size: int
    learning_rate: float
    schedule: Schedule
    loss: Literal["squared_error", "absolute_error", "cross_entropy"]
    alpha: float
    seed: int


@dataclass(frozen=True, eq=False)
class TorchExamples:
    """N rows on a device: features (N, F); targets (N,) of classes or (N, 1) of values; weights (N,), or None."""

    features: Any
    targets: Any
    weights: Any | None

    def take(self, rows: NDArray[np.int64]) -> "TorchExamples":
        """Return some of the rows."""
        chosen = torch.from_numpy(rows).to(self.features.device)
        return TorchExamples(
            self.features[chosen], self.targets[chosen], None if self.weights is None else self.weights[chosen]
        )


def device_name() -> str:
    """Return ``cuda`` where this process sees a GPU, else ``cpu``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Let PyTorch compute the same bits every time: one thread, one generator, no algorithm that depends on timing."""
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # without it, cuBLAS may add up in any order
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.set_flush_denormal(True)
    # What runs on the processor is repeatable as it is, and asking for it imports PyTorch's compiler, for seconds.
    on_gpu = device_name() != "cpu"
    if on_gpu:
        torch.use_deterministic_algorithms(mode=True)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        if on_gpu:
            torch.use_deterministic_algorithms(mode=False)
        torch.set_flush_denormal(False)
        torch.set_num_threads(threads)


def examples_of(
    features: NDArray[np.float32], targets: NDArray[Any], weights: NDArray[np.float32] | None, device: str
) -> TorchExamples:
    """Return rows on a device."""
    moved = [None if part is None else torch.from_numpy(part).to(device) for part in (features, targets, weights)]
    return TorchExamples(moved[0], moved[1], moved[2])


def learnt(plan: Plan, course: TorchCourse, examples: TorchExamples, stop_after: int | None = None) -> TorchNetwork:
    """Return a network that learnt the examples, on the processor; ``stop_after`` epochs, on the schedule of all.

    Raises:
        DivergedError: The steps were too large.
    """
    learner = _Learner(plan, course, examples)
    for _ in range(course.epochs if stop_after is None else stop_after):
        learner.epoch()
    network = learner.network
    network.whole.cpu()
    return network


def best_epochs(plan: Plan, course: TorchCourse, learning: TorchExamples, watched: TorchExamples, patience: int) -> int:
    """Return after how many epochs the loss on ``watched`` rows was least, having looked ``patience`` epochs further.

    Raises:
        DivergedError: The steps were too large.
    """
    learner = _Learner(plan, course, learning)
    best, least = 1, np.inf
    for epoch in range(1, course.epochs + 1):
        learner.epoch()
        with torch.no_grad():
            sums = torch.cat([learner.network.forward(part) for part in watched.features.split(_ANSWERED_AT_ONCE)])
            loss = float(_loss(course, sums, watched.targets, watched.weights))
        if loss < least:
            best, least = epoch, loss
        elif epoch - best >= patience:
            break
    return best


def answered(network: TorchNetwork, features: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the last layer's sums, (N, outputs), computed in float64 on the processor."""
    network.whole.double()
    try:
        with torch.no_grad():
            parts = torch.from_numpy(features).double().split(_ANSWERED_AT_ONCE)
            return np.concatenate([network.forward(part).numpy() for part in parts])
    finally:
        network.whole.float()


class _Learner:
    def __init__(self, plan: Plan, course: TorchCourse, examples: TorchExamples) -> None:
        self._course = course
        self._examples = examples
        self._rows = len(examples.features)
        self._batch = min(course.batch_size, self._rows)
        self._steps = course.epochs * -(-self._rows // self._batch)
        self._made = 0
        torch.manual_seed(course.seed)
        self._order = torch.Generator().manual_seed(course.seed)
        self.network = drawn(plan)  # on the processor first: every device starts from the same weights
        self.network.whole.to(examples.features.device)
        self._parameters = list(self.network.whole.parameters())
        self._optimiser = _Adam(self._parameters, course.alpha)

    def epoch(self) -> None:
        order = torch.randperm(self._rows, generator=self._order).to(self._examples.features.device)
        for rows in order.split(self._batch):
            self._learn(rows)
        if not all(bool(torch.isfinite(each).all()) for each in self._parameters):
            raise DivergedError("the weights left the finite numbers: lower learning_rate")

    def _learn(self, rows: Any) -> None:
        examples = self._examples
        self._made += 1
        for each in self._parameters:
            each.grad = None
        sums = self.network.forward(examples.features[rows], learning=True)
        loss = _loss(self._course, sums, examples.targets[rows], None if examples.weights is None else examples.weights[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(self._parameters, _LARGEST_GRADIENT)
        self._optimiser.step(rate_at(self._course.schedule, self._course.learning_rate, self._made / self._steps))


class _Adam:
    """``neural_network.optimisers.AdamSteps`` on tensors. PyTorch's own imports its compiler with the first step: 4 seconds."""

    def __init__(self, parameters: list[Any], alpha: float) -> None:
        self._moments = [(each, torch.zeros_like(each), torch.zeros_like(each)) for each in parameters]
        self._alpha = alpha
        self._count = 0

    def step(self, rate: float) -> None:
        self._count += 1
        first_share = 1 - AdamSteps.FIRST**self._count
        second_share = 1 - AdamSteps.SECOND**self._count
        with torch.no_grad():
            for parameter, first, second in self._moments:
                gradient = parameter.grad
                if self._alpha and parameter.ndim > 1:  # biases are free
                    gradient = gradient.add(parameter, alpha=self._alpha)
                first.lerp_(gradient, 1 - AdamSteps.FIRST)
                second.mul_(AdamSteps.SECOND).addcmul_(gradient, gradient, value=1 - AdamSteps.SECOND)
                spread = second.sqrt().div_(second_share**0.5).add_(AdamSteps.LEAST)
                parameter.addcdiv_(first, spread, value=-rate / first_share)


def _loss(course: TorchCourse, sums: Any, targets: Any, weights: Any | None) -> Any:
    """Return the mean loss of N rows, as ``neural_network.losses`` tells it."""
    match course.loss:
        case "cross_entropy":
            rows = nn.functional.cross_entropy(sums, targets, reduction="none")
        case "squared_error":
            rows = 0.5 * torch.square(sums - targets).sum(dim=1)
        case "absolute_error":
            rows = torch.abs(sums - targets).sum(dim=1)
    return (rows if weights is None else rows * weights).mean()
