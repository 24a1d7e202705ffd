import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.evaluation.answers import Answers, once
from gnomon.evaluation.metrics import METRICS
from gnomon.evaluation.plots import SAMPLED_ROWS, plots_of


def classified(seed: int, rows: int, classes: int) -> Answers:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), rows)
    return Answers(
        rng.integers(0, classes, rows), probabilities.argmax(axis=1), probabilities, tuple(f"c{k:02}" for k in range(classes))
    )


def test_a_sample_of_rows_is_shown_one_by_one_and_is_the_same_again() -> None:
    actual = np.arange(5000.0)
    plots = plots_of(Answers(actual, actual + 1), None, "rmse", None, 7)
    shown = plots["predictedActual"]
    assert len(shown["actual"]) == SAMPLED_ROWS
    assert shown["rows"] == 5000
    assert plots == plots_of(Answers(actual, actual + 1), None, "rmse", None, 7)
    assert plots["reliability"]["actual"] == pytest.approx(np.array(plots["reliability"]["predicted"]) - 1)


def test_every_error_is_counted_and_what_lies_outside_stands_in_the_last_bin() -> None:
    actual = np.zeros(1000)
    predicted = np.linspace(-1, 1, 1000)
    predicted[-1] = 1e6
    residuals = plots_of(Answers(actual, predicted), Answers(actual, predicted / 2), "rmse", None, 7)["residuals"]
    assert sum(residuals["candidate"]) == sum(residuals["champion"]) == 1000
    assert residuals["edges"][-1] < 2
    assert len(residuals["edges"]) == len(residuals["candidate"]) + 1


def test_perfect_answers_have_a_histogram_too() -> None:
    residuals = plots_of(Answers(np.ones(5), np.ones(5)), None, "rmse", None, 7)["residuals"]
    assert sum(residuals["candidate"]) == 5


@given(st.integers(0, 10**6), st.integers(10, 400))
@settings(max_examples=30, deadline=None)
def test_the_drawn_curve_encloses_the_area_that_is_measured(seed: int, rows: int) -> None:
    answers = classified(seed, rows, 2)
    curves = plots_of(answers, None, "logLoss", None, 7)["roc"]
    area = float(METRICS["rocAuc"].function(once(answers))[0])
    if np.isnan(area):
        assert curves == []
        return
    (curve,) = curves
    false_rate, true_rate = np.array(curve["falsePositive"]), np.array(curve["truePositive"])
    assert (false_rate[0], true_rate[0]) == (0, 0)
    assert (false_rate[-1], true_rate[-1]) == (1, 1)
    assert (np.diff(false_rate) >= 0).all()
    assert (np.diff(true_rate) >= 0).all()
    # Few points of the curve are drawn, so that the area is a little off.
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(area, abs=0.02)


@given(st.integers(0, 10**6), st.integers(1, 300), st.integers(2, 30))
@settings(max_examples=30, deadline=None)
def test_class_figures_are_plain_json_and_count_every_row_once(seed: int, rows: int, classes: int) -> None:
    plots = plots_of(classified(seed, rows, classes), None, "logLoss", None, 7)
    assert sum(row["rows"] for row in plots["perClass"]) == sum(row["answered"] for row in plots["perClass"]) == rows
    assert sum(plots["calibration"]["rows"]) == rows
    counted = sum(map(sum, plots["confusion"]["counts"]))
    assert counted == rows if not plots["confusion"]["leftOut"] else counted < rows
    assert len(plots["confusion"]["classes"]) <= 20
    json.dumps(plots, allow_nan=False)


def test_honest_probabilities_lie_on_the_line() -> None:
    rng = np.random.default_rng(1)
    yes = rng.random(20_000)
    answers = Answers(
        (rng.random(20_000) < yes).astype(np.int64), (yes > 0.5).astype(np.int64), np.stack([1 - yes, yes], 1), ("n", "y")
    )
    calibration = plots_of(answers, None, "logLoss", None, 7)["calibration"]
    assert calibration["of"] == "y"
    assert calibration["frequency"] == pytest.approx(calibration["probability"], abs=0.04)


def test_the_metric_over_time_is_the_metric_of_the_rows_of_that_time() -> None:
    rng = np.random.default_rng(1)
    times = rng.permutation(100) * 1_000_000
    actual = np.zeros(100)
    predicted = np.where(times < 50_000_000, 1.0, 3.0)
    lines = plots_of(Answers(actual, predicted), Answers(actual, 2 * predicted), "rmse", times, 7)["overTime"]
    assert lines["candidate"] == [1.0, 1.0, pytest.approx(5**0.5), 3.0, 3.0]
    assert lines["champion"] == [2.0, 2.0, pytest.approx(20**0.5), 6.0, 6.0]
    assert lines["start"] == [0, 20_000_000, 40_000_000, 60_000_000, 80_000_000]


@pytest.mark.parametrize("times", [np.zeros(100), np.full(100, 2**62), np.arange(100) - 2**62])
def test_times_that_no_axis_can_show_are_not_drawn(times: np.ndarray) -> None:
    answers = Answers(np.zeros(100), np.ones(100))
    assert "overTime" not in plots_of(answers, None, "rmse", times.astype(np.int64), 7)
