import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sklearn import metrics as sk

from gnomon.errors import DataError, GoldenRowsError, InputError, NotFoundError
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.resources.identity import Digest
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import (
    CLASSIFICATION,
    REGRESSION,
    classification_model,
    keep,
    make_artifact,
    make_classifier,
    regression_model,
)
from tests.evaluation.tables import ROWS, classification_table, hurry, judged, regression_table

NOT_THERE = Digest("sha256:" + "0" * 64)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hurry(monkeypatch)
    return tmp_path / "artifacts"


@pytest.fixture
def store(layout: Path) -> OciLayout:
    return OciLayout(layout)


def other_artifact(store: OciLayout, target: str, first: str) -> Digest:
    """Keep a regression of another target, or of another column."""
    signature = Signature(
        task="regression",
        target=target,
        inputs=(InputColumn(first, "float", "floats", 0), InputColumn("count", "integer", "floats", 1)),
        outputs=(Output("prediction", "FP32"),),
    )
    config = ArtifactConfig("m", signature)
    return keep(store, regression_model(1.0), config, GoldenRows(columns={first: [1.0], "count": [1]}, prediction=[1.0]))


def without_latency(report: dict[str, Any]) -> dict[str, Any]:
    """Return a report without what differs from run to run."""
    bare = json.loads(json.dumps(report))
    for sheet in (bare, bare["champion"] or {}):
        sheet.pop("latency", None)
        sheet.get("metrics", {}).pop("latencyP99", None)
    return dict(bare)


def test_metrics_are_those_of_what_the_packed_artifact_answers(store: OciLayout, layout: Path) -> None:
    table = regression_table()
    report = judged(layout, table, make_artifact(store, 1.5))
    actual, x = (table.column(name).to_numpy()[ROWS // 2 :] for name in ("y", "x"))
    predicted = np.float32(1.5) * x.astype(np.float32)
    assert report["metrics"]["rmse"]["value"] == pytest.approx(sk.root_mean_squared_error(actual, predicted), rel=1e-6)
    assert report["metrics"]["mae"]["value"] == pytest.approx(sk.mean_absolute_error(actual, predicted), rel=1e-6)
    assert report["metrics"]["rmse"]["low"] < report["metrics"]["rmse"]["value"] < report["metrics"]["rmse"]["high"]
    assert report["rows"] == ROWS // 2
    assert report["champion"] is None
    assert report["comparison"] == {}


def test_a_classifier_is_measured_by_name_of_class(store: OciLayout, layout: Path) -> None:
    report = judged(layout, classification_table(), make_classifier(store))
    assert report["metrics"]["accuracy"]["value"] == pytest.approx(0.9)
    assert report["classes"] == ["no", "yes"]
    assert sum(map(sum, report["plots"]["confusion"]["counts"])) == ROWS // 2
    assert {row["name"] for row in report["plots"]["perClass"]} == {"no", "yes"}


def test_boolean_and_integer_targets_count_as_the_classes_that_they_name(store: OciLayout, layout: Path) -> None:
    table = classification_table()
    label = table.column("label").to_pylist()
    booleans = table.set_column(3, "label", pa.array([name == "yes" for name in label]))
    report = judged(layout, booleans, make_classifier(store))
    # The classifier's classes are "no" and "yes": "true" and "false" are neither.
    assert report["metrics"]["accuracy"]["value"] == 0.0
    assert report["plots"]["perClass"][-1]["name"] == "(unknown class)"


def test_latency_and_size_are_measured_like_metrics(store: OciLayout, layout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.evaluation.predictions._ROUND", 1000)
    digest = make_artifact(store)
    report = judged(layout, regression_table(), digest)
    manifest = store.manifest(digest)
    assert report["metrics"]["size"]["value"] == manifest.config.size + sum(layer.size for layer in manifest.layers)
    assert 0 < report["latency"]["p50Ms"] <= report["latency"]["p99Ms"] == report["metrics"]["latencyP99"]["value"]
    assert report["latency"]["runs"] >= 1000


def test_everything_but_latency_is_the_same_again(store: OciLayout, layout: Path) -> None:
    candidate, champion = make_artifact(store, 1.0), make_artifact(store, 1.2)
    first, again = (judged(layout, regression_table(), candidate, champion, facts={"time": "at"}) for _ in range(2))
    assert without_latency(first) == without_latency(again)


def test_a_better_candidate_is_found_better_in_the_paired_resamples(store: OciLayout, layout: Path) -> None:
    report = judged(layout, regression_table(0.5), make_artifact(store, 1.0), make_artifact(store, 2.0))
    versus = report["comparison"]["rmse"]
    ours, theirs = (sheet["metrics"]["rmse"]["value"] for sheet in (report, report["champion"]))
    assert versus["improvement"] == pytest.approx((theirs - ours) / theirs)
    assert versus["probabilityBetter"] == 1.0
    assert 0 < versus["low"] < versus["improvement"] < versus["high"]
    assert versus["gains"] == sorted(versus["gains"])
    assert len(versus["gains"]) == report["resamples"] == 1000
    assert "gains" not in report["comparison"]["mae"]


def test_the_champion_itself_is_no_improvement(store: OciLayout, layout: Path) -> None:
    digest = make_artifact(store)
    report = judged(layout, regression_table(), digest, digest)
    assert report["comparison"]["rmse"]["improvement"] == 0.0
    assert set(report["comparison"]["rmse"]["gains"]) == {0.0}
    assert report["comparison"]["rmse"]["probabilityBetter"] == 0.0


def test_the_first_missing_value_of_a_column_holds_no_candidate_back(store: OciLayout, layout: Path) -> None:
    """The champion was made when ``x`` always had a value; its figures are those of what its graph answers."""
    inputs = (InputColumn("late", "boolean", "floats", 0, nullable=False), *CLASSIFICATION.inputs[1:])
    config = ArtifactConfig("c", replace(CLASSIFICATION, inputs=inputs))
    columns: dict[str, list[Any]] = {"late": [True], "at": [None], "city": ["Bern"]}
    golden = GoldenRows(columns=columns, prediction=["yes"], probabilities=[[0.1, 0.9]])
    strict = keep(store, classification_model(), config, golden)
    report = judged(layout, classification_table(), make_classifier(store), strict)
    assert report["champion"]["comparable"]
    assert report["champion"]["metrics"]["accuracy"] == report["metrics"]["accuracy"]
    with pytest.raises(InputError, match=r"column 'late', row \d+: the value is missing"):
        judged(layout, classification_table(), strict)


def test_a_champion_reads_its_own_columns_of_the_rows(store: OciLayout, layout: Path) -> None:
    table = regression_table().append_column("x_old", regression_table().column("x"))
    report = judged(layout, table, make_artifact(store), other_artifact(store, "y", "x_old"))
    assert report["champion"]["comparable"]
    assert report["comparison"]["rmse"]["improvement"] == 0.0


@pytest.mark.parametrize(
    ("champion", "cause"),
    [
        (lambda store: other_artifact(store, "y", "gone"), "the rows have no column 'gone'"),
        (lambda store: other_artifact(store, "z", "x"), "it answers regression of 'z', the candidate regression of 'y'"),
        (
            lambda store: other_artifact(store, "y", "at"),
            "column 'at' holds timestamp[us, tz=UTC], the model reads it as float",
        ),
        (
            lambda store: make_artifact(store, golden=GoldenRows(columns={"x": [1.0], "count": [1]}, prediction=[5.0])),
            "1 of 1 golden rows differ",
        ),
        (lambda _: NOT_THERE, NOT_THERE),
    ],
)
def test_a_champion_that_cannot_be_compared_is_told_with_its_cause(
    store: OciLayout, layout: Path, champion: Any, cause: str
) -> None:
    report = judged(layout, regression_table(), make_artifact(store), champion(store))
    assert report["champion"]["comparable"] is False
    assert cause in report["champion"]["cause"]
    assert "take the gates against the champion out" in report["champion"]["mend"]
    assert report["comparison"] == {}
    assert report["metrics"]["rmse"]["value"] is not None


def test_a_candidate_that_cannot_be_run_is_an_error(store: OciLayout, layout: Path) -> None:
    broken = make_artifact(store, golden=GoldenRows(columns={"x": [1.0], "count": [1]}, prediction=[5.0]))
    with pytest.raises(GoldenRowsError):
        judged(layout, regression_table(), broken)
    with pytest.raises(NotFoundError):
        judged(layout, regression_table(), NOT_THERE)
    with pytest.raises(InputError, match="'gone'"):
        judged(layout, regression_table(), other_artifact(store, "y", "gone"))


def test_rows_without_a_target_are_left_out_and_counted(store: OciLayout, layout: Path) -> None:
    table = regression_table()
    y = pa.array([None if row % 4 == 0 else value for row, value in enumerate(table.column("y").to_pylist())])
    report = judged(layout, table.set_column(3, "y", y), make_artifact(store))
    assert (report["rows"], report["rowsWithoutTarget"]) == (150, 50)


def test_test_rows_without_any_target_judge_nothing(store: OciLayout, layout: Path) -> None:
    table = regression_table().set_column(3, "y", pa.nulls(ROWS, pa.float64()))
    with pytest.raises(DataError, match="none of the 200 test rows has a value of 'y'"):
        judged(layout, table, make_artifact(store))


def test_answers_that_are_no_numbers_leave_metrics_unmeasured(store: OciLayout, layout: Path) -> None:
    table = regression_table()
    x = table.column("x").to_numpy().copy()
    x[-3:] = 3e38  # times the weight, that is beyond float32
    report = judged(layout, table.set_column(0, "x", pa.array(x)), make_artifact(store, 10.0), make_artifact(store, 1.0))
    assert report["metrics"]["rmse"]["value"] is None
    assert report["metrics"]["rmse"]["note"] == "the model's answer to 3 of 200 rows is not a finite number"
    assert report["comparison"]["rmse"]["improvement"] is None
    assert report["comparison"]["rmse"]["probabilityBetter"] == 0.0
    json.dumps(report, allow_nan=False)


def test_the_plot_over_time_follows_the_time_column(store: OciLayout, layout: Path) -> None:
    table = regression_table()
    lines = judged(layout, table, make_artifact(store), make_artifact(store, 2.0), facts={"time": "at"})["plots"]["overTime"]
    assert lines["start"] == sorted(lines["start"])
    assert len(lines["candidate"]) == len(lines["champion"]) == len(lines["start"]) == 10
    assert lines["start"][0] == ROWS // 2 * 3_600_000_000
    assert "overTime" not in judged(layout, table, make_artifact(store))["plots"]


@pytest.fixture
def pair(store: OciLayout, monkeypatch: pytest.MonkeyPatch) -> tuple[Digest, Digest]:
    monkeypatch.setattr("gnomon.evaluation.bootstrap._MOST", 200)
    return make_artifact(store), make_artifact(store, 1.5)


@given(data=st.data())
@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_report_is_always_valid_json(pair: tuple[Digest, Digest], layout: Path, data: st.DataObject) -> None:
    number = st.one_of(st.none(), st.floats(-1e9, 1e9), st.floats(allow_nan=False, allow_infinity=False))
    rows = data.draw(st.integers(1, 12))
    columns = st.lists(number, min_size=rows, max_size=rows)
    x = [0.0 if value is None or abs(value) > 1e38 else value for value in data.draw(columns)]
    y = data.draw(columns.filter(lambda values: any(value is not None for value in values)))
    table = pa.table(
        {"x": pa.array(x, pa.float64()), "count": pa.array([None] * rows, pa.int64()), "y": pa.array(y, pa.float64())}
    )
    report = judged(layout, table, *pair, test=np.arange(rows))
    assert json.loads(json.dumps(report, allow_nan=False)) == report


def test_the_signature_of_the_test_artifact_is_what_these_tests_assume() -> None:
    assert [column.name for column in REGRESSION.inputs] == ["x", "count"]
