"""What converters are known to get silently wrong cannot happen here: one test for each, which fails without its protection.

That trees lose the way of missing values is tested in ``test_parity``, forests of isolation with anomalies.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

import gnomon.training
from gnomon.errors import ExportRefusedError
from gnomon.features.graph import GraphBuilder
from gnomon.inference.session import Predictor
from gnomon.training.algorithms.hist_gradient_boosting import FittedHistGradientBoosting
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import Prepared
from gnomon.training.preprocessing import Numbers, Preprocessing, declare_inputs
from tests.training.graphs import numbers
from tests.training.tables import RealTable, real_table
from tests.training.test_algorithms import SUPERVISED, exported, fit, plan

TREES = ["decision-tree", "random-forest", "extra-trees", "hist-gradient-boosting", "lightgbm", "xgboost"]
CONVERTERS = {"skl2onnx", "onnxmltools", "sklearn.preprocessing", "sklearn.impute", "sklearn.compose", "sklearn.pipeline"}
"""What turns a fitted transformer into operators, and the transformers for which that goes wrong."""


def graph_of(prepared: Prepared, algorithm: str) -> onnx.GraphProto:
    return onnx.load_model_from_string(exported(prepared, plan("regression", algorithm))).graph


def upstream(graph: onnx.GraphProto, op: str) -> Iterator[onnx.NodeProto]:
    """Yield the operators that an operator depends on."""
    makers = {output: node for node in graph.node for output in node.output}
    todo = [name for node in graph.node if node.op_type == op for name in node.input]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in makers and name not in seen:
            seen.add(name)
            yield makers[name]
            todo.extend(makers[name].input)


@pytest.mark.parametrize("algorithm", TREES)
def test_nothing_is_scaled_before_a_tree(algorithm: str) -> None:
    """A scaler in float32 moves values across thresholds: boosters then differ on half of the rows."""
    graph = graph_of(real_table("diabetes").prepared(), algorithm)
    assert {node.op_type for node in upstream(graph, "TreeEnsemble")} == {"Gather", "IsInf", "Where"}


def test_a_scaler_is_seen_where_there_is_one() -> None:
    graph = graph_of(real_table("diabetes").prepared(), "ridge")
    assert {"Sub", "Mul", "Clip"} <= {node.op_type for node in upstream(graph, "MatMul")}


@pytest.mark.parametrize("algorithm", [name for name, tasks in SUPERVISED.items() if "regression" in tasks])
def test_no_graph_takes_a_sine_of_time(algorithm: str) -> None:
    """Sines of two libraries differ in their last digit, and boosters split between the two: waves come from a table."""
    operators = {node.op_type for node in graph_of(real_table("delays").prepared(), algorithm).node}
    assert operators & {"Sin", "Cos", "Tan", "Asin", "Acos", "Atan"} == set()


def clocks(start: str) -> RealTable:
    """Return 300 rows a minute apart, whose target follows the minute: in float32, seconds of the epoch are 128 apart."""
    rows = pl.select(minute=pl.int_range(300))
    at = pl.lit(start).str.to_datetime(time_unit="us", time_zone="UTC") + pl.duration(minutes=pl.col("minute"))
    target = pl.when(pl.col("minute") % 2 == 0).then(1.0).otherwise(-1.0)
    return RealTable(rows.select(at=at, target=target + pl.col("minute") / 1000), "regression", "target", None)


@pytest.mark.parametrize("algorithm", ["decision-tree", "extra-trees"])
def test_timestamps_a_minute_apart_stay_apart(algorithm: str) -> None:
    prepared = clocks("2024-03-01T00:00:00Z").prepared(by="random")
    facts = prepared.facts
    whole = plan("regression", algorithm, min_samples_leaf=1, max_depth=64)
    predictor = Predictor(exported(prepared, whole), facts.signature)
    learnt = np.sort(prepared.parts.train)
    answers = predictor.predict(matrices_of(prepared.table, facts.inputs).take(learnt).feed)["prediction"]
    np.testing.assert_array_equal(np.sign(answers), np.sign(prepared.table.column("target").to_numpy()[learnt]))


def test_native_categories_of_histogram_boosting_are_refused() -> None:
    draw = np.random.default_rng(1)
    codes = draw.integers(0, 12, size=(400, 1)).astype(np.float32)
    target = np.isin(codes[:, 0], (1, 4, 7)) * 3.0
    rows = numbers(codes)
    features = Preprocessing((Numbers((0,)),))
    for categories, agrees in (([0], False), (None, True)):
        estimator = HistGradientBoostingRegressor(max_iter=5, categorical_features=categories).fit(codes, target)
        graph = GraphBuilder()
        declare_inputs(graph, rows)
        fitted = FittedHistGradientBoosting(features, estimator, 0)
        if agrees:
            assert fitted.emit(graph)
        else:
            with pytest.raises(ExportRefusedError, match="categor"):
                fitted.emit(graph)


@pytest.mark.parametrize("algorithm", [name for name, tasks in SUPERVISED.items() if "regression" in tasks])
def test_that_a_number_is_missing_is_learnt_and_exported(algorithm: str) -> None:
    """Converters drop the columns of a missing-value indicator: here nothing else tells the target."""
    draw = np.random.default_rng(2)
    missing = draw.random(600) < 0.5
    noise = pl.Series("other", draw.normal(size=600))
    value = pl.Series("value", np.where(missing, np.nan, draw.normal(size=600))).fill_nan(None)
    frame = pl.DataFrame([value, noise]).with_columns(target=pl.Series(missing * 2.0 + draw.normal(size=600) / 10))
    report = fit(RealTable(frame, "regression", "target").prepared(), plan("regression", algorithm))
    assert report["metrics"]["r2"] > 0.6
    assert report["parity"]["verdict"] == "exact"


@pytest.mark.parametrize("algorithm", [name for name, tasks in SUPERVISED.items() if "classification" in tasks])
def test_rare_and_unknown_text_is_answered_like_other_rare_text(algorithm: str) -> None:
    """One-hot encoders that join rare levels convert, and then fail on a level that they do not know."""
    rows = 600
    index = pl.int_range(rows)
    rare = pl.when(index % 50 == 0).then(pl.format("rare-{}", index))
    frame = pl.select(
        text=pl.coalesce(rare, pl.format("often-{}", index % 3)), number=(index * 7919 % 101).cast(pl.Float64)
    ).with_columns(target=pl.when(pl.col("text") == "often-1").then(pl.lit("yes")).otherwise(pl.lit("no")))
    prepared = RealTable(frame, "classification", "target").prepared()
    facts = prepared.facts
    predictor = Predictor(exported(prepared, plan("classification", algorithm)), facts.signature)
    feed = matrices_of(prepared.table, facts.inputs).take(np.arange(3)).feed
    answers = []
    for text in ("rare-50", "never seen", "é" * 500):
        feed["strings"] = np.full_like(feed["strings"], text)
        answers.append(predictor.predict(feed)["probabilities"])
    np.testing.assert_array_equal(answers[0], answers[1])
    np.testing.assert_array_equal(answers[0], answers[2])


@pytest.mark.parametrize("algorithm", [name for name, tasks in SUPERVISED.items() if "classification" in tasks])
@pytest.mark.parametrize("name", ["breast-cancer", "wine"])
def test_scores_never_pass_for_probabilities(algorithm: str, name: str) -> None:
    """Support vector machines and binary discriminants leave converters with scores on another scale."""
    table = real_table(name)
    prepared = table.prepared()
    facts = prepared.facts
    predictor = Predictor(exported(prepared, plan("classification", algorithm)), facts.signature)
    rows = matrices_of(prepared.table, facts.inputs).take(np.sort(prepared.parts.validation))
    answers = predictor.predict(rows.feed)
    np.testing.assert_allclose(answers["probabilities"].sum(axis=1), 1, atol=1e-5)
    assert answers["probabilities"].min() >= 0
    likely = answers["probabilities"].max(axis=1)
    told = prepared.table.column("target").to_numpy()[np.sort(prepared.parts.validation)].astype(str)
    assert abs(likely.mean() - (answers["prediction"] == told).mean()) < 0.15, "as sure as it is right"


def test_no_transformer_of_a_library_enters_a_graph() -> None:
    """Quantile transformers, imputers with indicators and encoders of rare levels convert to something else."""
    folder = Path(gnomon.training.__file__).parent
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            modules += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not {module for module in modules if any(module.startswith(name) for name in CONVERTERS)}, file
