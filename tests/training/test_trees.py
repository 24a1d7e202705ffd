import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gnomon.errors import ExportRefusedError
from gnomon.features.graph import GraphBuilder
from gnomon.training.matrices import Matrices
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble, leaf, rounded_down
from tests.training.graphs import run_emitted

FEATURES = 3
NUMBERS = st.one_of(
    st.sampled_from([0.0, -0.0, 0.1, 1.0, -1.0, 3.4028234663852886e38, -3.4028234663852886e38]), st.floats(width=32)
)
THRESHOLDS = st.one_of(
    st.sampled_from([0.0, np.inf, -np.inf, 1e300, -1e300, 1e-300]),
    st.floats(width=32, allow_nan=False),
    st.floats(-2, 2),
    # Between a float32 and the next one: rounding to the nearest would send a row the wrong way.
    st.tuples(st.sampled_from([0.1, 1.0, -1.0]), st.sampled_from([-1e-9, 1e-9])).map(lambda t: float(np.float32(t[0])) + t[1]),
)


@st.composite
def trees(draw: st.DrawFn, outputs: int) -> DecisionTree:
    """Draw a tree of up to four levels."""
    values = st.integers(-8, 8).map(lambda value: value / 4)
    nodes: list[tuple[int, float, int, int, bool, list[float]]] = []

    def grow(depth: int) -> int:
        place = len(nodes)
        value = draw(st.lists(values, min_size=outputs, max_size=outputs))
        nodes.append((0, 0.0, -1, -1, False, value))
        if depth < 4 and draw(st.integers(0, 3)):
            feature, threshold = draw(st.integers(0, FEATURES - 1)), draw(THRESHOLDS)
            missing_left = draw(st.booleans())
            left, right = grow(depth + 1), grow(depth + 1)
            nodes[place] = (feature, threshold, left, right, missing_left, value)
        return place

    grow(0)
    feature, threshold, left, right, missing_left, value = zip(*nodes, strict=True)
    return DecisionTree(
        np.array(feature), np.array(threshold), np.array(left), np.array(right), np.array(missing_left), np.array(value)
    )


def answer(tree: DecisionTree, row: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return a tree's answer to one row by the definition, comparing in float64."""
    node = 0
    while tree.left[node] >= 0:
        value = float(row[tree.feature[node]])
        goes_left = tree.missing_left[node] if np.isnan(value) else value <= tree.threshold[node]
        node = int(tree.left[node] if goes_left else tree.right[node])
    answered: NDArray[np.float64] = tree.value[node]
    return answered


def emitted(ensemble: TreeEnsemble, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    raw = Matrices.of(rows, np.zeros((len(rows), 0), np.int64), np.zeros((len(rows), 0), object))

    def emit(graph: GraphBuilder) -> str:
        return emit_ensemble(graph, "floats", ensemble)

    return run_emitted(emit, raw, len(ensemble.base))


ROWS = st.lists(st.lists(NUMBERS, min_size=FEATURES, max_size=FEATURES), min_size=1, max_size=20).map(
    lambda rows: np.array(rows, dtype=np.float32)
)


@settings(max_examples=60, deadline=None)
@given(st.lists(trees(1), min_size=1, max_size=5), ROWS, st.integers(1, 3))
def test_trees_of_one_output_each_answer_by_the_definition(
    drawn: list[DecisionTree], rows: NDArray[np.float32], outputs: int
) -> None:
    output = np.arange(len(drawn)) % outputs
    base = np.arange(outputs, dtype=np.float64)
    expected = np.tile(base, (len(rows), 1))
    for tree, place in zip(drawn, output, strict=True):
        expected[:, place] += [answer(tree, row)[0] for row in rows]
    np.testing.assert_array_equal(emitted(TreeEnsemble(drawn, base, output), rows), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(trees(3), min_size=1, max_size=4), ROWS)
def test_trees_of_several_outputs_answer_by_the_definition(drawn: list[DecisionTree], rows: NDArray[np.float32]) -> None:
    expected = np.array([sum((answer(tree, row) for tree in drawn), np.zeros(3)) for row in rows])
    np.testing.assert_array_equal(emitted(TreeEnsemble(drawn, np.zeros(3)), rows), expected)


@given(st.floats(allow_nan=False), st.floats(width=32, allow_nan=False))
def test_rounding_a_threshold_down_keeps_every_decision(threshold: float, value: float) -> None:
    assert (np.float32(value) <= rounded_down(np.array([threshold]))[0]) == (value <= threshold)


@pytest.mark.parametrize("value", [0.25, -3.0])
def test_a_lone_leaf_answers_every_row(value: float) -> None:
    rows = np.array([[np.nan] * FEATURES, [1.0] * FEATURES], dtype=np.float32)
    assert emitted(TreeEnsemble([leaf(np.array([value]))], np.zeros(1)), rows).tolist() == [[value], [value]]


def test_more_nodes_than_a_file_holds_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.training.trees.MAX_NODES", 2)
    lone = leaf(np.array([1.0]))
    with pytest.raises(ExportRefusedError, match="the ensemble has 3 nodes, more than 2"):
        emit_ensemble(GraphBuilder(), "floats", TreeEnsemble([lone] * 3, np.zeros(1)))
