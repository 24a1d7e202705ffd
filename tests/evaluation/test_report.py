import json
from pathlib import Path

import pytest

from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact
from tests.evaluation.reports import report_of
from tests.evaluation.tables import hurry, regression_table

KEYS = {
    "format", "run", "model", "revision", "snapshot", "artifact", "candidates", "winner", "test", "metrics", "latency",
    "champion", "comparison", "plots",
    "slices", "baseline", "importance", "dependence",
    "worstSlices", "gates", "verdict",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    hurry(monkeypatch)


def test_a_report_has_the_documented_keys_and_is_plain_json(tmp_path: Path) -> None:
    store = OciLayout(tmp_path)
    artifact, champion = make_artifact(store), make_artifact(store, 2.0)
    gates = [{"metric": "rmse", "max": 45}, {"metric": "rmse", "against": "champion", "improveBy": "1%", "confidence": 0.9}]
    report = report_of(tmp_path, regression_table(), artifact, champion, gates)
    assert set(report) == KEYS
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["winner"]["algorithm"] == "ridge"
    assert report["winner"]["params"] == {"alpha": 1.0}
    assert report["model"]["metric"] == "rmse"
    assert [gate["passed"] for gate in report["gates"]] == [True, True]
    assert report["verdict"] == {"passed": True, "message": "2 of 2 gate conditions hold"}
    documented = (Path(__file__).parents[2] / "docs" / "evaluation.md").read_text()
    assert [key for key in KEYS if f"`{key}`" not in documented] == []


def test_one_failed_condition_refuses(tmp_path: Path) -> None:
    artifact = make_artifact(OciLayout(tmp_path))
    gates = [{"metric": "rmse", "max": 45}, {"metric": "r2", "min": 0.999}]
    assert report_of(tmp_path, regression_table(), artifact, None, gates)["verdict"] == {
        "passed": False,
        "message": "1 of 2 gate conditions hold",
    }


def test_without_gates_a_run_passes_and_says_that_there_were_none(tmp_path: Path) -> None:
    artifact = make_artifact(OciLayout(tmp_path))
    assert report_of(tmp_path, regression_table(), artifact, None)["verdict"] == {
        "passed": True,
        "message": "no gates are declared",
    }
