"""What each algorithm takes: its parameters, under the names of its library, with defaults and bounds.

Light: validating a manifest uses this too. What an algorithm can learn stands in ``resources.learning.ALGORITHMS_BY_TASK``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gnomon.resources.learning import Algorithm, Task
from gnomon.resources.model import Value


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from ``least`` (not itself where ``open``) to ``most``, or one of some ``words``."""

    default: float | str
    least: float
    most: float = math.inf
    whole: bool = False
    open: bool = False
    words: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """What it takes, in words."""
        kind = "an integer" if self.whole else "a number"
        least = f"above {self.least:g}" if self.open else f"from {self.least:g}"
        most = f" to {self.most:g}" if math.isfinite(self.most) else ""
        return " or ".join([f"{kind} {least}{most}", *self.words])

    def checked(self, value: Value) -> Value | None:
        """Return the value in the parameter's type, or None where it does not fit."""
        if isinstance(value, str) and value in self.words:
            return value
        if isinstance(value, bool | str | tuple) or not math.isfinite(value) or value > self.most or value < self.least:
            return None
        if (self.open and value == self.least) or (self.whole and value != int(value)):
            return None
        return int(value) if self.whole else float(value)


@dataclass(frozen=True)
class Choice:
    """A parameter that is one of a few words."""

    default: str
    values: tuple[str, ...]

    @property
    def told(self) -> str:
        """What it takes, in words."""
        return "one of " + ", ".join(self.values)

    def checked(self, value: Value) -> Value | None:
        """Return the value, or None where it does not fit."""
        return value if isinstance(value, str) and value in self.values else None


@dataclass(frozen=True)
class Widths:
    """A parameter that is a list of layer widths, the first layer's first; one number stands for a list of one."""

    default: tuple[int, ...]
    most_layers: int = 16
    most: int = 8192

    @property
    def told(self) -> str:
        """What it takes, in words."""
        return f"a list of at most {self.most_layers} whole numbers from 1 to {self.most}, such as [64, 32]"

    def checked(self, value: Value) -> Value | None:
        """Return the widths, or None where they do not fit."""
        widths: tuple[Any, ...] = value if isinstance(value, tuple) else (value,)
        return widths if len(widths) <= self.most_layers and _are_counts(widths, self.most) else None


@dataclass(frozen=True)
class Shape:
    """A parameter that is the shape of a picture: channels, height, width; by default a square of one channel."""

    default: tuple[int, ...] = ()

    @property
    def told(self) -> str:
        """What it takes, in words."""
        return "[channels, height, width], such as [1, 8, 8]"

    def checked(self, value: Value) -> Value | None:
        """Return the shape, or None where it does not fit."""
        return value if isinstance(value, tuple) and len(value) in {0, 3} and _are_counts(value, 8192) else None


def _are_counts(values: tuple[object, ...], most: int) -> bool:
    return all(isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= most for value in values)


@dataclass(frozen=True)
class TaskChoice:
    """A parameter that is one of a few words, others for each task; the first of a task's words is its default."""

    by_task: Mapping[Task, tuple[str, ...]]

    @property
    def default(self) -> str:
        """The defaults of all tasks, in words."""
        return " or ".join(dict.fromkeys(words[0] for words in self.by_task.values()))

    def of(self, task: Task) -> Choice | None:
        """Return what the parameter is for a task; None where it means nothing."""
        words = self.by_task.get(task)
        return None if words is None else Choice(words[0], words)


@dataclass(frozen=True)
class Anything:
    """A parameter of a user's function: whatever a manifest can say."""

    default: int = 0
    told: str = "any value"

    def checked(self, value: Value) -> Value:
        """Return the value."""
        return value


Parameter = Number | Choice | Widths | Shape | Anything

_CLASS_WEIGHT = Choice("none", ("none", "balanced"))
_MAX_ROWS = Number(5000, 10, 20_000, whole=True)
"""Ours, not the library's: fits and answers grow with the rows that are kept, to the square and beyond."""


def _torch_parameters(own: Mapping[str, Parameter], *, alpha: float) -> Mapping[str, Parameter | TaskChoice]:
    """Return what every network of PyTorch takes, around what is one kind's own."""
    return {
        **own,
        "dropout": Number(0.0, 0, 0.95),
        "loss": TaskChoice({"regression": ("squared_error", "absolute_error"), "classification": ("cross_entropy",)}),
        "alpha": Number(alpha, 0),
        "learning_rate": Number(0.01, 0, 10, open=True),
        "schedule": Choice("one-cycle", ("one-cycle", "constant")),
        "epochs": Number(40, 1, 10_000, whole=True),
        "batch_size": Number(64, 1, 1_000_000, whole=True),
        "n_iter_no_change": Number(0, 0, 1000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    }


_RECURRENT: Mapping[str, Parameter] = {
    "steps": Number(0, 0, 100_000, whole=True),
    "units": Number(64, 1, 8192, whole=True),
    "layers": Number(1, 1, 8, whole=True),
    "hidden": Widths(()),
}

PARAMETERS: Mapping[Algorithm, Mapping[str, Parameter | TaskChoice]] = {
    "linear": {},
    "ridge": {"alpha": Number(1.0, 0)},
    "lasso": {"alpha": Number(0.01, 0, open=True), "max_iter": Number(1000, 1, 100_000, whole=True)},
    "elastic-net": {
        "alpha": Number(0.01, 0, open=True),
        "l1_ratio": Number(0.5, 0, 1, open=True),
        "max_iter": Number(1000, 1, 100_000, whole=True),
    },
    "logistic": {
        "C": Number(1.0, 0, open=True),
        "max_iter": Number(1000, 1, 100_000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "linear-svm": {
        "C": Number(1.0, 0, open=True),
        "epsilon": Number(0.0, 0),
        "loss": Choice("squared_epsilon_insensitive", ("squared_epsilon_insensitive", "epsilon_insensitive")),
        "max_iter": Number(1000, 1, 100_000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "svm": {
        "kernel": Choice("rbf", ("rbf", "poly", "sigmoid", "linear")),
        "C": Number(1.0, 0, open=True),
        "gamma": Number("scale", 0, open=True, words=("scale", "auto")),
        "degree": Number(3, 1, 10, whole=True),
        "coef0": Number(0.0, -math.inf),
        "epsilon": Number(0.1, 0),
        "max_iter": Number(100_000, 1, 10_000_000, whole=True),
        "max_rows": _MAX_ROWS,
        "class_weight": _CLASS_WEIGHT,
    },
    "nearest-neighbors": {
        "n_neighbors": Number(15, 1, 1000, whole=True),
        "weights": Choice("uniform", ("uniform", "distance")),
        "max_rows": _MAX_ROWS,
    },
    "naive-bayes": {
        "var_smoothing": Number(0.01, 1e-9, 1),
        "alpha": Number(1.0, 0, open=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "decision-tree": {
        "max_depth": Number(10, 1, 64, whole=True),
        "min_samples_leaf": Number(5, 1, whole=True),
        "ccp_alpha": Number(0.0, 0),
        "class_weight": _CLASS_WEIGHT,
    },
    "random-forest": {
        "n_estimators": Number(100, 1, 5000, whole=True),
        "max_depth": Number(14, 1, 64, whole=True),
        "min_samples_leaf": Number(5, 1, whole=True),
        "max_features": Number(0.33, 0, 1, open=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "extra-trees": {
        "n_estimators": Number(100, 1, 5000, whole=True),
        "max_depth": Number(14, 1, 64, whole=True),
        "min_samples_leaf": Number(5, 1, whole=True),
        "max_features": Number(0.5, 0, 1, open=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "hist-gradient-boosting": {
        "max_iter": Number(500, 1, 10_000, whole=True),
        "learning_rate": Number(0.1, 0, 1, open=True),
        "max_leaf_nodes": Number(31, 2, 4096, whole=True),
        "min_samples_leaf": Number(20, 1, whole=True),
        "l2_regularization": Number(0.0, 0),
        "max_features": Number(1.0, 0, 1, open=True),
        "loss": Choice("squared_error", ("squared_error", "absolute_error")),
        "n_iter_no_change": Number(30, 0, 1000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "lightgbm": {
        "n_estimators": Number(500, 1, 10_000, whole=True),
        "learning_rate": Number(0.1, 0, 1, open=True),
        "num_leaves": Number(31, 2, 4096, whole=True),
        "max_depth": Number(-1, -1, 64, whole=True),
        "min_child_samples": Number(20, 1, whole=True),
        "colsample_bytree": Number(1.0, 0, 1, open=True),
        "subsample": Number(1.0, 0, 1, open=True),
        "reg_alpha": Number(0.0, 0),
        "reg_lambda": Number(0.0, 0),
        "objective": Choice("regression", ("regression", "regression_l1", "huber")),
        "early_stopping_round": Number(30, 0, 1000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "xgboost": {
        "n_estimators": Number(500, 1, 10_000, whole=True),
        "learning_rate": Number(0.1, 0, 1, open=True),
        "max_depth": Number(6, 1, 64, whole=True),
        "min_child_weight": Number(1.0, 0),
        "gamma": Number(0.0, 0),
        "colsample_bytree": Number(1.0, 0, 1, open=True),
        "subsample": Number(1.0, 0, 1, open=True),
        "reg_alpha": Number(0.0, 0),
        "reg_lambda": Number(1.0, 0),
        "objective": Choice("reg:squarederror", ("reg:squarederror", "reg:absoluteerror", "reg:pseudohubererror")),
        "early_stopping_rounds": Number(30, 0, 1000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "neural-network": {
        "hidden": Widths((128,)),
        "activation": Choice("relu", ("relu", "tanh", "sigmoid")),
        "loss": TaskChoice(
            {
                "regression": ("squared_error", "absolute_error"),
                "classification": ("cross_entropy", "squared_error", "absolute_error"),
            }
        ),
        "alpha": Number(0.003, 0),
        "l1_ratio": Number(0.0, 0, 1),
        "optimizer": Choice("adam", ("adam", "sgd")),
        "learning_rate": Number(0.01, 0, 10, open=True),
        "momentum": Number(0.9, 0, 0.999),
        "schedule": Choice("one-cycle", ("one-cycle", "constant")),
        "epochs": Number(40, 1, 10_000, whole=True),
        "batch_size": Number(64, 1, 1_000_000, whole=True),
        "n_iter_no_change": Number(0, 0, 1000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "torch-mlp": _torch_parameters(
        {"hidden": Widths((128,)), "activation": Choice("relu", ("relu", "tanh", "sigmoid"))}, alpha=0.003
    ),
    "torch-cnn": _torch_parameters(
        {"shape": Shape(), "channels": Widths((16, 32), most_layers=8, most=1024), "hidden": Widths((64,))}, alpha=1e-4
    ),
    "torch-rnn": _torch_parameters(_RECURRENT, alpha=1e-4),
    "torch-lstm": _torch_parameters(_RECURRENT, alpha=1e-4),
    "k-means": {
        "n_clusters": Number(8, 1, 1000, whole=True),
        "n_init": Number(10, 1, 1000, whole=True),
        "max_iter": Number(300, 1, 100_000, whole=True),
    },
    "gaussian-mixture": {
        "n_components": Number(1, 1, 1000, whole=True),
        "covariance_type": Choice("full", ("full", "tied", "diag", "spherical")),
        "reg_covar": Number(0.001, 1e-9),
        "max_iter": Number(300, 1, 100_000, whole=True),
        "n_init": Number(3, 1, 1000, whole=True),
    },
    "kernel-density": {"bandwidth": Number(0.0, 0), "max_points": Number(2000, 1, 5000, whole=True)},
    "pca": {"n_components": Number(2, 1, 1000, whole=True)},
    "isolation-forest": {
        "n_estimators": Number(100, 1, 5000, whole=True),
        "max_samples": Number(256, 2, 100_000, whole=True),
        "max_features": Number(1.0, 0, 1, open=True),
    },
}
"""The parameters of each algorithm, under their library's names."""

ONLY: Mapping[str, Task] = {
    "loss": "regression",
    "objective": "regression",
    "epsilon": "regression",
    "class_weight": "classification",
}
"""Parameters that mean something for one task only, whichever algorithm; ``TaskChoice`` says it of one algorithm's."""


def parameters_for(algorithm: Algorithm, task: Task) -> Mapping[str, Parameter]:
    """Return the parameters of an algorithm that mean something for a task; a forecast is a regression to them."""
    task = "regression" if task == "forecasting" else task
    known: dict[str, Parameter] = {}
    for name, parameter in PARAMETERS[algorithm].items():
        if isinstance(parameter, TaskChoice):
            if (choice := parameter.of(task)) is not None:
                known[name] = choice
        elif ONLY.get(name, task) == task:
            known[name] = parameter
    return known
