"""Reports of every task fit the schema that programs rely on."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from jsonschema import Draft202012Validator, FormatChecker

from gnomon.evaluation.page import render_page
from gnomon.evaluation.report_schema import report_schema
from gnomon.evaluation.steps import evaluate
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import Signature
from gnomon.registry.pack import pack
from gnomon.resources.identity import Digest
from gnomon.resources.learning import Task
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.training import steps
from tests.artifacts import make_artifact, make_classifier
from tests.evaluation.reports import report_of
from tests.evaluation.tables import classification_table, hurry, regression_table
from tests.training.test_tasks import TABLES, departures, fitted_metric, planned, prepared

VALIDATOR = Draft202012Validator(report_schema(), format_checker=FormatChecker())


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def misfits(report: dict[str, Any]) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in VALIDATOR.iter_errors(report)]


def test_the_schema_itself_is_one() -> None:
    Draft202012Validator.check_schema(report_schema())


def test_reports_of_regression_and_classification_fit(tmp_path: Path) -> None:
    store = OciLayout(tmp_path)
    gates = [{"metric": "rmse", "against": "champion", "confidence": 0.9}, {"metric": "rmse", "by": "x", "max": 9}]
    candidate = make_artifact(store)
    for champion in (None, make_artifact(store, 2.0), Digest("sha256:" + "0" * 64)):
        assert misfits(report_of(tmp_path, regression_table(), candidate, champion, gates)) == []
    assert misfits(report_of(tmp_path, classification_table(), make_classifier(store), None)) == []


@pytest.mark.parametrize(
    ("task", "algorithm"),
    [
        ("clustering", "k-means"),
        ("density", "gaussian-mixture"),
        ("reduction", "pca"),
        ("anomaly", "isolation-forest"),
        ("forecasting", "ridge"),
    ],
)
def test_reports_of_other_tasks_fit_and_become_pages(task: Task, algorithm: str, tmp_path: Path) -> None:
    items = prepared(task, departures() if task == "forecasting" else TABLES["iris"], tmp_path)
    made = steps.refit(**items, candidate=planned(task, algorithm).to_json())
    store = OciLayout(tmp_path / "artifacts")
    config = ArtifactConfig("m", msgspec.convert(made["signature"], Signature))
    digest = pack(store, config, made["model"], msgspec.convert(made["golden"], GoldenRows))
    target = "flights" if task == "forecasting" else None
    metric = fitted_metric(task)
    measured = evaluate(
        **{name: items[name] for name in ("table", "test", "facts")},
        artifact=digest,
        champion=digest,
        layout=str(tmp_path / "artifacts"),
        asked={"target": target, "metric": metric, "compare": [], "seed": 7},
    )["report"]
    whole = report_of(tmp_path / "artifacts", regression_table(), make_artifact(store), None)
    shared = {key: measured[key] for key in whole if key in measured}
    report = {**whole, **shared, "model": {**whole["model"], "task": task, "target": target, "metric": metric}}
    assert misfits(report) == []
    assert render_page(report).startswith("<!doctype html>")
    assert (measured["baseline"] is not None) is (task in {"reduction", "forecasting"})


def test_a_key_that_nobody_documented_does_not_fit(tmp_path: Path) -> None:
    report = report_of(tmp_path, regression_table(), make_artifact(OciLayout(tmp_path)), None)
    assert misfits({**report, "more": 1})
    assert misfits({key: value for key, value in report.items() if key != "slices"})
