"""Networks of PyTorch: ``torch-mlp``, ``torch-cnn``, ``torch-rnn`` and ``torch-lstm``; they need the extra ``torch``."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt, prod
from typing import Any

import numpy as np

from gnomon.errors import TrainingError
from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.algorithms.neural_network import FEATURE_LIMIT
from gnomon.training.early_stopping import inner_rows
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.neural_network.learning import DivergedError
from gnomon.training.preprocessing import Preprocessing, StandardisedNumbers
from gnomon.training.torch_network.layers import Body, Convolutions, Plan, Recurrence, Straight, TorchNetwork
from gnomon.training.torch_network.learning import (
    TorchCourse,
    answered,
    best_epochs,
    device_name,
    examples_of,
    learnt,
    repeatable,
)


def fit(rows: TrainingRows, algorithm: str, params: Mapping[str, Any]) -> "FittedTorchNetwork":
    """Fit on the rows: where held-out rows are watched, they find the number of epochs first, then all rows are used.

    Raises:
        TrainingError: The columns make no such picture or sequence, or the weights left the finite numbers.
    """
    preprocessing, body = _inputs(rows.raw, algorithm, params)
    features = preprocessing.transform(rows.raw)
    centre, unit = (0.0, 1.0) if rows.classes else (float(rows.target.mean()), float(rows.target.std()) or 1.0)
    weights = class_weights(rows, params)
    plan = Plan(body, tuple(params["hidden"]), rows.classes or 1, params.get("activation", "relu"), params["dropout"])
    course = TorchCourse(
        epochs=params["epochs"],
        batch_size=params["batch_size"],
        learning_rate=params["learning_rate"],
        schedule=params["schedule"],
        loss="cross_entropy" if rows.classes else params["loss"],
        alpha=params["alpha"],
        seed=rows.seed,
    )
    device = device_name()
    examples = examples_of(
        features,
        rows.target.astype(np.int64) if rows.classes else ((rows.target - centre) / unit).astype(np.float32)[:, np.newaxis],
        None if weights is None else weights.astype(np.float32),
        device,
    )
    epochs = course.epochs
    try:
        with repeatable(rows.seed):
            if (inner := inner_rows(rows, params["n_iter_no_change"])) is not None:
                learning, watching = (examples.take(part) for part in inner)
                epochs = best_epochs(plan, course, learning, watching, params["n_iter_no_change"])
            network = learnt(plan, course, examples, epochs)
    except DivergedError as error:
        raise TrainingError(
            f"the network ran away from the data: a learning_rate of {course.learning_rate:g} is too large for it",
            "lower learning_rate",
        ) from error
    return FittedTorchNetwork(preprocessing, network, centre, unit, rows.classes, {"epochs": epochs, "gpu": device != "cpu"})


def _inputs(raw: Matrices, algorithm: str, params: Mapping[str, Any]) -> tuple[Preprocessing, Body]:
    """Return what features are made of the columns, and the body that reads them."""
    if algorithm == "torch-mlp":
        preprocessing = fit_for_linear(raw, FEATURE_LIMIT)
        return preprocessing, Straight(preprocessing.transform(raw.take(np.arange(1))).shape[1])
    columns = raw.floats.shape[1]
    if raw.ints.shape[1] or raw.texts.columns:
        raise TrainingError(
            f"{algorithm} reads numbers in order, and there are columns of text or time among the features",
            "list the columns of numbers under spec.features, or use torch-mlp",
        )
    if algorithm == "torch-cnn":
        shape = _picture(columns, tuple(params["shape"]))
        return _shared_scales(raw, np.repeat(np.arange(shape[0]), shape[1] * shape[2])), Convolutions(
            shape, tuple(params["channels"])
        )
    steps = params["steps"] or columns
    if columns % steps:
        raise TrainingError(f"{columns} columns make no {steps} equal steps", "let steps divide the number of columns")
    width = columns // steps
    body = Recurrence("lstm" if algorithm == "torch-lstm" else "rnn", steps, width, params["units"], params["layers"])
    return _shared_scales(raw, np.tile(np.arange(width), steps)), body


def _picture(columns: int, shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return channels, height and width; a square of one channel where none is declared."""
    if not shape:
        side = isqrt(columns)
        shape = (1, side, side)
    if prod(shape) != columns:
        told = " by ".join(map(str, shape))
        raise TrainingError(
            f"{columns} columns make no picture of {told}", "give shape as [channels, height, width], one for each column"
        )
    channels, height, width = shape
    return channels, height, width


def _shared_scales(raw: Matrices, groups: np.ndarray[Any, np.dtype[np.int64]]) -> Preprocessing:
    """Return numbers in their order, standardised by the mean and the deviation that all columns of a group share.

    A missing number is its group's mean.
    """
    known = np.where(np.isfinite(raw.floats), raw.floats, np.float32(np.nan)).astype(np.float64)
    means, scales = np.zeros(len(groups)), np.ones(len(groups))
    for group in np.unique(groups):
        values = known[:, groups == group]
        values = values[~np.isnan(values)]
        if len(values):
            means[groups == group] = values.mean()
            scales[groups == group] = 1 / (values.std() or 1.0)
    block = StandardisedNumbers(
        tuple(range(len(groups))), tuple(means.tolist()), tuple(means.tolist()), tuple(scales.tolist()), (), FEATURE_LIMIT
    )
    return Preprocessing((block,))


@dataclass(frozen=True, eq=False)
class FittedTorchNetwork:
    """A network that learnt; the answer of regression is ``centre`` + ``unit`` times its own."""

    preprocessing: Preprocessing
    network: TorchNetwork
    centre: float
    unit: float
    classes: int
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return PyTorch's answers, in float64."""
        sums = answered(self.network, self.preprocessing.transform(raw))
        if not self.classes:
            return np.asarray(self.centre + self.unit * sums[:, 0], dtype=np.float64)
        powers = np.exp(sums - sums.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        sums = self.network.emit(graph, self.preprocessing.emit(graph))
        if self.classes:
            return emit_probabilities(graph, sums, self.classes)
        scaled = graph.node("Mul", cast(graph, sums, DOUBLE), graph.constant(np.array([self.unit])))
        return cast(graph, graph.node("Add", scaled, graph.constant(np.array([self.centre]))), FLOAT)

    def found(self) -> dict[str, int | bool]:
        """Return the number of epochs, and whether a GPU learnt."""
        return dict(self.notes)
