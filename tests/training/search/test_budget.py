"""What a budget leaves of the candidates, and when it is used up."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.resources.model import ModelSpec
from gnomon.resources.search import SearchBudget
from gnomon.stores.records.interface import StepRecord, StepState
from gnomon.training.candidates import expand
from gnomon.training.search.budget import spent, tried

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def spec_of(seed: int = 7, **budget: Any) -> ModelSpec:
    declared = {
        "task": "regression",
        "dataset": "d",
        "target": "t",
        "split": {"seed": seed},
        "candidates": [
            {"algorithm": "linear"},
            {"algorithm": "ridge", "search": {"alpha": {"log": [0.01, 100], "n": 30}}},
            {"algorithm": "lightgbm", "search": {"num_leaves": list(range(4, 14))}},
        ],
        "search": {"budget": budget},
    }
    return ModelSpec.model_validate(declared, strict=False)


def step(begin_s: float, end_s: float | None, cpu_s: float = 0, state: StepState = "done") -> StepRecord:
    ended = NOON + timedelta(seconds=end_s) if end_s is not None else None
    return StepRecord("run", "fit", 1, "key", state, "process", NOON + timedelta(seconds=begin_s), ended, cpu_s=cpu_s)


@given(trials=st.integers(1, 40), seed=st.integers(0, 50))
@settings(max_examples=20, deadline=None)
def test_a_budget_of_trials_is_exact_and_takes_of_each_about_as_many(trials: int, seed: int) -> None:
    spec = spec_of(seed, trials=trials)
    plans = expand(spec)
    left = tried(spec, plans)
    assert len(left) == len({plan.name for plan in left}) == trials
    counts = Counter(plan.algorithm for plan in left)
    assert counts["linear"] == 1
    if trials >= 3:
        assert abs(counts["ridge"] - counts["lightgbm"]) <= 1 or counts["lightgbm"] == 10
    assert tried(spec, plans) == left
    more = tried(spec_of(seed, trials=trials + 1), plans)
    assert more[:trials] == left, "a larger budget begins with the same candidates"


def test_without_a_budget_all_are_tried_as_declared() -> None:
    spec = spec_of()
    assert tried(spec, expand(spec)) == expand(spec)


def test_time_is_that_in_which_steps_ran() -> None:
    budget = SearchBudget(time=timedelta(seconds=30))
    overlapping = [step(0, 10), step(5, 15), step(100, 110)]
    assert spent(budget, overlapping, NOON) is None
    assert spent(budget, [*overlapping, step(110, None, state="running")], NOON + timedelta(seconds=115)) == "time"
    assert spent(budget, [step(0, 40, state="cached")], NOON) is None
    assert spent(budget, overlapping, NOON, share=0.5) == "time"


@pytest.mark.parametrize(("cpu_s", "stop"), [(3599.0, None), (3600.0, "cost")])
def test_cost_is_the_price_of_processor_time(cpu_s: float, stop: str | None) -> None:
    assert spent(SearchBudget(cost=0.05, price_per_cpu_hour=0.05), [step(0, 1, cpu_s)], NOON) == stop


def test_a_huge_cost_at_a_tiny_price_is_no_overflow() -> None:
    assert spent(SearchBudget(cost=1e300, price_per_cpu_hour=1e-300), [step(0, 1, 5.0)], NOON) is None
