"""What each algorithm takes: its parameters, under the names of its library, with defaults and bounds.

Light: validating a manifest uses this too. What an algorithm can learn stands in ``resources.model.ALGORITHMS_BY_TASK``.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from gnomon.resources.model import Algorithm, Scalar, Task


@dataclass(frozen=True)
class Number:
    """A parameter that is a number from ``least`` (not itself where ``open``) to ``most``."""

    default: float
    least: float
    most: float = math.inf
    whole: bool = False
    open: bool = False

    @property
    def told(self) -> str:
        """What it takes, in words."""
        kind = "an integer" if self.whole else "a number"
        least = f"above {self.least:g}" if self.open else f"from {self.least:g}"
        return f"{kind} {least}" + (f" to {self.most:g}" if math.isfinite(self.most) else "")

    def checked(self, value: Scalar) -> Scalar | None:
        """Return the value in the parameter's type, or None where it does not fit."""
        if isinstance(value, bool | str) or not math.isfinite(value) or value > self.most or value < self.least:
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

    def checked(self, value: Scalar) -> Scalar | None:
        """Return the value, or None where it does not fit."""
        return value if isinstance(value, str) and value in self.values else None


Parameter = Number | Choice

_CLASS_WEIGHT = Choice("none", ("none", "balanced"))

PARAMETERS: Mapping[Algorithm, Mapping[str, Parameter]] = {
    "linear": {},
    "ridge": {"alpha": Number(1.0, 0)},
    "logistic": {
        "C": Number(1.0, 0, open=True),
        "max_iter": Number(1000, 1, 100_000, whole=True),
        "class_weight": _CLASS_WEIGHT,
    },
    "random-forest": {
        "n_estimators": Number(100, 1, 5000, whole=True),
        "max_depth": Number(14, 1, 64, whole=True),
        "min_samples_leaf": Number(5, 1, whole=True),
        "max_features": Number(0.33, 0, 1, open=True),
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
}
"""The parameters of each algorithm, under their library's names."""

ONLY: Mapping[str, Task] = {"loss": "regression", "objective": "regression", "class_weight": "classification"}
"""Parameters that mean something for one task only."""
