"""What is wrong with a search, and its nearest good neighbour."""

import pytest

from tests.resources.test_rules import told

HEAD = "task: regression, dataset: d, target: t"
RIDGE = f"{HEAD}, candidates: [{{algorithm: ridge, search: {{alpha: [1, 2, 3]}}}}]"


def ridge(rest: str) -> str:
    return f"{HEAD}, candidates: [{{algorithm: ridge, {rest}}}]"


def budget(text: str) -> str:
    return f"{RIDGE}, search: {{budget: {{{text}}}}}"


@pytest.mark.parametrize(
    ("good", "bad", "cause"),
    [
        (ridge("search: {alpha: {log: [1, 9]}}, random: 3"), ridge("random: 3"), "random has nothing to draw from"),
        (
            ridge("search: {alpha: {log: [1, 9]}}, random: 3"),
            ridge("search: {alpha: {log: [1, 9], n: 3}}, random: 3"),
            "the range of alpha has n, and random draws from the whole of it",
        ),
        (
            ridge("search: {alpha: [1, 2, 3]}, random: 2"),
            ridge("search: {alpha: [1, 2, 3]}, random: 3"),
            "random draws 3 of 3 combinations",
        ),
        (f"{RIDGE}, search: {{race: true}}", f"{ridge('params: {}')}, search: {{race: true}}", "one candidate cannot race"),
        (budget("trials: 2"), budget("trials: 3"), "the budget is 3 trials, and the candidates come to 3"),
        (
            budget("time: 1m"),
            f"{ridge('params: {}')}, search: {{budget: {{time: 1m}}}}",
            "a budget of time has nothing to cut: there is one candidate",
        ),
        (budget("time: 1s"), budget("time: 10ms"), "spec.search.budget.time is below 1s"),
        (budget("cost: 2, pricePerCpuHour: 0.05"), budget("cost: 2"), "spec.search.budget.cost has no price to count with"),
        (
            budget("cost: 2, pricePerCpuHour: 0.05"),
            budget("pricePerCpuHour: 0.05"),
            "spec.search.budget.pricePerCpuHour prices nothing",
        ),
    ],
)
def test_a_search_says_what_is_wrong_with_it(good: str, bad: str, cause: str) -> None:
    assert told("Model", good) == []
    assert told("Model", bad) == [cause]


@pytest.mark.parametrize(
    "bad",
    [budget("trials: 0"), budget("cost: 0, pricePerCpuHour: 1"), budget("time: 5"), ridge("search: {alpha: [1]}, random: 0")],
)
def test_quantities_of_a_budget_are_above_nothing(bad: str) -> None:
    assert told("Model", bad)


@pytest.mark.parametrize("key", ["budgets", "racing", "trials"])
def test_a_key_that_search_does_not_have_is_refused(key: str) -> None:
    assert any(key in cause for cause in told("Model", f"{RIDGE}, search: {{{key}: 1}}"))
