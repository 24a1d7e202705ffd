"""What a race decides, from standings that are made up."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from gnomon.resources.model import ModelSpec
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.search.ensembles import full_length, pace
from gnomon.training.search.race import Growth, Race, Standing, clearly_beaten, expected_growth, first_rung


def plans_of(*candidates: Mapping[str, Any]) -> tuple[CandidatePlan, ...]:
    declared = {"task": "regression", "dataset": "d", "target": "t", "candidates": list(candidates)}
    return expand(ModelSpec.model_validate(declared, strict=False))


BOOSTERS = plans_of(
    {
        "algorithm": "lightgbm",
        "params": {"n_estimators": 4000},
        "search": {"learning_rate": [0.01, 0.02, 0.04], "num_leaves": [7, 31, 63, 127]},
    }
)
FORESTS = plans_of({"algorithm": "random-forest", "search": {"max_depth": [4, 8, 12, 16]}})
ROWS = 400


class Field:
    """Candidates whose loss at full length is known; that of a shorter one is larger by an equal share for all."""

    def __init__(self, losses: Mapping[str, float], plans: Sequence[CandidatePlan]) -> None:
        self._losses, self._plans = losses, {plan.name: plan for plan in plans}
        self.standings: dict[str, Standing] = {}
        draw = np.random.default_rng(3)
        self._noise = {plan.name: noise - noise.mean() for plan in plans for noise in [draw.normal(size=ROWS)]}

    def grow(self, plan: CandidatePlan, length: int) -> None:
        rounds = length * pace(plan) if "learning_rate" in plan.params else length / full_length(plan) * 20
        loss = self._losses[plan.name] + 1 / (1 + rounds)
        promise = self._losses[plan.name] + 1 / 21 if plan.algorithm == "random-forest" else None
        rows = (loss + self._noise[plan.name]).astype(np.float32)
        self.standings[plan.name] = Standing(plan, loss, length, length >= full_length(plan), rows, promise)

    def run(self) -> list[tuple[Growth, ...]]:
        """Race to the end and return who grew on in each rung."""
        for plan in self._plans.values():
            self.grow(plan, first_rung(plan))
        race, rungs = Race(tuple(self._plans.values())), []
        while rung := race.next_rung(self.standings):
            rungs.append(rung)
            for growth in rung:
                assert growth.length > self.standings[growth.plan.name].length
                self.grow(growth.plan, growth.length)
        return rungs


def test_boosters_meet_where_their_rounds_have_learnt_about_as_much() -> None:
    assert pace(BOOSTERS[0]) == pytest.approx(0.01 * (7 / 31) ** 0.25)
    field = Field({plan.name: number / 10 for number, plan in enumerate(BOOSTERS)}, BOOSTERS)
    for rung, reached in zip(field.run()[:2], (4.0, 9.0), strict=True):
        for growth in rung:
            assert growth.length % 5 == 0
            assert 0 <= growth.length - reached / pace(growth.plan) < 5


def test_depth_bounds_the_leaves_that_a_round_learns_with() -> None:
    search = {"max_depth": [-1, 2, 40], "num_leaves": [63]}
    free, shallow, deep = plans_of({"algorithm": "lightgbm", "params": {"learning_rate": 0.1}, "search": search})
    assert pace(free) == pace(deep) == pytest.approx(0.1 * (63 / 31) ** 0.25)
    assert pace(shallow) == pytest.approx(0.1 * (4 / 31) ** 0.25)
    (xgboost,) = plans_of({"algorithm": "xgboost", "params": {"learning_rate": 0.1, "max_depth": 5}})
    assert pace(xgboost) == pytest.approx(0.1 * (32 / 31) ** 0.25)


def test_ever_fewer_grow_on_and_the_best_of_them_to_the_end() -> None:
    field = Field({plan.name: number / 80 for number, plan in enumerate(BOOSTERS)}, BOOSTERS)
    rungs = field.run()
    assert [len(rung) for rung in rungs] == [6, 3, 2]
    assert [growth.plan.name for growth in rungs[-1]] == ["lightgbm-1", "lightgbm-2"]
    assert {growth.length for growth in rungs[-1]} == {4000}


def test_who_is_clearly_beaten_leaves_before_its_turn_except_for_the_second() -> None:
    plans = plans_of({"algorithm": "lightgbm", "search": {"num_leaves": list(range(3, 30))}})
    close = Field({plan.name: 0.0 for plan in plans}, plans)
    apart = Field({plan.name: number * 1.0 for number, plan in enumerate(plans)}, plans)
    assert [len(rung) for rung in close.run()] == [14, 7, 2]
    assert [len(rung) for rung in apart.run()] == [14, 2, 2]


def test_a_forest_grows_on_only_where_its_trees_promise_more_than_the_best_booster() -> None:
    plans = (*BOOSTERS, *FORESTS)
    losses = {plan.name: 0.5 + number / 100 for number, plan in enumerate(BOOSTERS)}
    promising = losses | {"random-forest-1": 0.4, "random-forest-2": 0.45, "random-forest-3": 2.0, "random-forest-4": 3.0}
    field = Field(promising, plans)
    rungs = [[growth.plan.name for growth in rung] for rung in field.run()]
    forests = [rung for rung in rungs if rung[0].startswith("random-forest")]
    assert forests[0] == ["random-forest-1", "random-forest-2"]
    assert field.standings["random-forest-1"].finished
    assert rungs.index(forests[0]) > 0, "boosters race first"
    hopeless = Field(losses | {plan.name: 2.0 for plan in FORESTS}, plans)
    assert not any(growth.plan.algorithm == "random-forest" for rung in hopeless.run() for growth in rung)


def test_what_failed_on_its_way_is_out_of_the_race() -> None:
    field = Field({plan.name: number / 10 for number, plan in enumerate(BOOSTERS)}, BOOSTERS)
    for plan in BOOSTERS:
        field.grow(plan, first_rung(plan))
    race = Race(BOOSTERS)
    first = race.next_rung(field.standings)
    del field.standings["lightgbm-1"]
    for growth in first[1:]:
        field.grow(growth.plan, growth.length)
    assert "lightgbm-1" not in [growth.plan.name for growth in race.next_rung(field.standings)]


@pytest.mark.parametrize("plans", [(), BOOSTERS[:1], FORESTS[:1], (BOOSTERS[0], FORESTS[0])])
def test_small_fields_race_too(plans: tuple[CandidatePlan, ...]) -> None:
    field = Field({plan.name: 0.1 for plan in plans}, plans)
    field.run()
    boosters = [standing for name, standing in field.standings.items() if name.startswith("lightgbm")]
    assert all(standing.finished for standing in boosters)


def test_without_losses_of_rows_the_score_decides() -> None:
    better, worse = (Standing(BOOSTERS[0], score, 1, finished=True) for score in (0.1, 0.2))
    assert clearly_beaten(worse, better)
    assert not clearly_beaten(better, worse)


def test_what_is_expected_to_grow_is_about_what_grows() -> None:
    field = Field({plan.name: number / 80 for number, plan in enumerate(BOOSTERS)}, BOOSTERS)
    rungs = field.run()
    for done in range(4):
        expected = list(expected_growth(BOOSTERS, done + 1))
        assert len(expected) == sum(map(len, rungs[done:]))
    assert not list(expected_growth(FORESTS, 1))
