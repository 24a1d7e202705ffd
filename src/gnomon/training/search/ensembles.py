"""Which algorithms grow by trees or rounds. Light: the driver of a search uses it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from gnomon.errors import ManifestError
from gnomon.resources.learning import Algorithm
from gnomon.training.candidates import CandidatePlan
from gnomon.training.stops import STOP

Family = Literal["booster", "forest"]

_USUAL_LEAVES = 31
_MOST_LEAVES = 4096.0


@dataclass(frozen=True)
class Ensemble:
    """How an algorithm says how long it is, and after how many rounds without gain it stops."""

    family: Family
    length: str
    patience: str | None = None
    leaves: str | None = None
    """The parameter that bounds the leaves of a tree; ``max_depth`` bounds them too, where it has one."""


ENSEMBLES: Mapping[Algorithm, Ensemble] = {
    "lightgbm": Ensemble("booster", "n_estimators", "early_stopping_round", "num_leaves"),
    "hist-gradient-boosting": Ensemble("booster", "max_iter", "n_iter_no_change", "max_leaf_nodes"),
    "xgboost": Ensemble("booster", "n_estimators", "early_stopping_rounds"),
    "random-forest": Ensemble("forest", "n_estimators"),
    "extra-trees": Ensemble("forest", "n_estimators"),
}
"""The algorithms that race; the others are fitted whole."""


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


def pace(plan: CandidatePlan) -> float:
    """Return how much a round of a booster learns: its learning rate times the fourth root of its leaves over 31.

    Where learning rate times rounds is equal, large trees are ahead though small ones often win in the end: a round of small
    ones learns less. On flights of three half-years, the fourth root brought the best of full fits through every time.
    """
    leaves = ENSEMBLES[plan.algorithm].leaves
    most = _number(plan, leaves) if leaves is not None else _MOST_LEAVES
    depth = plan.params.get("max_depth", -1)
    if isinstance(depth, int) and depth > 0:
        most = min(most, 2.0 ** min(depth, 32))
    share: float = min(most, _MOST_LEAVES) / _USUAL_LEAVES
    return float(_number(plan, "learning_rate") * math.sqrt(math.sqrt(share)))


def at_length(plan: CandidatePlan, length: int) -> CandidatePlan:
    """Return the plan of an ensemble of exactly this length."""
    ensemble = ENSEMBLES[plan.algorithm]
    fixed = {ensemble.length: length} | ({ensemble.patience: 0} if ensemble.patience is not None else {})
    return replace(plan, params={**plan.params, **fixed})


def stop_at(plan: CandidatePlan, length: float) -> int:
    """Return the nearest length from there on at which an ensemble may stop, at most its full one."""
    return min(full_length(plan), max(STOP, math.ceil(length / STOP) * STOP))


def _whole(plan: CandidatePlan, name: str) -> int:
    return int(_number(plan, name))


def _number(plan: CandidatePlan, name: str) -> float:
    value = plan.params[name]
    if not isinstance(value, int | float):
        raise ManifestError(f"candidate {plan.name}: {name} is {value!r}", f"{name} takes a number")
    return value
