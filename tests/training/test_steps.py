"""The steps as the pipeline calls them: files in, JSON, arrays, a table and bytes out."""

import hashlib
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from gnomon.data.snapshot import Snapshot, SnapshotFile
from gnomon.errors import TrainingError
from gnomon.inference.encoding import encode_columns
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Predictor
from gnomon.inference.signature import Signature
from gnomon.resources.identity import Digest
from gnomon.training import steps
from gnomon.training.candidates import CandidatePlan
from tests.training.tables import RealTable, columns_of, real_table
from tests.training.test_algorithms import plan


def kept(frame: pl.DataFrame, folder: Path) -> tuple[bytes, list[Path]]:
    """Keep a frame as two Parquet files, and return the snapshot's manifest and the files."""
    half = frame.height // 2
    files = []
    for number, part in enumerate((frame.head(half), frame.tail(frame.height - half))):
        files.append(folder / f"{number}.parquet")
        part.write_parquet(files[-1])
    entries = tuple(SnapshotFile(Digest(f"sha256:{n}"), "parquet", 1, 1) for n in range(2))
    return Snapshot(columns_of(frame), entries, frame.height).to_json(), files


def prepared(table: RealTable, folder: Path) -> dict[str, Any]:
    snapshot, files = kept(table.frame, folder)
    return steps.prepare(
        snapshot=snapshot, files=files, task=table.task, target=table.target, features=[], split={}, time=table.time
    )


def refitted(items: dict[str, Any], candidate: CandidatePlan) -> dict[str, Any]:
    return steps.refit(**items, candidate=candidate.to_json())


def test_prepare_gives_a_table_rows_and_facts(tmp_path: Path) -> None:
    items = prepared(real_table("late"), tmp_path)
    assert items.keys() == {"table", "train", "validation", "test", "facts"}
    table: pa.Table = items["table"]
    types = {field.name: str(field.type) for field in table.schema}
    assert types["scheduled_at"] == "timestamp[us, tz=UTC]"
    assert (types["distance"], types["morning"]) == ("float", "float")
    assert table.schema.field("morning").metadata == {b"kind": b"boolean"}
    assert types["late"].startswith("dictionary<values=string, indices=int32")
    assert all(items[part].dtype == np.int64 for part in ("train", "validation", "test"))
    assert items["facts"]["dropped"]["target"] > 0
    assert json.loads(json.dumps(items["facts"])) == items["facts"]


@pytest.mark.parametrize("name", ["delays", "late", "species"])
@pytest.mark.parametrize("algorithm", ["linear", "lightgbm", "nearest-neighbors", "svm", "xgboost"])
def test_refit_gives_an_artifact_that_reproduces_its_golden_rows(name: str, algorithm: str, tmp_path: Path) -> None:
    table = real_table(name)
    chosen = "logistic" if table.task == "classification" and algorithm == "linear" else algorithm
    made = refitted(prepared(table, tmp_path), plan(table.task, chosen))
    signature = msgspec.convert(made["signature"], Signature)
    golden = msgspec.json.decode(msgspec.json.encode(made["golden"]), type=GoldenRows)
    assert len(golden.prediction) == 64
    replay(Predictor(made["model"], signature), golden)
    for column in signature.inputs:
        values = golden.columns[column.name]
        assert None in values
        assert any(value is not None for value in values)
    assert made["report"]["parity"]["verdict"] == "exact"
    extra = {"xgboost-cpu"} if algorithm == "xgboost" else set()
    assert made["report"]["libraries"].keys() == {"lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn"} | extra


def test_golden_rows_miss_nothing_in_a_column_that_is_not_nullable(tmp_path: Path) -> None:
    table = real_table("wine")
    snapshot, files = kept(table.frame, tmp_path)
    manifest = json.loads(snapshot)
    for column in manifest["columns"]:
        column["nullable"] = column["name"] == "alcohol"
    items = steps.prepare(
        snapshot=json.dumps(manifest).encode(),
        files=files,
        task="classification",
        target="target",
        features=[],
        split={},
        time=None,
    )
    golden = refitted(items, plan("classification", "lightgbm"))["golden"]
    assert None in golden["columns"]["alcohol"]
    assert not any(None in values for name, values in golden["columns"].items() if name != "alcohol")


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    table = real_table("delays")
    made = [refitted(prepared(table, tmp_path), plan("regression", "lightgbm")) for _ in range(2)]
    assert hashlib.sha256(made[0]["model"]).digest() == hashlib.sha256(made[1]["model"]).digest()
    assert made[0]["golden"] == made[1]["golden"]
    assert made[0]["report"] == made[1]["report"]


def test_test_targets_change_nothing(tmp_path: Path) -> None:
    table = real_table("body-mass")
    items = prepared(table, tmp_path)
    names = items["table"].column_names
    target = items["table"]["body_mass_g"].to_numpy().copy()
    target[items["test"]] = -1e9
    scrambled = items | {"table": items["table"].set_column(names.index("body_mass_g"), "body_mass_g", pa.array(target))}
    candidate = plan("regression", "lightgbm")
    assert refitted(items, candidate)["model"] == refitted(scrambled, candidate)["model"]


def test_a_fit_reports_what_was_found_and_how_good_it_is(tmp_path: Path) -> None:
    items = prepared(real_table("late"), tmp_path)
    del items["test"]
    report = steps.fit_candidate(**items, candidate=plan("classification", "lightgbm", n_estimators=500).to_json())["report"]
    assert 1 <= report["found"]["rounds"] < 500
    assert report["params"]["n_estimators"] == 500
    assert report["algorithm"] == "lightgbm"
    assert set(report["metrics"]) == {
        "brier",
        "calibrationError",
        "logLoss",
        "accuracy",
        "balancedAccuracy",
        "f1",
        "precision",
        "recall",
        "rocAuc",
    }
    assert json.loads(json.dumps(report)) == report


def test_one_class_among_the_training_rows_is_refused(tmp_path: Path) -> None:
    frame = pl.DataFrame({"x": [float(i) for i in range(100)], "label": ["a"] * 90 + ["b"] * 10, "at": range(100)})
    frame = frame.with_columns(pl.from_epoch("at").dt.cast_time_unit("us").dt.replace_time_zone("UTC"))
    items = prepared(RealTable(frame, "classification", "label", "at"), tmp_path)
    del items["test"]
    with pytest.raises(TrainingError, match="all 64 training rows are of one class"):
        steps.fit_candidate(**items, candidate=plan("classification", "lightgbm").to_json())


def test_a_request_with_other_rows_is_answered(tmp_path: Path) -> None:
    made = refitted(prepared(real_table("species"), tmp_path), plan("classification", "random-forest"))
    signature = msgspec.convert(made["signature"], Signature)
    columns: dict[str, Any] = {column.name: [None] for column in signature.inputs}
    answers = Predictor(made["model"], signature).predict(encode_columns(signature, columns | {"island": ["Atlantis"]}))
    assert answers["prediction"][0] in {"Adelie", "Chinstrap", "Gentoo"}
    assert answers["probabilities"].sum() == pytest.approx(1, abs=1e-6)
