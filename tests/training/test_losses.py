import numpy as np
import pytest

from gnomon.training.losses import classification_figures, regression_figures


def test_figures_of_a_perfect_regression() -> None:
    actual = np.array([1.0, 2.0, 4.0])
    assert regression_figures(actual, actual) == {"rmse": 0, "mae": 0, "r2": 1}


def test_a_constant_target_has_no_r2() -> None:
    assert regression_figures(np.ones(3), np.array([1.0, 2.0, 1.0])).keys() == {"rmse", "mae"}


def test_figures_of_two_classes() -> None:
    figures = classification_figures(np.array([0, 0, 1, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.3, 0.7], [0.2, 0.8]]))
    assert figures["accuracy"] == figures["balancedAccuracy"] == figures["recall"] == 0.75
    assert figures["rocAuc"] == 1
    assert figures["logLoss"] == pytest.approx(-np.log([0.9, 0.4, 0.7, 0.8]).mean())


def test_classes_that_no_row_has_are_left_out_of_the_area() -> None:
    probabilities = np.array([[0.6, 0.3, 0.1], [0.2, 0.5, 0.3], [0.5, 0.4, 0.1]])
    assert classification_figures(np.array([0, 1, 0]), probabilities)["rocAuc"] == 1
    assert "rocAuc" not in classification_figures(np.array([1, 1, 1]), probabilities)
