"""Tasks without a target, and forecasts: from a real table to a packed artifact, and to its answers."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp
from sklearn import datasets

from gnomon.errors import TrainingError
from gnomon.evaluation.steps import evaluate
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.encoding import encode_columns
from gnomon.inference.golden import GoldenRows
from gnomon.inference.session import Predictor
from gnomon.inference.signature import Signature
from gnomon.registry.loading import load
from gnomon.registry.pack import pack
from gnomon.resources.learning import ALGORITHMS_BY_TASK, DEFAULT_METRICS, METRICS_BY_TASK, Task
from gnomon.resources.model import Candidate, ModelSpec
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.training import steps
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.fitting import NativeModel, fit_model
from gnomon.training.matrices import matrices_of
from tests.evaluation.tables import hurry
from tests.training.tables import columns_of, prepare, real_table
from tests.training.test_steps import kept

WITHOUT_TARGET: tuple[Task, ...] = ("clustering", "density", "reduction", "anomaly")
CASES = [(task, algorithm) for task in WITHOUT_TARGET for algorithm in ALGORITHMS_BY_TASK[task]] + [
    ("forecasting", "ridge"),
    ("forecasting", "lightgbm"),
]
PARAMS: Mapping[str, Mapping[str, Any]] = {
    "k-means": {"n_clusters": 3},
    "gaussian-mixture": {"n_components": 3, "n_init": 1},
    "isolation-forest": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20},
}
TABLES: Mapping[str, pl.DataFrame] = {
    "penguins": real_table("species").frame,
    "iris": pl.DataFrame(datasets.load_iris().data, schema=["a", "b", "c", "d"]),
    "wine": real_table("wine").frame.drop("target"),
    "digits": real_table("digits").frame.drop("target").head(250),
}


def planned(task: Task, algorithm: str, **params: Any) -> CandidatePlan:
    given = {"algorithm": algorithm, "params": {**PARAMS.get(algorithm, {}), **params}}
    target = "y" if task == "forecasting" else None
    return expand(ModelSpec(task=task, dataset="d", target=target, candidates=(Candidate.model_validate(given),)))[0]


def departures() -> pl.DataFrame:
    """Flights a day by origin."""
    day = pl.col("scheduled_at").dt.truncate("1d").alias("day")
    return real_table("delays").frame.group_by(day, "origin").agg(pl.len().cast(pl.Int64).alias("flights"))


def prepared(task: Task, frame: pl.DataFrame, folder: Path, target: str | None = None) -> dict[str, Any]:
    snapshot, files = kept(frame, folder)
    ahead = {"steps": 2, "microseconds": None, "series": ["origin"], "season": None} if task == "forecasting" else None
    return steps.prepare(
        snapshot=snapshot,
        files=files,
        task=task,
        target="flights" if task == "forecasting" else target,
        features=[],
        split={},
        time="day" if task == "forecasting" else None,
        forecast=ahead,
    )


def raw_rows(table: pa.Table, signature: Signature, rows: int = 40) -> dict[str, list[Any]]:
    """Rows of the table as a request carries them."""
    return {column.name: table[column.name].to_pylist()[:rows] for column in signature.inputs}


@pytest.mark.parametrize(("task", "algorithm"), CASES)
def test_a_table_becomes_an_artifact_that_answers_as_its_graph_does(
    task: Task, algorithm: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurry(monkeypatch)
    frame = departures() if task == "forecasting" else TABLES["penguins"]
    items = prepared(task, frame, tmp_path)
    candidate = planned(task, algorithm).to_json()
    fitted = steps.fit_candidate(**{name: items[name] for name in items if name != "test"}, candidate=candidate)["report"]
    made = steps.refit(**items, candidate=candidate)
    assert fitted["parity"]["verdict"] == made["report"]["parity"]["verdict"] == "exact"
    assert made["model"] == steps.refit(**items, candidate=candidate)["model"]

    signature = msgspec.convert(made["signature"], Signature)
    store = OciLayout(tmp_path / "artifacts")
    digest = pack(store, ArtifactConfig("m", signature), made["model"], msgspec.convert(made["golden"], GoldenRows))
    columns = raw_rows(items["table"], signature)
    alone = Predictor(made["model"], signature).predict(encode_columns(signature, columns))
    answers = load(digest, tmp_path).predict(columns)
    assert list(answers) == [output.name for output in signature.outputs]
    for output in signature.outputs:
        assert np.array_equal(answers[output.name], alone[output.name])
        assert answers[output.name].dtype == {"FP32": np.float32, "INT64": np.int64}[output.datatype]
        assert answers[output.name].shape == (40, *output.shape)

    asked: dict[str, Any] = {
        "target": "flights" if task == "forecasting" else None,
        "metric": fitted_metric(task),
        "compare": [],
        "seed": 7,
    }
    report = evaluate(
        table=items["table"],
        test=items["test"],
        facts=items["facts"],
        artifact=digest,
        champion=digest,
        layout=str(tmp_path / "artifacts"),
        asked=asked,
    )["report"]
    assert report["champion"]["comparable"]
    assert {name: gain["improvement"] for name, gain in report["comparison"].items()} == dict.fromkeys(report["comparison"], 0)
    measurable = set(fitted["metrics"])
    assert measurable == {name for name in METRICS_BY_TASK[task] if name in report["metrics"]}
    for name in measurable:
        figure = report["metrics"][name]
        assert figure["value"] is not None
        if name not in {"daviesBouldin", "calinskiHarabasz"}:  # resampled clusters lie closer: rows are drawn twice
            assert figure["low"] <= figure["value"] <= figure["high"]
    assert report["plots"]


def test_a_density_of_other_columns_is_no_champion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)
    store, digests = OciLayout(tmp_path / "artifacts"), []
    for frame in (TABLES["iris"], TABLES["iris"].drop("d")):
        items = prepared("density", frame, tmp_path)
        made = steps.refit(**items, candidate=planned("density", "gaussian-mixture").to_json())
        config = ArtifactConfig("m", msgspec.convert(made["signature"], Signature))
        digests.append(pack(store, config, made["model"], msgspec.convert(made["golden"], GoldenRows)))
    items = prepared("density", TABLES["iris"], tmp_path)
    asked: dict[str, Any] = {"target": None, "metric": "logLikelihood", "compare": [], "seed": 7}
    given = {name: items[name] for name in ("table", "test", "facts")}
    report = evaluate(**given, artifact=digests[0], champion=digests[1], layout=str(tmp_path / "artifacts"), asked=asked)[
        "report"
    ]
    assert not report["champion"]["comparable"]
    assert "densities of different columns have different units" in report["champion"]["cause"]


def fitted_metric(task: Task) -> str:
    return "shareError" if task == "anomaly" else DEFAULT_METRICS[task]


@pytest.mark.parametrize("name", [name for name in TABLES if name != "penguins"])
@pytest.mark.parametrize(("task", "algorithm"), CASES[:-2])
def test_the_graph_agrees_with_scikit_learn_on_edge_rows(task: Task, algorithm: str, name: str, tmp_path: Path) -> None:
    items = prepared(task, TABLES[name], tmp_path)
    del items["test"]
    report = steps.fit_candidate(**items, candidate=planned(task, algorithm).to_json())["report"]
    assert report["parity"]["verdict"] == "exact"
    assert report["parity"]["rows"] > 200


def native(task: Task, algorithm: str, frame: pl.DataFrame, **params: Any) -> tuple[NativeModel, TrainingRows]:
    ready = prepare_rows_of(task, frame)
    raw = matrices_of(ready.table, ready.facts.inputs)
    rows = TrainingRows(raw, np.zeros(len(raw)), 0, ordered=False, seed=3)
    return fit_model(planned(task, algorithm, **params), rows, task, 0.1), rows


def prepare_rows_of(task: Task, frame: pl.DataFrame) -> Any:
    return prepare(frame, task, None)


@pytest.mark.parametrize("covariance", ["full", "tied", "diag", "spherical"])
@pytest.mark.parametrize("task", ["clustering", "density"])
def test_every_kind_of_covariance_agrees(task: Task, covariance: str, tmp_path: Path) -> None:
    items = prepared(task, TABLES["wine"], tmp_path)
    del items["test"]
    candidate = planned(task, "gaussian-mixture", covariance_type=covariance).to_json()
    assert steps.fit_candidate(**items, candidate=candidate)["report"]["parity"]["verdict"] == "exact"


@pytest.mark.parametrize("algorithm", ALGORITHMS_BY_TASK["clustering"])
def test_clusters_are_numbered_by_size(algorithm: str) -> None:
    model, rows = native("clustering", algorithm, TABLES["iris"])
    answers = model.predict(rows.raw)
    found = answers.argmin(axis=1) if algorithm == "k-means" else answers.argmax(axis=1)
    if algorithm == "k-means":
        assert sorted(np.bincount(found), reverse=True) == np.bincount(found).tolist()
    else:
        assert (np.diff(answers.mean(axis=0)) <= 1e-6).all()


def test_a_kernel_density_is_right_far_from_its_points() -> None:
    """With several leaves scikit-learn's sums of bounds are off by a hundred nats there."""
    model, rows = native("density", "kernel-density", TABLES["iris"], bandwidth=0.4)
    far = replace(rows.raw, floats=rows.raw.floats * 6 - 20)
    features = model.fitted.preprocessing.transform(far).astype(np.float64)  # type: ignore[attr-defined]
    points: NDArray[np.float64] = model.fitted.points  # type: ignore[attr-defined]
    apart = np.square(features[:, None] - points[None]).sum(axis=2)
    constant = np.log(len(points)) + 2 * np.log(2 * np.pi) + 4 * np.log(0.4)
    expected = logsumexp(-apart / (2 * 0.4**2), axis=1) - constant
    shift = np.log(model.fitted.preprocessing.blocks[0].scale).sum()  # type: ignore[attr-defined]
    np.testing.assert_allclose(model.predict(far), expected + shift, rtol=1e-9)


def test_a_log_density_is_one_of_the_raw_numbers() -> None:
    numbers = np.random.default_rng(1).normal(50, 10, 4000)
    frame = pl.DataFrame({"x": numbers})
    model, rows = native("density", "gaussian-mixture", frame, n_components=1, reg_covar=1e-9)
    given = rows.raw.floats[:, 0].astype(np.float64)
    normal = -0.5 * np.log(2 * np.pi * numbers.var()) - (given - numbers.mean()) ** 2 / (2 * numbers.var())
    np.testing.assert_allclose(model.predict(rows.raw), normal, atol=1e-3)


@pytest.mark.parametrize("algorithm", ALGORITHMS_BY_TASK["anomaly"])
def test_as_many_unseen_rows_are_flagged_as_was_asked(algorithm: str) -> None:
    rows = np.random.default_rng(5).normal(size=(1200, 6))
    frame = pl.DataFrame(rows, schema=list("abcdef"))
    model, _ = native("anomaly", algorithm, frame.head(400))
    ready = prepare_rows_of("anomaly", frame)
    scores = model.predict(matrices_of(ready.table, ready.facts.inputs).take(np.arange(400, 1200)))
    assert 0.06 < (scores > model.meaning.threshold).mean() < 0.14


@pytest.mark.parametrize("algorithm", ALGORITHMS_BY_TASK["anomaly"])
def test_labels_measure_and_teach_nothing(algorithm: str, tmp_path: Path) -> None:
    cells = real_table("breast-cancer").frame.with_row_index("row")
    rare = cells.filter((pl.col("target") == 1) | (pl.col("row") % 10 == 0))
    frame = rare.with_columns((pl.col("target") == 0).alias("odd")).drop("target", "row")
    items = prepared("anomaly", frame, tmp_path, target="odd")
    assert "odd" not in {column["name"] for column in items["facts"]["inputs"]}
    del items["test"]
    candidate = planned("anomaly", algorithm, **({"n_components": 1} if algorithm == "gaussian-mixture" else {})).to_json()
    report = steps.fit_candidate(**items, candidate=candidate)["report"]
    found, metrics = report["found"], report["metrics"]
    assert metrics["rocAuc"] > 0.65
    assert {"f1", "precision", "recall", "averagePrecision", "shareError"} <= metrics.keys()
    scrambled = prepared("anomaly", frame.with_columns(~pl.col("odd")), tmp_path, target="odd")
    del scrambled["test"]
    other = steps.fit_candidate(**scrambled, candidate=candidate)["report"]
    assert other["found"] == found
    assert other["metrics"]["rocAuc"] == pytest.approx(1 - metrics["rocAuc"])


def test_labels_are_ones_and_zeros_or_unknown(tmp_path: Path) -> None:
    frame = TABLES["iris"].with_columns(odd=pl.when(pl.int_range(150) % 3 > 0).then(pl.int_range(150) % 2))
    items = prepared("anomaly", frame, tmp_path, target="odd")
    assert items["facts"]["rows"] == 150
    with pytest.raises(TrainingError, match="the target odd has the value -1, and labels of anomalies are 1"):
        prepared("anomaly", frame.with_columns(odd=1 - 2 * pl.col("odd")), tmp_path, target="odd")


@pytest.mark.parametrize(
    ("task", "algorithm", "params", "cause"),
    [
        ("clustering", "k-means", {"n_clusters": 200}, "too few for 200 clusters"),
        ("clustering", "gaussian-mixture", {"n_components": 200}, "too few for 200 components"),
        ("reduction", "pca", {"n_components": 9}, "9 components are asked of 4 features"),
        ("anomaly", "pca", {"n_components": 4}, "one of which must be left"),
    ],
)
def test_what_the_rows_do_not_give_is_told(task: Task, algorithm: str, params: dict[str, int], cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        native(task, algorithm, TABLES["iris"], **params)


def test_equal_columns_as_in_a_table_of_text_alone_are_borne(tmp_path: Path) -> None:
    text = pl.DataFrame({"a": ["x", "y", "z", "x"] * 20, "b": ["u", None, "v", "v"] * 20})
    for task, algorithm in CASES[:-2]:
        items = prepared(task, text, tmp_path)
        del items["test"]
        candidate = planned(task, algorithm, **({"n_clusters": 2} if algorithm == "k-means" else {})).to_json()
        assert steps.fit_candidate(**items, candidate=candidate)["report"]["parity"]["verdict"] == "exact"
    assert columns_of(text)
