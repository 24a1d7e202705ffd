from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.algorithms.nearest_neighbors import fit, grid_of, on_grid
from gnomon.training.matrices import Matrices
from tests.training.graphs import run_emitted
from tests.training.tables import real_table

COORDINATE = st.integers(-3, 3)
POINTS = st.lists(st.tuples(COORDINATE, COORDINATE, st.integers(-9, 9)), min_size=3, max_size=25)


def rows_of(points: NDArray[np.float32], target: NDArray[np.float64], classes: int = 0) -> TrainingRows:
    raw = Matrices.of(points, np.zeros((len(points), 0), np.int64), np.zeros((len(points), 0), object))
    return TrainingRows(raw, target, classes, ordered=False, seed=1)


def params(n_neighbors: int, weights: str = "uniform", max_rows: int = 5000) -> dict[str, object]:
    return {"n_neighbors": n_neighbors, "weights": weights, "max_rows": max_rows}


@settings(max_examples=60, deadline=None)
@given(POINTS, st.integers(1, 6))
def test_all_that_tie_for_the_last_place_answer_whatever_the_order(points: list[tuple[int, int, int]], wanted: int) -> None:
    table = np.array(points, dtype=np.float32)
    if (np.ptp(table[:, :2], axis=0) == 0).any():
        return
    fitted = fit(rows_of(table[:, :2], table[:, 2].astype(np.float64)), params(wanted))
    asked = Matrices.of(table[:, :2], np.zeros((len(table), 0), np.int64), np.zeros((len(table), 0), object))
    expected = []
    places = [[int(value) for value in row] for row in fitted.points]
    for row in places:
        squared = [sum((a - b) ** 2 for a, b in zip(row, other, strict=True)) for other in places]
        last = sorted(squared)[min(wanted, len(places)) - 1]
        near = [Fraction(point[2]) for point, distance in zip(points, squared, strict=True) if distance <= last]
        expected.append(float(sum(near) / len(near)))
    np.testing.assert_allclose(fitted.predict(asked), expected, atol=1e-12)
    np.testing.assert_allclose(run_emitted(fitted.emit, asked, 1)[:, 0], expected, atol=1e-6)
    turned = replace(fitted, points=fitted.points[::-1], answers=fitted.answers[::-1])
    np.testing.assert_allclose(turned.predict(asked), expected, atol=1e-12)


@pytest.mark.parametrize("weights", ["uniform", "distance"])
@pytest.mark.parametrize("name", ["diabetes", "wine"])
def test_without_ties_the_answers_are_those_of_scikit_learn(name: str, weights: str) -> None:
    frame = real_table(name).frame
    points = frame.drop("target").to_numpy().astype(np.float32)
    target = frame["target"].to_numpy().astype(np.float64)
    classes = 3 if name == "wine" else 0
    fitted = fit(rows_of(points[::2], target[::2], classes), params(7, weights))
    theirs = (KNeighborsClassifier if classes else KNeighborsRegressor)(7, weights=weights)
    theirs.fit(fitted.points, target[::2])
    asked = rows_of(points, target).raw
    grid = on_grid(fitted.preprocessing.transform(asked), fitted.grid)
    expected = theirs.predict_proba(grid) if classes else theirs.predict(grid)
    np.testing.assert_allclose(fitted.predict(asked), expected, rtol=1e-9)


@pytest.mark.parametrize("width", [1, 2, 3, 100, 4096, 4097, 100_000])
def test_no_sum_of_squares_leaves_the_exact_integers(width: int) -> None:
    farthest = int(2 * 64 * grid_of(width))
    assert width * farthest**2 <= 2**53
    assert grid_of(width) >= 64


def test_equal_distances_are_equal_in_the_graph_and_a_weight_by_distance_is_finite() -> None:
    points = np.array([[0.1, 0.7], [0.7, 0.1], [-0.1, -0.7], [3, 3]], dtype=np.float32)
    fitted = fit(rows_of(points, np.array([1.0, 2.0, 3.0, 9.0])), params(1, "distance"))

    def emit(graph: GraphBuilder) -> str:
        return fitted.emit(graph)

    asked = rows_of(points, np.zeros(4)).raw
    np.testing.assert_array_equal(run_emitted(emit, asked, 1)[:, 0], [1, 2, 3, 9])


def test_rows_that_are_left_out_are_told() -> None:
    draw = np.random.default_rng(1)
    rows = rows_of(draw.normal(size=(400, 2)).astype(np.float32), draw.normal(size=400))
    assert fit(rows, params(5, max_rows=100)).found() == {"rowsGiven": 400, "rowsUsed": 100}
    assert fit(rows, params(5)).found() == {}
