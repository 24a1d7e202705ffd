"""Metrics by slice, gates on them, and the search for the worst."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from gnomon.errors import InputError
from gnomon.evaluation.answers import Answers
from gnomon.evaluation.gates import judge
from gnomon.evaluation.slice_metrics import looked_at, slice_figures
from gnomon.evaluation.slicing import MOST_SLICES, slices_of
from gnomon.evaluation.worst_slice import _holm, _Sums, worst_slices
from gnomon.resources.model import Gate

ROWS = 1200


def flights(seed: int = 3, *, bad: bool = True) -> tuple[pa.Table, Answers]:
    """Return rows and answers whose error is three times as large where origin is JFK and distance is large."""
    rng = np.random.default_rng(seed)
    origin = rng.choice(["JFK", "EWR", "LGA"], ROWS)
    distance = rng.uniform(100, 3000, ROWS)
    error = rng.normal(size=ROWS)
    if bad:
        error *= np.where((origin == "JFK") & (distance > 1550), 3.0, 1.0)
    table = pa.table({"origin": origin, "distance": distance, "noise": rng.normal(size=ROWS)})
    actual = rng.normal(size=ROWS)
    return table, Answers(actual, actual + error, task="regression")


def figures(table: pa.Table, answers: Answers, **asked: list[str]) -> dict[str, Any]:
    document: dict[str, Any] = slice_figures(looked_at(table, answers, 7), [], "rmse", asked, 7)
    return document


@given(
    st.one_of(
        st.lists(st.one_of(st.none(), st.sampled_from(["a", "b", ""])), min_size=1, max_size=30).map(
            lambda x: pa.array(x, pa.string())
        ),
        st.lists(st.one_of(st.none(), st.booleans()), min_size=1, max_size=30).map(lambda x: pa.array(x, pa.bool_())),
        st.lists(st.one_of(st.none(), st.floats()), min_size=1, max_size=60).map(lambda x: pa.array(x, pa.float64())),
        st.lists(st.one_of(st.none(), st.integers(-(2**60), 2**60)), min_size=1, max_size=60).map(
            lambda x: pa.array(x, pa.timestamp("us", "UTC"))
        ),
    )
)
@settings(max_examples=80, deadline=None)
def test_every_row_is_in_exactly_one_slice_of_a_column(column: Any) -> None:
    found = slices_of(pa.table({"c": column}), "c")
    assert np.array_equal(np.sort(np.concatenate([part.rows for part in found.slices])), np.arange(len(column)))
    assert all(len(part.rows) for part in found.slices)
    assert all(part.condition for part in found.slices)


def test_numbers_are_cut_at_their_quartiles_and_few_values_are_not() -> None:
    parts = slices_of(pa.table({"c": np.arange(100)}), "c").slices
    assert [part.condition for part in parts] == ["c < 25", "25 <= c < 50", "50 <= c < 75", "c >= 75"]
    assert [part.value for part in slices_of(pa.table({"c": [1, 2, None, 2]}), "c").slices] == ["1", "2", "(missing)"]


def test_values_beyond_the_bound_are_counted() -> None:
    found = slices_of(pa.table({"c": [f"v{k}" for k in range(MOST_SLICES + 5)] + ["v0"]}), "c")
    assert (len(found.slices), found.left_out, found.largest_left_out) == (MOST_SLICES, 5, 1)
    assert found.slices[0].value == "v0"


def test_what_cannot_be_cut_is_named() -> None:
    table = pa.table({"c": pa.array([[1]], pa.list_(pa.int64()))})
    for column, cause in (("gone", "the rows have no column 'gone'"), ("c", "column 'c' holds list")):
        with pytest.raises(InputError, match=cause):
            slices_of(table, column)


def test_a_column_that_is_not_there_is_told_with_the_nearest_one() -> None:
    table, answers = flights()
    (told,) = figures(table, answers, orgin=["mae"])["unavailable"]
    assert told == {"column": "orgin", "cause": "the rows have no column 'orgin' (did you mean 'origin'?)"}


def test_a_slice_has_the_figures_of_its_rows_with_an_interval() -> None:
    table, answers = flights()
    (column,) = figures(table, answers, origin=["mae"])["columns"]
    assert column["metrics"] == ["rmse", "mae"]
    for part in column["slices"]:
        rows = np.flatnonzero(table["origin"].to_numpy() == part["value"])
        errors = np.asarray(answers.predicted - answers.actual)[rows]
        assert part["rows"] == len(rows)
        assert part["metrics"]["rmse"]["value"] == pytest.approx(np.sqrt(np.mean(errors**2)))
        mae = part["metrics"]["mae"]
        assert mae["value"] == pytest.approx(np.mean(np.abs(errors)))
        # The interval of a mean is known in closed form.
        half = 1.96 * np.std(np.abs(errors)) / np.sqrt(len(rows))
        assert mae["low"] == pytest.approx(mae["value"] - half, abs=0.35 * half)
        assert mae["high"] == pytest.approx(mae["value"] + half, abs=0.35 * half)


def test_very_many_rows_are_sampled_and_counted() -> None:
    table, answers = flights()
    looked = looked_at(table, answers, 7, most=100)
    assert (looked.answers.rows, looked.of, looked.table.num_rows) == (100, ROWS, 100)


def gated(report: dict[str, Any], **declared: Any) -> Any:
    (result,) = judge([Gate.model_validate({"by": "origin", **declared})], {"slices": report})
    return result


def test_a_gate_holds_in_every_slice_or_names_the_worst() -> None:
    report = figures(*flights(), origin=["rmse"])
    refused = gated(report, metric="rmse", maxRatio=1.25)
    assert not refused.passed
    assert refused.description == "rmse within 1.25 x the whole for every origin"
    assert "rmse is worst where origin = JFK" in refused.message
    assert gated(report, metric="rmse", maxRatio=2).passed
    assert refused.measured == pytest.approx(
        max(each["metrics"]["rmse"]["value"] for each in report["columns"][0]["slices"]) / report["whole"]["rmse"]
    )
    assert not gated(report, metric="rmse", max=1.5).passed
    assert gated(report, metric="rmse", max=3).passed


def sheet(metric: str, whole: float | None, **values: tuple[int, float | None]) -> dict[str, Any]:
    slices = [
        {"condition": f"origin = {name}", "rows": rows, "metrics": {metric: {"value": value}}}
        for name, (rows, value) in values.items()
    ]
    columns = [{"column": "origin", "slices": slices, "leftOut": {"slices": 0, "largestRows": 0}}]
    return {"whole": {metric: whole}, "columns": columns, "unavailable": []}


def test_a_score_may_be_lower_by_the_factor() -> None:
    report = sheet("recall", 0.8, a=(200, 0.9), b=(200, 0.7))
    result = gated(report, metric="recall", maxRatio=1.1)
    assert (result.passed, result.measured) == (False, pytest.approx(0.8 / 0.7))
    assert gated(report, metric="recall", maxRatio=1.15).passed


def test_a_fairness_gap_is_between_the_largest_and_the_smallest() -> None:
    report = sheet("recall", 0.8, a=(200, 0.83), b=(200, 0.79), c=(99, 0.1))
    assert gated(report, metric="recall", maxGap="5%").passed
    refused = gated(report, metric="recall", maxGap="3%")
    assert not refused.passed
    assert refused.message == (
        "recall is 0.83 where origin = a and 0.79 where origin = b: 4% apart, asked is at most 3%; "
        "1 slice with fewer than 100 rows left out"
    )
    assert not gated(report, metric="recall", maxGap="5%", minRows=50).passed


@pytest.mark.parametrize(
    ("slices", "declared", "cause"),
    [
        (sheet("rmse", 1.0, a=(99, 1.0)), {"maxRatio": 2}, "no value of origin has 100 test rows"),
        (sheet("rmse", 1.0, a=(100, None)), {"maxRatio": 2}, "rmse is undefined where origin = a"),
        (sheet("rmse", None, a=(100, 1.0)), {"maxRatio": 2}, "rmse is undefined on these rows"),
        (sheet("rmse", 1.0, a=(100, 1.0)), {"by": "gone", "max": 2}, "the rows were not cut by gone"),
        ({}, {"max": 2}, "the rows were not cut by origin"),
        ({"unavailable": [{"column": "origin", "cause": "no column"}], "columns": []}, {"max": 2}, "no column"),
    ],
)
def test_a_gate_that_checked_no_slice_fails(slices: dict[str, Any], declared: dict[str, Any], cause: str) -> None:
    result = gated(slices, metric="rmse", **declared)
    assert not result.passed
    assert cause in result.message


def test_values_left_out_that_a_gate_would_look_at_refuse() -> None:
    report = sheet("rmse", 1.0, a=(500, 1.0))
    report["columns"][0]["leftOut"] = {"slices": 3, "largestRows": 150}
    assert "raise minRows above 150" in gated(report, metric="rmse", max=2).message
    assert gated(report, metric="rmse", max=2, minRows=151).passed


def test_the_worst_slice_is_found_by_two_columns_and_confirmed() -> None:
    table, answers = flights()
    found = worst_slices(looked_at(table, answers, 7), table.column_names, "rmse", 7)
    assert found is not None
    best = found["slices"][0]
    assert set(best["columns"]) == {"origin", "distance"}
    assert "origin = JFK" in best["condition"]
    assert best["confirmed"]
    assert best["ratio"] > 2
    assert found == worst_slices(looked_at(table, answers, 7), table.column_names, "rmse", 7)


def test_where_nothing_is_worse_almost_nothing_is_confirmed() -> None:
    """At a level of 5% for all tests of a report together, 40 reports without a bad slice confirm 2 on average."""
    confirmed = 0
    for seed in range(40):
        table, answers = flights(seed, bad=False)
        found = worst_slices(looked_at(table, answers, seed), table.column_names, "mae", seed)
        confirmed += found is not None and any(each["confirmed"] for each in found["slices"])
    assert confirmed <= 6  # more come with a probability of 1.4% of a binomial of 40 and 5%


def test_few_rows_or_a_task_without_row_losses_have_no_worst_slice() -> None:
    table, answers = flights()
    assert worst_slices(looked_at(table.slice(0, 50), answers.taken(np.arange(50)), 7), ["origin"], "rmse", 7) is None
    flagged = Answers(np.zeros(ROWS), np.zeros(ROWS), task="anomaly", contamination=0.1)
    assert worst_slices(looked_at(table, flagged, 7), ["origin"], "shareError", 7) is None


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_test_of_a_slice_is_that_of_welch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses, mask, among = rng.exponential(size=400), rng.random(400) < 0.4, rng.random(400) < 0.7
    expected = stats.ttest_ind(losses[mask & among], losses[~mask & among], equal_var=False)
    t, freedom = _Sums(losses, among).test(mask)
    assert t == pytest.approx(expected.statistic, rel=1e-6)
    assert freedom == pytest.approx(expected.df, rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_corrected_p_values_keep_their_order_and_never_fall(p_values: list[float]) -> None:
    corrected = _holm(p_values)
    assert all(p <= q <= 1 for p, q in zip(p_values, corrected, strict=True))
    assert [q for _, q in sorted(zip(p_values, corrected, strict=True))] == sorted(corrected)
    assert min(corrected) == pytest.approx(min(1.0, min(p_values) * len(p_values)))
