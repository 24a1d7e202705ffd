import math
import re
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gnomon.evaluation.gate_result import GateResult
from gnomon.evaluation.gates import format_verdict, gates_table, judge
from gnomon.evaluation.metrics import METRICS
from gnomon.resources.learning import Metric
from gnomon.resources.model import Gate
from tests.golden import assert_golden

LOSSES = ("rmse", "mae", "logLoss")
SCORES = ("r2", "accuracy", "f1", "rocAuc")
NONE_LEFT = {"slices": 0, "largestRows": 0}
FIGURES = st.floats(1e-3, 1e3, allow_nan=False)


def gate(**declared: Any) -> Gate:
    return Gate.model_validate(declared)


def sheet(**values: float | None) -> dict[str, Any]:
    return {name: {"value": value} for name, value in values.items()}


def report(
    champion: dict[str, Any] | None = None, gains: dict[str, list[float]] | None = None, /, **values: float | None
) -> dict[str, Any]:
    compared = None if champion is None else {"digest": "sha256:1", "comparable": True, "metrics": sheet(**champion)}
    comparison = {name: {"gains": listed} for name, listed in (gains or {}).items()}
    return {"metrics": sheet(**values), "champion": compared, "comparison": comparison}


def only(results: tuple[GateResult, ...]) -> GateResult:
    (result,) = results
    return result


def test_a_figure_on_the_bound_passes() -> None:
    assert only(judge([gate(metric="rmse", max=45)], report(rmse=45.0))).passed
    assert only(judge([gate(metric="r2", min=0.5)], report(r2=0.5))).passed


def test_a_figure_beyond_the_bound_fails_and_says_by_how_much() -> None:
    result = only(judge([gate(metric="rmse", max=45)], report(rmse=45.0000001)))
    assert not result.passed
    assert result.description == "rmse <= 45"
    assert result.message == "rmse is 45.0000001, above 45"
    assert (result.measured, result.bound) == (45.0000001, 45.0)
    assert only(judge([gate(metric="r2", min=0.5)], report(r2=0.25))).message == "r2 is 0.25, below 0.5"


@given(st.sampled_from(["max", "min"]), FIGURES, FIGURES, FIGURES)
def test_a_looser_bound_never_refuses_what_a_stricter_one_passes(side: str, value: float, first: float, second: float) -> None:
    strict, loose = sorted((first, second), reverse=side == "min")
    passed = [only(judge([gate(metric="rmse", **{side: bound})], report(rmse=value))).passed for bound in (strict, loose)]
    assert passed[1] >= passed[0]


@given(st.sampled_from(LOSSES), FIGURES, FIGURES, st.floats(0.5, 1.0), st.integers(0, 100))
def test_a_better_candidate_never_fails_what_a_worse_one_passes(
    metric: str, value: float, champion: float, share: float, percent: int
) -> None:
    asked = gate(metric=metric, against="champion", improveBy=f"{percent}%")
    better, worse = (
        only(judge([asked], report({metric: champion}, **{metric: ours}))).passed for ours in (value * share, value)
    )
    assert better >= worse


@pytest.mark.parametrize("metric", LOSSES)
@pytest.mark.parametrize(("ours", "passed"), [(9.0, True), (9.9, True), (9.95, False), (10.0, False), (11.0, False)])
def test_a_loss_must_fall_by_the_declared_share(metric: str, ours: float, passed: bool) -> None:  # noqa: FBT001
    asked = gate(metric=metric, against="champion", improveBy="1%")
    assert only(judge([asked], report({metric: 10.0}, **{metric: ours}))).passed is passed


@pytest.mark.parametrize("metric", SCORES)
@pytest.mark.parametrize(("ours", "passed"), [(0.9, True), (0.808, True), (0.805, False), (0.8, False), (0.7, False)])
def test_a_score_must_rise_by_the_declared_share(metric: str, ours: float, passed: bool) -> None:  # noqa: FBT001
    asked = gate(metric=metric, against="champion", improveBy="1%")
    assert only(judge([asked], report({metric: 0.8}, **{metric: ours}))).passed is passed


def test_an_equal_candidate_passes_where_no_improvement_is_asked() -> None:
    for asked in (gate(metric="rmse", against="champion"), gate(metric="rmse", against="champion", improveBy="0%")):
        result = only(judge([asked], report({"rmse": 10.0}, rmse=10.0)))
        assert result.passed
        assert "equal" in result.message
        assert result.description == "rmse no worse than champion"


def test_a_negative_score_is_compared_by_its_size() -> None:
    asked = gate(metric="r2", against="champion", improveBy="10%")
    assert only(judge([asked], report({"r2": -1.0}, r2=-0.8))).passed
    assert not only(judge([asked], report({"r2": -1.0}, r2=-1.2))).passed


def test_a_perfect_champion_is_only_equalled() -> None:
    asked = gate(metric="rmse", against="champion", improveBy="5%")
    assert only(judge([asked], report({"rmse": 0.0}, rmse=0.0))).passed
    worse = only(judge([asked], report({"rmse": 0.0}, rmse=1e-9)))
    assert not worse.passed
    assert worse.measured is None


@pytest.mark.parametrize(
    ("metric", "ours", "theirs", "passed"),
    [
        ("rmse", 10.2, 10.0, True),
        ("rmse", 10.3, 10.0, False),
        ("accuracy", 0.90, 0.91, True),
        ("accuracy", 0.80, 0.91, False),
        ("latencyP99", 1.0, 1.0, True),
        ("latencyP99", 1.1, 1.0, False),
        ("size", 2e6, 1e6, False),
        ("rmse", 0.0, 0.0, True),
    ],
)
def test_a_ratio_bounds_by_which_factor_a_candidate_may_be_worse(
    metric: str,
    ours: float,
    theirs: float,
    passed: bool,  # noqa: FBT001
) -> None:
    asked = gate(metric=metric, against="champion", maxRatio=1.02)
    assert only(judge([asked], report({metric: theirs}, **{metric: ours}))).passed is passed


def test_a_ratio_of_a_figure_below_zero_is_refused() -> None:
    result = only(judge([gate(metric="r2", against="champion", maxRatio=1.1)], report({"r2": 0.5}, r2=-0.1)))
    assert not result.passed
    assert "use improveBy" in result.message


def test_a_confidence_asks_the_paired_resamples() -> None:
    asked = gate(metric="rmse", against="champion", improveBy="1%", confidence=0.9)
    sure, unsure = [0.02] * 90 + [0.0] * 10, [0.02] * 89 + [0.0] * 11
    good = only(judge([asked], report({"rmse": 10.0}, {"rmse": sure}, rmse=9.8)))
    assert good.passed
    assert (good.measured, good.bound) == (0.9, 0.9)
    bad = only(judge([asked], report({"rmse": 10.0}, {"rmse": unsure}, rmse=9.8)))
    assert not bad.passed
    assert "it holds in 89% of 100 resamples of the test rows, asked are 90%" in bad.message


def test_a_gain_on_the_bound_counts_as_held() -> None:
    asked = gate(metric="rmse", against="champion", improveBy="10%", confidence=0.9)
    assert only(judge([asked], report({"rmse": 10.0}, {"rmse": [round(1 - 9.0 / 10.0, 9)] * 10}, rmse=9.0))).passed


def test_a_candidate_worse_on_the_rows_themselves_fails_whatever_resamples_say() -> None:
    asked = gate(metric="rmse", against="champion", improveBy="1%", confidence=0.6)
    assert not only(judge([asked], report({"rmse": 10.0}, {"rmse": [0.5] * 100}, rmse=10.0))).passed


@given(st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=50), st.floats(0.51, 0.98), st.floats(0, 0.01))
def test_asking_to_be_surer_never_helps(gains: list[float], confidence: float, more: float) -> None:
    asked = [gate(metric="rmse", against="champion", confidence=share) for share in (confidence, confidence + more)]
    less, surer = (only(judge([one], report({"rmse": 1.0}, {"rmse": gains}, rmse=0.9))).passed for one in asked)
    assert less >= surer


def test_a_confidence_that_was_not_measured_fails() -> None:
    result = only(
        judge([gate(metric="latencyP99", against="champion", confidence=0.9)], report({"latencyP99": 2.0}, latencyP99=1.0))
    )
    assert not result.passed
    assert "drop confidence" in result.message


def test_without_a_champion_there_is_nothing_to_beat() -> None:
    result = only(judge([gate(metric="rmse", against="champion", improveBy="5%")], report(rmse=100.0)))
    assert result.passed
    assert result.message == "there is no champion yet"


def test_a_champion_that_cannot_be_compared_refuses_with_a_mend() -> None:
    seen = report(rmse=1.0) | {"champion": {"comparable": False, "cause": "the rows have no column 'x'", "mend": "keep it"}}
    result = only(judge([gate(metric="rmse", against="champion")], seen))
    assert not result.passed
    assert result.message == "the champion cannot be compared: the rows have no column 'x' (keep it)"


@pytest.mark.parametrize("value", [None, math.nan, math.inf])
def test_a_figure_that_was_not_measured_fails(value: float | None) -> None:
    for asked in (gate(metric="rmse", max=1e300), gate(metric="rmse", min=-1), gate(metric="rmse", against="champion")):
        result = only(judge([asked], report({"rmse": 1.0}, rmse=value)))
        assert not result.passed
        assert result.measured is None
        assert "was not measured" in result.message


def test_a_champion_without_the_figure_fails() -> None:
    result = only(judge([gate(metric="rmse", against="champion")], report({"rmse": None}, rmse=1.0)))
    assert not result.passed
    assert "rmse of the champion was not measured" in result.message


def test_a_metric_of_another_task_fails() -> None:
    result = only(judge([gate(metric="accuracy", min=0.1)], report(rmse=1.0)))
    assert not result.passed
    assert "does not belong to this task" in result.message


def test_why_a_figure_is_undefined_is_told() -> None:
    seen = report(r2=None)
    seen["metrics"]["r2"]["note"] = "the target is constant on these rows"
    assert "the target is constant" in only(judge([gate(metric="r2", min=0)], seen)).message


@pytest.mark.parametrize("declared", [{}, {"improveBy": "1%"}, {"confidence": 0.9}, {"maxRatio": 1.1}])
def test_a_gate_that_checks_nothing_fails(declared: dict[str, Any]) -> None:
    assert not only(judge([gate(metric="rmse", **declared)], report({"rmse": 10.0}, rmse=1.0))).passed


def test_each_condition_of_a_gate_is_judged() -> None:
    asked = gate(metric="rmse", max=50, min=1, against="champion", improveBy="1%", maxRatio=1.0)
    results = judge([asked], report({"rmse": 10.0}, rmse=9.0))
    assert [result.description for result in results] == [
        "rmse <= 50",
        "rmse >= 1",
        "rmse better than champion by 1%",
        "rmse within 1 x champion",
    ]
    assert all(result.passed for result in results)


@pytest.mark.parametrize(("written", "passed"), [("5ms", True), ("2ms", True), ("1.9ms", False), ("1s", True)])
def test_latency_takes_a_duration(written: str, passed: bool) -> None:  # noqa: FBT001
    result = only(judge([gate(metric="latencyP99", max=written)], report(latencyP99=2.0)))
    assert result.passed is passed
    assert result.figure == "2 ms"


@pytest.mark.parametrize(("written", "passed"), [("1MiB", True), ("1048575B", False), ("1.05MB", True)])
def test_size_takes_a_size(written: str, passed: bool) -> None:  # noqa: FBT001
    assert only(judge([gate(metric="size", max=written)], report(size=2**20))).passed is passed


@pytest.mark.parametrize(
    ("metric", "written"), [("latencyP99", 5), ("latencyP99", "5 apples"), ("size", 50), ("rmse", "45"), ("rmse", math.nan)]
)
def test_a_bound_that_cannot_be_read_fails(metric: str, written: float | str) -> None:
    result = only(judge([gate(metric=metric, max=written)], report(**{metric: 0.0})))
    assert not result.passed
    assert "cannot be read" in result.message


def test_the_verdict_counts_conditions() -> None:
    results = judge([gate(metric="rmse", max=45), gate(metric="rmse", max=1)], report(rmse=2.0))
    assert format_verdict(results) == "1 of 2 gate conditions hold"
    assert format_verdict(()) == gates_table(()) == "no gates are declared"


def test_the_table_of_a_release_commit_is_the_golden_one() -> None:
    gates = [
        gate(metric="rmse", max=45),
        gate(metric="rmse", against="champion", improveBy="0.5%", confidence=0.9),
        gate(metric="mae", against="champion", maxRatio=1.02),
        gate(metric="r2", min=0.9),
        gate(metric="latencyP99", max="5ms"),
        gate(metric="size", max="50MiB"),
        gate(metric="accuracy", min=0.9),
    ]
    gains = [0.004] * 7 + [0.031] * 193
    seen = report(
        {"rmse": 43.9, "mae": 30.0}, {"rmse": gains}, rmse=42.53, mae=31.1, r2=0.81234567, latencyP99=0.0421, size=2_345_678
    )
    assert_golden(Path(__file__).parent / "golden" / "gates_table.txt", gates_table(judge(gates, seen)) + "\n")


def test_the_gates_of_the_page_are_judged_as_it_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    written = re.findall(r"^\| `(\{metric.*?\})` \|", page, re.MULTILINE)
    assert len(written) == 12
    figures = {"rmse": 40.0, "r2": 0.8, "mae": 10.0, "latencyP99": 2.0, "size": 1000.0}
    champion = {name: value * (0.9 if name == "r2" else 1.1) for name, value in figures.items()}
    cut = {"rmse": {"value": 42.0}, "recall": {"value": 0.9}}
    columns = [
        {"column": name, "slices": [{"condition": value, "rows": 500, "metrics": cut} for value in "ab"], "leftOut": NONE_LEFT}
        for name in ("origin", "sex")
    ]
    slices = {"whole": {"rmse": 40.0, "recall": 0.9}, "columns": columns}
    for text in written:
        (result,) = judge(
            [gate(**yaml.safe_load(text))],
            report(champion, **figures) | {"slices": slices, "baseline": {"metrics": sheet(rmse=50.0)}},
        )
        assert result.passed, result.message


def test_the_page_tells_of_every_metric() -> None:
    page = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \| (less|more) \|", page, re.MULTILINE)
    assert [name for name, _, _ in rows] == list(get_args(Metric))
    for name, tasks, better in rows[:-2]:
        assert tasks == ", ".join(METRICS[name].tasks)
        assert better == ("less" if METRICS[name].direction == "loss" else "more")
