"""What needs no model, and that every candidate must beat it."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import log_loss, mean_absolute_error, root_mean_squared_error

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.baselines import baseline_answers, learnt_target
from gnomon.evaluation.bootstrap import measured
from gnomon.evaluation.gates import gates_of, judge
from gnomon.evaluation.metrics import METRICS
from gnomon.resources.gate_rules import baseline_gate_violations
from gnomon.resources.model import Gate, ModelSpec
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact, make_classifier
from tests.evaluation.tables import ROWS, classification_table, hurry, judged, regression_table

TEST = np.arange(ROWS // 2, ROWS)
RIDGE = {"task": "regression", "dataset": "d", "target": "y", "candidates": ({"algorithm": "ridge"},)}


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


@pytest.mark.parametrize(("metric", "strategy"), [("rmse", "mean"), ("mae", "median")])
def test_a_regression_is_held_against_the_constant_that_its_metric_likes(tmp_path: Path, metric: str, strategy: str) -> None:
    report = judged(tmp_path, regression_table(), make_artifact(OciLayout(tmp_path)), metric=metric)
    y = regression_table()["y"].to_numpy()
    dummy = DummyRegressor(strategy=strategy).fit(np.zeros((200, 1)), y[:200]).predict(np.zeros((200, 1)))
    assert report["baseline"]["name"] == f"the {strategy} of the training rows"
    assert report["baseline"]["metrics"]["rmse"]["value"] == pytest.approx(root_mean_squared_error(y[200:], dummy))
    assert report["baseline"]["metrics"]["mae"]["value"] == pytest.approx(mean_absolute_error(y[200:], dummy))
    assert report["baseline"]["comparison"]["rmse"]["probabilityBetter"] == 1.0


def test_a_classification_is_held_against_the_shares_of_its_classes(tmp_path: Path) -> None:
    table = classification_table()
    report = judged(tmp_path, table, make_classifier(OciLayout(tmp_path)), compareBaseline=["accuracy"])
    label = table["label"].to_numpy(zero_copy_only=False)
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((200, 1)), label[:200])
    expected = log_loss(label[200:], dummy.predict_proba(np.zeros((200, 1))))
    assert report["baseline"]["metrics"]["logLoss"]["value"] == pytest.approx(expected)
    assert report["baseline"]["metrics"]["rocAuc"]["value"] == 0.5
    sure = Gate.model_validate({"metric": "accuracy", "against": "baseline", "confidence": 0.9})
    (result,) = judge([sure], report)
    assert result.passed
    assert result.description == "accuracy better than baseline, 90% sure"


def test_a_forecast_is_held_against_the_naive_one_and_labels_against_chance() -> None:
    rows = pa.table({"t_lag_7": pa.array([1.0, None, 3.0], pa.float64())})
    ahead = Answers(np.array([1.0, 2.0, 5.0]), np.zeros(3), task="forecasting")
    found = baseline_answers(ahead, rows, pa.chunked_array([[4.0, 6.0]]), "rmse", {"naive": "t_lag_7"})
    assert found is not None
    assert found[1].predicted.tolist() == [1.0, 5.0, 3.0]
    odd = Answers(
        np.array([0, 0, 0, 1]), np.zeros(4, dtype=np.int64), np.zeros((4, 2)), ("normal", "anomalous"), "anomaly", asked_class=1
    )
    chance = baseline_answers(odd, rows, None, "averagePrecision", {})
    assert chance is not None
    assert measured(chance[1], [METRICS["rocAuc"], METRICS["averagePrecision"]]).tolist() == [0.5, 0.25]


def test_components_are_held_against_none_and_clusters_against_nothing() -> None:
    whole = np.array([1.0, 4.0])
    reduced = Answers(np.zeros(2), np.zeros((2, 1)), task="reduction", figures={"whole": whole, "lost": whole / 2})
    found = baseline_answers(reduced, pa.table({}), None, "explainedVariance", {})
    assert found is not None
    assert measured(found[1], [METRICS["explainedVariance"]]).tolist() == [0.0]
    for task in ("clustering", "density", "anomaly"):
        assert baseline_answers(Answers(np.zeros(2), np.zeros(2), task=task), pa.table({}), None, "", {}) is None


def test_rows_of_a_gap_are_not_learnt_from() -> None:
    table = pa.table({"y": [1.0, 2.0, 3.0, 4.0, 99.0]})
    facts = {"parts": {"train": 2, "validation": 1, "test": 1}}
    assert learnt_target(table, "y", np.array([3]), facts).to_pylist() == [1.0, 2.0, 3.0]
    assert learnt_target(table, "y", np.array([3, 4]), {}).to_pylist() == [1.0, 2.0, 3.0]


def spec(**declared: Any) -> ModelSpec:
    return ModelSpec.model_validate(RIDGE | declared)


def test_every_model_must_beat_its_baseline_unless_it_says_otherwise() -> None:
    assert gates_of(spec()) == (Gate(metric="rmse", against="baseline"),)
    assert gates_of(spec(metric="mae", gates=({"metric": "r2", "min": 0.1},)))[0].metric == "mae"
    assert gates_of(spec(beatBaseline=False)) == ()
    own = {"metric": "rmse", "against": "baseline", "improveBy": "20%"}
    assert gates_of(spec(gates=(own,))) == (Gate.model_validate(own),)
    clusters = {"task": "clustering", "target": None, "candidates": ({"algorithm": "k-means"},)}
    assert gates_of(spec(**clusters)) == ()


@pytest.mark.parametrize(("value", "passed"), [(0.99, True), (1.0, False), (1.0 - 1e-12, False), (1.01, False)])
def test_equal_to_the_baseline_is_not_better(value: float, *, passed: bool) -> None:
    report = {"metrics": {"rmse": {"value": value}}, "baseline": {"metrics": {"rmse": {"value": 1.0}}, "comparison": {}}}
    (result,) = judge(gates_of(spec()), report)
    assert result.passed is passed
    assert result.description == "rmse better than baseline"


def test_a_gate_against_a_baseline_that_is_not_there_is_refused() -> None:
    clusters = spec(task="clustering", target=None, candidates=({"algorithm": "k-means"},))
    gate = Gate(metric="silhouette", against="baseline")
    (found,) = baseline_gate_violations(("spec",), gate, clusters)
    assert found.cause == "there is no baseline of silhouette for clustering"
    (result,) = judge([gate], {"metrics": {"silhouette": {"value": 1.0}}, "baseline": None})
    assert (result.passed, result.message) == (False, "there is no baseline of this task")
