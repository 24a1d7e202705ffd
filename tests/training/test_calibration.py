from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_wine
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from gnomon.features.graph import GraphBuilder
from gnomon.training.calibration import FOLDS, Sigmoids, fit_calibrated
from gnomon.training.matrices import Matrices
from tests.training.graphs import run_emitted

ODDS = st.one_of(st.floats(-5, 5, width=32), st.sampled_from([0.0, -40.0, 40.0, -800.0, 800.0, -3e38, 3e38]))


def emitted(sigmoids: Sigmoids, scores: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
    raw = Matrices.of(scores, np.zeros((len(scores), 0), np.int64), np.zeros((len(scores), 0), object))

    def emit(graph: GraphBuilder) -> str:
        return sigmoids.emit(graph, "floats")

    return run_emitted(emit, raw, classes)


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from([1, 3, 4]))
def test_probabilities_sum_to_one_and_the_graph_gives_the_same(data: st.DataObject, scores: int) -> None:
    rows = data.draw(st.lists(st.lists(ODDS, min_size=scores, max_size=scores), min_size=1, max_size=8))
    numbers = np.array(rows, dtype=np.float32)
    sigmoids = Sigmoids(np.full(scores, 1.5), np.linspace(-1, 1, scores))
    probabilities = sigmoids.probabilities(numbers.astype(np.float64))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose(emitted(sigmoids, numbers, probabilities.shape[1]), probabilities, atol=1e-6)


def test_a_row_far_from_all_classes_is_of_the_least_far_one() -> None:
    sigmoids = Sigmoids(np.ones(3), np.zeros(3))
    scores = np.array([[-2000.0, -1990.0, -3000.0]])
    np.testing.assert_allclose(sigmoids.probabilities(scores), [[np.exp(-10), 1, 0]], atol=1e-4)
    np.testing.assert_allclose(emitted(sigmoids, scores.astype(np.float32), 3), sigmoids.probabilities(scores), atol=1e-7)


@pytest.mark.parametrize("load", [load_breast_cancer, load_wine])
@pytest.mark.parametrize("weight", [None, 2.0])
def test_ordinary_rows_get_the_probabilities_of_scikit_learn(load: Callable[[], Any], weight: float | None) -> None:
    bunch = load()
    design = (bunch.data - bunch.data.mean(axis=0)) / bunch.data.std(axis=0)
    target = bunch.target.astype(np.float64)
    weights = None if weight is None else 1 + (weight - 1) * target
    estimator, sigmoids = fit_calibrated(LinearSVC(), design, target, weights, seed=5)
    cv = StratifiedKFold(FOLDS, shuffle=True, random_state=5)
    theirs = CalibratedClassifierCV(LinearSVC(), cv=cv, ensemble=False).fit(design, target, sample_weight=weights)
    scores = estimator.decision_function(design).reshape(len(design), -1)
    np.testing.assert_allclose(sigmoids.probabilities(scores), theirs.predict_proba(design), atol=1e-12)


def test_a_class_with_a_single_row_is_calibrated_on_the_learnt_rows() -> None:
    design = np.array([[0.0], [1.0], [2.0], [3.0], [9.0]])
    estimator, sigmoids = fit_calibrated(LinearSVC(), design, np.array([0.0, 0.0, 0.0, 0.0, 1.0]), None, seed=1)
    probabilities = sigmoids.probabilities(estimator.decision_function(design)[:, np.newaxis])
    assert probabilities[:, 1].argmax() == 4
