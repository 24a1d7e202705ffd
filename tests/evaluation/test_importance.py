"""Which columns an artifact depends on, and how."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from gnomon.evaluation.charts import charts_of
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact, make_classifier
from tests.evaluation.reports import report_of
from tests.evaluation.tables import classification_table, hurry, judged, regression_table


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def test_shuffling_a_column_costs_what_it_told(tmp_path: Path) -> None:
    table = regression_table(0.5)
    found = judged(tmp_path, table, make_artifact(OciLayout(tmp_path)))["importance"]
    by_name = {each["column"]: each for each in found["columns"]}
    assert [each["column"] for each in found["columns"]] == ["x", "count"]
    assert found["loss"] == "squared error"
    assert by_name["count"]["increase"] == by_name["count"]["low"] == by_name["count"]["high"] == 0.0
    # Of y = x + noise, predicted by x, a stranger's x costs twice the variance of x.
    variance = float(np.var(table["x"].to_numpy()[200:]))
    assert by_name["x"]["low"] < 2 * variance < by_name["x"]["high"]
    assert by_name["x"]["low"] > 0


def test_the_answer_depends_on_a_column_as_the_graph_says(tmp_path: Path) -> None:
    (line,) = judged(tmp_path, regression_table(0.5), make_artifact(OciLayout(tmp_path), 1.5))["dependence"]
    assert (line["column"], line["of"]) == ("x", "prediction")
    assert line["mean"] == pytest.approx([1.5 * value for value in line["values"]], rel=1e-5)
    assert line["values"] == sorted(line["values"])
    assert all(row == pytest.approx(line["mean"]) for row in line["rows"])


def test_classes_depend_on_truths_and_texts_too(tmp_path: Path) -> None:
    report = judged(tmp_path, classification_table(), make_classifier(OciLayout(tmp_path)))
    (line,) = report["dependence"]
    assert (line["column"], line["of"], line["values"]) == ("late", "probability of yes", [False, True])
    assert line["mean"] == pytest.approx([0.2, 0.9])
    assert report["importance"]["loss"] == "log loss"


def test_the_same_rows_give_the_same_figures_and_charts(tmp_path: Path) -> None:
    artifact = make_artifact(OciLayout(tmp_path))
    reports = [report_of(tmp_path, regression_table(), artifact, None) for _ in range(2)]
    for key in ("importance", "dependence", "slices", "worstSlices", "baseline"):
        assert reports[0][key] == reports[1][key]
    drawn = [[chart.svg for chart in charts_of(report) if chart.name in {"importance", "dependence-0"}] for report in reports]
    assert len(drawn[0]) == 2
    assert drawn[0] == drawn[1]


def test_a_column_without_a_value_explains_nothing(tmp_path: Path) -> None:
    table = regression_table().set_column(1, "count", pa.nulls(400, pa.int64()))
    report = judged(tmp_path, table, make_artifact(OciLayout(tmp_path)))
    assert [each["column"] for each in report["dependence"]] == ["x"]
