import warnings
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.manifold import trustworthiness

from gnomon.evaluation.answers import Answers, CountedAnswers, once
from gnomon.evaluation.metrics import METRICS, metrics_of
from gnomon.resources.learning import Metric
from gnomon.training.losses import classification_figures
from gnomon.training.selection import LOSSES
from gnomon.training.structure import kept_neighbours, silhouettes

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False, width=32)


def figure(name: str, answers: Answers) -> float:
    return float(METRICS[name].function(once(answers))[0])


def classified(seed: int, rows: int, classes: int) -> Answers:
    """Answers of a model that is right more often than not; small samples lack classes."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, classes, rows)
    # Few distinct probabilities, so that there are ties.
    scores = rng.integers(1, 5, (rows, classes)) + 2.0 * np.eye(classes)[actual] * rng.integers(0, 2, (rows, 1))
    probabilities = scores / scores.sum(axis=1, keepdims=True)
    return Answers(actual, probabilities.argmax(axis=1), probabilities, tuple("abcdef"[:classes]))


def validated(answers: Answers) -> dict[str, float]:
    """Return the figures by which candidates are chosen."""
    assert answers.probabilities is not None
    return classification_figures(np.asarray(answers.actual, dtype=np.int64), answers.probabilities)


def test_every_declared_metric_is_measured_on_rows_or_on_the_artifact() -> None:
    assert {*METRICS, "latencyP99", "size"} == set(get_args(Metric))


def test_directions_agree_with_the_choice_between_candidates() -> None:
    assert {name for name, info in METRICS.items() if info.direction == "loss"} == LOSSES


def test_a_metric_belongs_to_the_task_that_asks_for_it() -> None:
    assert [info.name for info in metrics_of("regression")] == ["rmse", "mae", "r2"]
    assert len(metrics_of("classification")) == 9
    assert [info.name for info in metrics_of("anomaly", labelled=False)] == ["shareError", "anomalyShare"]


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=40).filter(lambda rows: len({a for a, _ in rows}) > 1))
@settings(max_examples=40, deadline=None)
def test_regression_metrics_are_those_of_scikit_learn(rows: list[tuple[float, float]]) -> None:
    actual, predicted = (np.array(side) for side in zip(*rows, strict=True))
    answers = Answers(actual, predicted)
    assert figure("rmse", answers) == pytest.approx(sk.root_mean_squared_error(actual, predicted))
    assert figure("mae", answers) == pytest.approx(sk.mean_absolute_error(actual, predicted))
    got = figure("r2", answers)
    if np.isfinite(got):
        assert got == pytest.approx(sk.r2_score(actual, predicted), rel=1e-6, abs=1e-9)
    else:
        assert np.ptp(actual) <= 1e-7 * np.abs(actual).max()


@given(st.integers(0, 10**6), st.integers(1, 60), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_classification_metrics_are_those_of_scikit_learn(seed: int, rows: int, classes: int) -> None:
    answers = classified(seed, rows, classes)
    actual, predicted, probabilities = answers.actual, answers.predicted, answers.probabilities
    macro = {"average": "macro", "zero_division": 0}
    assert figure("accuracy", answers) == pytest.approx(sk.accuracy_score(actual, predicted))
    assert figure("f1", answers) == pytest.approx(sk.f1_score(actual, predicted, **macro))
    assert figure("precision", answers) == pytest.approx(sk.precision_score(actual, predicted, **macro))
    assert figure("recall", answers) == pytest.approx(sk.recall_score(actual, predicted, **macro))
    assert figure("logLoss", answers) == pytest.approx(sk.log_loss(actual, probabilities, labels=range(classes)))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="(y_pred contains classes|A single label)")
        assert figure("balancedAccuracy", answers) == pytest.approx(sk.balanced_accuracy_score(actual, predicted))


@given(st.integers(0, 10**6), st.integers(20, 60), st.integers(2, 5))
@settings(max_examples=40, deadline=None)
def test_the_area_under_the_curve_is_that_of_scikit_learn(seed: int, rows: int, classes: int) -> None:
    answers = classified(seed, rows, classes)
    assert answers.probabilities is not None
    areas = [
        sk.roc_auc_score(answers.actual == k, answers.probabilities[:, k])
        for k in range(classes)
        if 0 < np.count_nonzero(answers.actual == k) < rows
    ]
    wanted = areas[1] if classes == 2 else np.mean(areas)
    assert figure("rocAuc", answers) == pytest.approx(wanted)


def answers_for(name: str, seed: int, rows: int) -> Answers:
    """Answers that the metric is about."""
    rng = np.random.default_rng(seed)
    task = METRICS[name].tasks[0]
    if name in {"averagePrecision", "shareError", "anomalyShare"}:
        return anomalies(seed, rows)
    if task in {"regression", "forecasting"}:
        return Answers(rng.normal(size=rows), rng.normal(size=rows), naive_error=2.0)
    if task == "classification":
        return classified(seed, rows, 3)
    figures = {each: rng.random(rows) for each in ("silhouette", "lost", "whole", "trustworthiness")}
    predicted = rng.integers(0, 3, rows) if task == "clustering" else rng.normal(size=rows)
    return Answers(np.zeros(rows), predicted, task=task, points=rng.normal(size=(rows, 2)), figures=figures)


def anomalies(seed: int, rows: int) -> Answers:
    """Verdicts of a model whose score is right more often than not; scores repeat."""
    rng = np.random.default_rng(seed)
    actual = rng.integers(0, 2, rows)
    score = rng.integers(0, 4, rows) + actual
    return Answers(
        actual,
        (score > 2).astype(np.int64),
        np.stack([-score, score], axis=1).astype(np.float64),
        ("normal", "anomalous"),
        task="anomaly",
        asked_class=1,
        contamination=0.1,
    )


COUNTED = sorted(set(METRICS) - {"daviesBouldin"})
"""Metrics of which a row counted twice is a row given twice; daviesBouldin keeps the centres of all rows."""


@given(st.integers(0, 10**6), st.integers(1, 25), st.sampled_from(COUNTED))
@settings(max_examples=150, deadline=None)
def test_counting_a_row_twice_is_having_it_twice(seed: int, rows: int, name: str) -> None:
    answers = answers_for(name, seed, rows)
    counts = np.random.default_rng(seed).integers(0, 3, rows)
    counts[0] += 1
    repeated = np.repeat(np.arange(rows), counts)
    spelled_out = replace(
        answers,
        actual=answers.actual[repeated],
        predicted=answers.predicted[repeated],
        probabilities=None if answers.probabilities is None else answers.probabilities[repeated],
        points=None if answers.points is None else answers.points[repeated],
        figures={each: values[repeated] for each, values in answers.figures.items()},
    )
    counted = METRICS[name].function(CountedAnswers(answers, counts[None].astype(np.float64)))[0]
    assert counted == pytest.approx(figure(name, spelled_out), rel=1e-9, abs=1e-12, nan_ok=True)


@given(st.integers(0, 10**6), st.integers(8, 60), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_cluster_metrics_are_those_of_scikit_learn(seed: int, rows: int, clusters: int) -> None:
    rng = np.random.default_rng(seed)
    found = np.concatenate([np.arange(clusters), rng.integers(0, clusters, rows - clusters)])
    points = rng.normal(size=(rows, 3)) + found[:, None]
    answers = Answers(
        np.zeros(rows), found, task="clustering", points=points, figures={"silhouette": silhouettes(points, found, seed)}
    )
    assert figure("silhouette", answers) == pytest.approx(sk.silhouette_score(points, found))
    assert figure("daviesBouldin", answers) == pytest.approx(sk.davies_bouldin_score(points, found))
    assert figure("calinskiHarabasz", answers) == pytest.approx(sk.calinski_harabasz_score(points, found))


@given(st.integers(0, 10**6), st.integers(12, 60))
@settings(max_examples=30, deadline=None)
def test_the_trustworthiness_of_components_is_that_of_scikit_learn(seed: int, rows: int) -> None:
    points = np.random.default_rng(seed).normal(size=(rows, 4))
    components = points[:, :2] + points[:, 2:]
    assert kept_neighbours(points, components, seed).mean() == pytest.approx(trustworthiness(points, components))


@given(st.integers(0, 10**6), st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_the_figures_of_anomalies_are_those_of_the_anomalous_rows(seed: int, rows: int) -> None:
    answers = anomalies(seed, rows)
    assert answers.probabilities is not None
    actual, flagged, score = answers.actual, answers.predicted, answers.probabilities[:, 1]
    if actual.any():
        assert figure("averagePrecision", answers) == pytest.approx(sk.average_precision_score(actual, score))
        assert figure("recall", answers) == pytest.approx(sk.recall_score(actual, flagged))
        assert figure("f1", answers) == pytest.approx(sk.f1_score(actual, flagged))
    else:
        assert np.isnan(figure("averagePrecision", answers))
    assert figure("shareError", answers) == pytest.approx(abs(flagged.mean() - 0.1))


def test_a_forecast_is_held_against_the_naive_one() -> None:
    answers = Answers(np.array([2.0, 4.0]), np.array([3.0, 4.0]), task="forecasting", naive_error=0.25)
    assert figure("mase", answers) == pytest.approx(2.0)
    assert figure("mape", answers) == pytest.approx(0.25)
    assert figure("smape", answers) == pytest.approx(0.2)
    assert np.isnan(figure("mape", replace(answers, actual=np.array([0.0, 4.0]))))
    assert np.isnan(figure("mase", replace(answers, naive_error=0.0)))


def test_a_constant_target_has_no_coefficient_of_determination() -> None:
    answers = Answers(np.full(5, 0.1), np.arange(5.0))
    assert np.isnan(figure("r2", answers))
    assert figure("rmse", answers) > 0


def test_one_row_has_errors_but_no_spread() -> None:
    answers = Answers(np.array([3.0]), np.array([1.0]))
    assert (figure("rmse", answers), figure("mae", answers)) == (2.0, 2.0)
    assert np.isnan(figure("r2", answers))


def test_rows_of_one_class_have_no_area_under_the_curve() -> None:
    probabilities = np.array([[0.7, 0.3], [0.6, 0.4]])
    answers = Answers(np.array([0, 0]), np.array([0, 0]), probabilities, ("no", "yes"))
    assert np.isnan(figure("rocAuc", answers))
    assert figure("balancedAccuracy", answers) == 1.0
    assert figure("f1", answers) == 1.0


def test_a_class_that_the_model_does_not_know_is_always_wrong() -> None:
    probabilities = np.array([[0.9, 0.1], [0.2, 0.8], [0.9, 0.1]])
    answers = Answers(np.array([0, 1, 2]), np.array([0, 1, 0]), probabilities, ("no", "yes"))
    assert figure("accuracy", answers) == pytest.approx(2 / 3)
    assert figure("recall", answers) == pytest.approx(2 / 3)
    assert figure("logLoss", answers) == pytest.approx((-np.log(0.9) - np.log(0.8) - np.log(np.finfo(np.float32).eps)) / 3)
    # Class "no" against the rest has rows on both sides; so has "yes".
    assert 0 <= figure("rocAuc", answers) <= 1


def test_without_probabilities_their_metrics_are_undefined() -> None:
    answers = Answers(np.array([0, 1]), np.array([0, 1]), None, ("no", "yes"))
    assert np.isnan(figure("logLoss", answers))
    assert np.isnan(figure("rocAuc", answers))
    assert figure("accuracy", answers) == 1.0


def test_a_certain_and_wrong_answer_costs_a_finite_log_loss() -> None:
    answers = Answers(np.array([0]), np.array([1]), np.array([[0.0, 1.0]]), ("no", "yes"))
    assert figure("logLoss", answers) == pytest.approx(15.942, abs=0.001)


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_the_brier_score_is_that_of_scikit_learn(seed: int, rows: int, classes: int) -> None:
    answers = classified(seed, rows, classes)
    expected = sk.brier_score_loss(answers.actual, answers.probabilities, labels=np.arange(classes), scale_by_half=False)
    assert figure("brier", answers) == pytest.approx(expected)
    assert figure("brier", answers) == pytest.approx(validated(answers)["brier"])


@given(st.integers(0, 2**32 - 1), st.integers(2, 60), st.integers(2, 4))
@settings(max_examples=30, deadline=None)
def test_the_calibration_error_is_the_weighted_gap_of_the_bins(seed: int, rows: int, classes: int) -> None:
    answers = classified(seed, rows, classes)
    score, happened = answers.told_probability
    bins = np.minimum((score * 10).astype(int), 9)
    expected = sum(
        np.mean(bins == k) * abs(score[bins == k].mean() - happened[bins == k].mean()) for k in range(10) if (bins == k).any()
    )
    assert figure("calibrationError", answers) == pytest.approx(expected)
    assert figure("calibrationError", answers) == pytest.approx(validated(answers)["calibrationError"])


def test_honest_probabilities_have_almost_no_calibration_error_and_extreme_ones_have() -> None:
    rng = np.random.default_rng(3)
    honest = rng.random(200_000)
    actual = (rng.random(200_000) < honest).astype(np.int64)
    sure = np.where(honest > 0.5, 0.99, 0.01)
    for score, low, high in ((honest, 0.0, 0.005), (sure, 0.2, 0.3)):
        answers = Answers(actual, (score > 0.5).astype(np.int64), np.stack([1 - score, score], axis=1), ("a", "b"))
        assert low <= figure("calibrationError", answers) <= high
