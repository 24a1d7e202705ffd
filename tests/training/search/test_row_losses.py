import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.resources.learning import Metric
from gnomon.training.losses import classification_figures, regression_figures
from gnomon.training.search.row_losses import SUMMED, excess, longer_forest_loss, row_losses


@given(seed=st.integers(0, 1000), classes=st.integers(0, 4).filter(lambda count: count != 1))
@settings(max_examples=20, deadline=None)
def test_the_mean_of_row_losses_orders_as_the_metric_does(seed: int, classes: int) -> None:
    draw = np.random.default_rng(seed)
    if classes:
        actual = draw.integers(0, classes, 60).astype(np.float64)
        answers = draw.dirichlet(np.ones(classes), 60)
        figures = classification_figures(actual.astype(np.int64), answers)
        assert row_losses("logLoss", actual, answers).mean() == pytest.approx(figures["logLoss"], rel=1e-5)
        assert 1 - row_losses("accuracy", actual, answers).mean() == pytest.approx(figures["accuracy"])
    else:
        actual, answers = draw.normal(size=60), draw.normal(size=60)
        figures = regression_figures(actual, answers)
        assert np.sqrt(row_losses("rmse", actual, answers).mean()) == pytest.approx(figures["rmse"])
        assert 1 - row_losses("r2", actual, answers).sum() / ((actual - actual.mean()) ** 2).sum() == pytest.approx(
            figures["r2"]
        )
        assert row_losses("mae", actual, answers).mean() == pytest.approx(figures["mae"])
    assert {"rmse", "r2", "mae", "logLoss", "accuracy"} == SUMMED


@pytest.mark.parametrize("metric", ["rmse", "logLoss"])
def test_few_trees_tell_what_many_will_come_to(metric: Metric) -> None:
    draw = np.random.default_rng(5)
    rows, few, many = 20_000, 10, 60
    if metric == "rmse":
        actual = draw.normal(size=rows)
        trees = actual * 0.6 + draw.normal(size=(many, rows))
        answers = trees[:, :, np.newaxis]
    else:
        actual = draw.integers(0, 2, rows).astype(np.float64)
        share = np.clip(0.25 + 0.5 * actual + draw.normal(size=(many, rows)) / 5, 0.01, 0.99)
        answers = np.stack([1 - share, share], axis=2)

    def loss(count: int) -> float:
        mean = answers[:count].mean(axis=0)
        return float(row_losses(metric, actual, mean[:, 0] if metric == "rmse" else mean).mean())

    told = longer_forest_loss(metric, actual, answers[:few].sum(axis=0), (answers[:few] ** 2).sum(axis=0), few, many)
    assert told == pytest.approx(loss(many), abs=0.3 * (loss(few) - loss(many)))


def test_one_tree_and_losses_without_a_square_promise_nothing() -> None:
    ones = np.ones((3, 1))
    assert longer_forest_loss("rmse", np.ones(3), ones, ones, 1, 100) is None
    assert longer_forest_loss("mae", np.ones(3), ones, ones, 5, 100) is None


def test_a_row_of_a_class_that_no_tree_knows_is_a_full_loss() -> None:
    shares = np.array([[1.0, 0.0], [1.0, 0.0]]) * 5
    told = longer_forest_loss("logLoss", np.array([0.0, -1.0]), shares, shares / 1, 5, 50)
    assert told == pytest.approx(-np.log(np.finfo(np.float32).eps) / 2, rel=1e-3)


def test_nothing_exceeds_itself_and_a_constant_excess_is_certain() -> None:
    losses = np.random.default_rng(1).random(500).astype(np.float32)
    assert excess(losses, losses) == (0.0, 0.0)
    more, error = excess(losses + np.float32(0.5), losses)
    assert more == pytest.approx(0.5, rel=1e-6)
    assert error < 1e-6
    assert excess(losses[:1], losses[:1]) == (0.0, 0.0)


def test_neighbouring_rows_that_move_together_are_no_independent_witnesses() -> None:
    draw = np.random.default_rng(2)
    days = np.repeat(draw.normal(size=40), 100).astype(np.float32)
    rows = draw.permutation(days)
    zeros = np.zeros(4000, dtype=np.float32)
    assert excess(days, zeros)[1] > 3 * excess(rows, zeros)[1]
