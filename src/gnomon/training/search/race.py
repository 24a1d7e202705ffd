"""A race makes of the candidates' standings who grows on, and how far. Without a clock: equal standings, equal decisions.

Ensemble length is what a race gives out, over all rows: on samples of the rows, another candidate wins. Boosters are compared
where their rounds have learnt about as much (``ensembles.pace``), forests at equal shares of their trees; what does not grow
was fitted whole.
"""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.training.candidates import CandidatePlan
from gnomon.training.search.ensembles import Family, family_of, full_length, pace, stop_at
from gnomon.training.search.row_losses import excess

_BOOSTER_RUNGS = (1.0, 4.0, 9.0)
"""Rounds times what a round learns; 1 is 10 rounds of 31 leaves at a learning rate of 0.1."""
_FOREST_RUNGS = (0.1, 0.34)
"""Shares of the trees."""
_RUNGS: Mapping[Family, tuple[float, ...]] = {"booster": _BOOSTER_RUNGS, "forest": _FOREST_RUNGS}
_FINALISTS = 2
"""So many grow to their full length; before, the better half goes on from rung to rung."""
_CLEARLY = 2.0
"""Standard errors by which a candidate is clearly beaten."""


@dataclass(frozen=True, eq=False)
class Standing:
    """How a candidate does so far.

    Args:
        plan: The candidate.
        score: Its metric on the validation rows, the less the better.
        length: Its trees or rounds; 0 where it does not grow.
        finished: Whether it will not grow on by itself.
        losses: The loss of each validation row, float32, where they were kept.
        promise: The mean loss that a forest will come to, where its trees tell.
    """

    plan: CandidatePlan
    score: float
    length: int
    finished: bool
    losses: NDArray[np.float32] | None = None
    promise: float | None = None


@dataclass(frozen=True)
class Growth:
    """One candidate that grows on to a length."""

    plan: CandidatePlan
    length: int


def first_rung(plan: CandidatePlan) -> int:
    """Return the length at which an ensemble is looked at first."""
    return _rung_length(plan, 0)


class Race:
    """The decisions of one race, rung by rung.

    Args:
        plans: The ensembles, each of which was grown to its first rung.
    """

    def __init__(self, plans: Sequence[CandidatePlan]) -> None:
        self._alive: dict[Family, tuple[str, ...]] = {
            family: tuple(plan.name for plan in plans if family_of(plan) == family) for family in ("booster", "forest")
        }
        self._rung: dict[Family, int] = {"booster": 0, "forest": 0}

    def next_rung(self, standings: Mapping[str, Standing]) -> tuple[Growth, ...]:
        """Return who grows on now; nobody where the race is over.

        Boosters race first. A forest then grows on only if its trees promise a loss that nothing has reached.

        Args:
            standings: Of every candidate that has one, by name. What failed has none.
        """
        families: tuple[Family, ...] = ("booster", "forest")
        for family in families:
            self._cut(family, standings)
            rung = self._rung[family]
            growing = [standings[name] for name in self._alive[family] if not standings[name].finished]
            if growing:
                return tuple(Growth(standing.plan, _rung_length(standing.plan, rung)) for standing in growing)
        return ()

    def _cut(self, family: Family, standings: Mapping[str, Standing]) -> None:
        """Go on to the next rung of a family, with those that hold their own."""
        alive = [standings[name] for name in self._alive[family] if name in standings]
        if family == "forest":
            alive = _promising(alive, standings.values(), first=self._rung[family] == 0)
        alive.sort(key=_prospect)
        rung = self._rung[family]
        last = rung + 1 >= len(_RUNGS[family])
        kept = alive[: _FINALISTS if last else max(_FINALISTS, math.ceil(len(alive) / 2))]
        if rung > 0:
            kept = [each for place, each in enumerate(kept) if place < _FINALISTS or not clearly_beaten(each, kept[0])]
        self._alive[family] = tuple(standing.plan.name for standing in kept)
        self._rung[family] += 1


def expected_growth(plans: Sequence[CandidatePlan], rungs: int) -> Iterator[tuple[CandidatePlan, int]]:
    """Yield what boosters are likely to grow after so many rungs: stand-ins for those that will, and by how much."""
    boosters = [plan for plan in plans if family_of(plan) == "booster"]
    left = len(boosters)
    for rung in range(1, len(_BOOSTER_RUNGS) + 1):
        left = min(left, _FINALISTS if rung == len(_BOOSTER_RUNGS) else max(_FINALISTS, math.ceil(left / 2)))
        for plan in boosters[:left] if rung >= rungs else ():
            yield plan, _rung_length(plan, rung) - _rung_length(plan, rung - 1)


def clearly_beaten(standing: Standing, best: Standing) -> bool:
    """Whether a candidate's losses exceed another's on the same rows by more than chance would have it."""
    if standing.losses is None or best.losses is None:
        return standing.score > best.score
    more, error = excess(standing.losses, best.losses)
    return more > _CLEARLY * error


def _promising(forests: Sequence[Standing], everybody: Collection[Standing], *, first: bool) -> list[Standing]:
    """Return the forests that may still become the best of all. Few trees say nothing where they make no promise."""
    best = min(everybody, key=lambda each: each.score, default=None)
    if best is None:
        return list(forests)
    least = float(np.mean(best.losses, dtype=np.float64)) if best.losses is not None else None

    def may_win(forest: Standing) -> bool:
        if forest is best:
            return True
        if forest.promise is not None and least is not None:
            return forest.promise < least
        return first or not clearly_beaten(forest, best)

    return [forest for forest in forests if may_win(forest)]


def _prospect(standing: Standing) -> float:
    return standing.score if standing.promise is None else standing.promise


def _rung_length(plan: CandidatePlan, rung: int) -> int:
    """Return the length of an ensemble at a rung; beyond the last rung, its full one."""
    if family_of(plan) == "booster":
        return stop_at(plan, _BOOSTER_RUNGS[rung] / pace(plan)) if rung < len(_BOOSTER_RUNGS) else full_length(plan)
    return stop_at(plan, _FOREST_RUNGS[rung] * full_length(plan)) if rung < len(_FOREST_RUNGS) else full_length(plan)
