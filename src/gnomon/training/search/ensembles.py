"""Which algorithms grow by trees or rounds, and what each is given to learn from. Light: the driver of a search uses it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

from gnomon.errors import ManifestError
from gnomon.resources.model import Algorithm
from gnomon.training.candidates import CandidatePlan

Family = Literal["booster", "forest"]
Encoding = Literal["trees", "linear"]

STEP = 5
"""Ensembles stop at multiples of it, see ``algorithms.growth.STOP``."""


@dataclass(frozen=True)
class Ensemble:
    """How an algorithm says how long it is, and after how many rounds without gain it stops."""

    family: Family
    length: str
    patience: str | None = None


ENSEMBLES: Mapping[Algorithm, Ensemble] = {
    "lightgbm": Ensemble("booster", "n_estimators", "early_stopping_round"),
    "hist-gradient-boosting": Ensemble("booster", "max_iter", "n_iter_no_change"),
    "xgboost": Ensemble("booster", "n_estimators", "early_stopping_rounds"),
    "random-forest": Ensemble("forest", "n_estimators"),
    "extra-trees": Ensemble("forest", "n_estimators"),
}
"""The algorithms that race; the others are fitted whole."""

ENCODINGS: Mapping[Algorithm, Encoding] = {
    "lightgbm": "trees",
    "hist-gradient-boosting": "trees",
    "xgboost": "trees",
    "random-forest": "trees",
    "extra-trees": "trees",
    "decision-tree": "trees",
    "linear": "linear",
    "ridge": "linear",
    "lasso": "linear",
    "elastic-net": "linear",
    "logistic": "linear",
    "linear-svm": "linear",
    "neural-network": "linear",
}
"""What each learns from, made once for all of them; an algorithm that is not here encodes its rows by itself."""


def family_of(plan: CandidatePlan) -> Family | None:
    """Return the family of an ensemble, None where a candidate is fitted whole."""
    ensemble = ENSEMBLES.get(plan.algorithm)
    return ensemble.family if ensemble is not None else None


def full_length(plan: CandidatePlan) -> int:
    """Return how many trees or rounds are declared, at most."""
    return _whole(plan, ENSEMBLES[plan.algorithm].length)


def patience_of(plan: CandidatePlan) -> int:
    """Return after how many rounds without gain a booster stops; 0 where it does not."""
    patience = ENSEMBLES[plan.algorithm].patience
    return _whole(plan, patience) if patience is not None else 0


def learning_rate(plan: CandidatePlan) -> float:
    """Return the learning rate of a booster."""
    return float(_number(plan, "learning_rate"))


def at_length(plan: CandidatePlan, length: int) -> CandidatePlan:
    """Return the plan of an ensemble of exactly this length."""
    ensemble = ENSEMBLES[plan.algorithm]
    fixed = {ensemble.length: length} | ({ensemble.patience: 0} if ensemble.patience is not None else {})
    return replace(plan, params={**plan.params, **fixed})


def stop_at(plan: CandidatePlan, length: float) -> int:
    """Return the nearest length from there on at which an ensemble may stop, at most its full one."""
    return min(full_length(plan), max(STEP, ceil(length / STEP) * STEP))


def _whole(plan: CandidatePlan, name: str) -> int:
    return int(_number(plan, name))


def _number(plan: CandidatePlan, name: str) -> float:
    value = plan.params[name]
    if not isinstance(value, int | float):
        raise ManifestError(f"candidate {plan.name}: {name} is {value!r}", f"{name} takes a number")
    return value
