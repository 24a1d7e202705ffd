"""Our own feed-forward network: ``neural-network``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gnomon.errors import TrainingError
from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.early_stopping import inner_rows
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.links import emit_probabilities
from gnomon.training.matrices import Matrices
from gnomon.training.neural_network.activations import Activation, activate
from gnomon.training.neural_network.learning import Course, DivergedError, Examples, best_epochs, learnt
from gnomon.training.neural_network.network import Architecture
from gnomon.training.neural_network.weights import Layer
from gnomon.training.preprocessing import Preprocessing

FEATURE_LIMIT = 10.0
"""Deviations within which a network sees a number: beyond what it was taught, its answers would grow without bound."""


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedNetwork":
    """Fit on the rows: where held-out rows are watched, they find the number of epochs first, then all rows are used.

    Features and, for regression, the target are standardised.

    Raises:
        TrainingError: The weights left the finite numbers.
    """
    preprocessing = fit_for_linear(rows.raw, FEATURE_LIMIT)
    features = preprocessing.transform(rows.raw)
    centre, unit = (0.0, 1.0) if rows.classes else (float(rows.target.mean()), float(rows.target.std()) or 1.0)
    weights = class_weights(rows, params)
    examples = Examples(
        features,
        rows.target.astype(np.int64) if rows.classes else ((rows.target - centre) / unit).astype(np.float32)[:, np.newaxis],
        None if weights is None else weights.astype(np.float32),
    )
    architecture = Architecture(
        sizes=(features.shape[1], *params["hidden"], rows.classes or 1),
        activation=params["activation"],
        output="softmax" if rows.classes else "identity",
        loss=params["loss"],
        alpha=params["alpha"],
        l1_ratio=params["l1_ratio"],
    )
    course = Course(
        epochs=params["epochs"],
        batch_size=params["batch_size"],
        learning_rate=params["learning_rate"],
        optimiser=params["optimizer"],
        momentum=params["momentum"],
        schedule=params["schedule"],
        seed=rows.seed,
    )
    epochs = course.epochs
    try:
        if (inner := inner_rows(rows, params["n_iter_no_change"])) is not None:
            learning, watching = (examples.take(part) for part in inner)
            epochs = best_epochs(architecture, course, learning, watching, params["n_iter_no_change"])
        network = learnt(architecture, course, examples, epochs)
    except DivergedError as error:
        raise TrainingError(
            f"the network ran away from the data: a learning_rate of {params['learning_rate']:g} is too large for it",
            "lower learning_rate, or use optimizer: adam",
        ) from error
    return FittedNetwork(preprocessing, architecture.activation, network.parameters.layers, centre, unit, rows.classes, epochs)


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network that learnt; the answer of regression is ``centre`` + ``unit`` times its own.

    Weights are float32; answers are summed up in float64, here as in the graph, so that no two runtimes differ.
    """

    preprocessing: Preprocessing
    activation: Activation
    layers: tuple[Layer, ...]
    centre: float
    unit: float
    classes: int
    epochs: int

    def predict(self, raw: Matrices) -> Floats:
        """Return the answers."""
        given = self.preprocessing.transform(raw).astype(np.float64)
        for layer in self.layers:
            sums = given @ layer.weights.astype(np.float64) + layer.biases
            given = sums if layer is self.layers[-1] else _activated(self.activation, sums)
        if not self.classes:
            return np.asarray(self.centre + self.unit * given[:, 0], dtype=np.float64)
        powers = np.exp(given - given.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True), dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        given = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        for layer in self.layers:
            # Kept as float32: half the file.
            weights, biases = (cast(graph, graph.constant(part), DOUBLE) for part in (layer.weights, layer.biases))
            given = graph.node("Add", graph.node("MatMul", given, weights), biases)
            if layer is not self.layers[-1]:
                given = graph.node(_OPERATORS[self.activation], given)
        if self.classes:
            return emit_probabilities(graph, given, self.classes)
        scaled = graph.node("Mul", given, graph.constant(np.array([self.unit])))
        return cast(graph, graph.node("Add", scaled, graph.constant(np.array([self.centre]))), FLOAT)

    def found(self) -> dict[str, int | bool]:
        """Return the number of epochs."""
        return {"epochs": self.epochs}


_OPERATORS: Mapping[Activation, str] = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid"}


def _activated(activation: Activation, sums: Floats) -> Floats:
    activate(activation, sums)
    return sums
