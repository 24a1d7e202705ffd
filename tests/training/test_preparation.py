from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gnomon.errors import TrainingError
from gnomon.inference.signature import Output
from gnomon.resources.learning import Task
from gnomon.resources.model import Split
from gnomon.training.preparation import prepare_rows, target_values
from gnomon.training.row_source import Wanted
from tests.training.tables import columns_of, prepare

ROWS = 100
FRAME = pl.DataFrame(
    {
        "number": [float(i) for i in range(ROWS)],
        "text": [None if i % 7 == 0 else f"t{i % 3}" for i in range(ROWS)],
        "nothing": pl.Series([None] * ROWS, dtype=pl.Float64),
        "value": [None if i % 10 == 0 else i / 2 for i in range(ROWS)],
        "flag": [i % 4 == 0 for i in range(ROWS)],
        "count": [10 if i % 4 == 0 else 9 for i in range(ROWS)],
        "at": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(hours=i) if i % 9 else None for i in range(ROWS)],
        "constant": [3.0] * ROWS,
        "one": ["a"] * ROWS,
        "row": [f"r{i}" for i in range(ROWS)],
    }
)
FEATURES = ("number", "text")


def test_rows_without_a_target_are_dropped_and_counted() -> None:
    prepared = prepare(FRAME, "regression", "value", features=FEATURES)
    assert prepared.facts.dropped == {"target": 10}
    assert prepared.facts.rows == prepared.table.num_rows == 90
    assert prepared.table.column_names == ["number", "text", "value"]
    assert sorted(prepared.table["number"].to_pylist())[:3] == [1, 2, 3]
    assert prepared.facts.parts == {"train": 58, "validation": 14, "test": 18}


def test_rows_without_a_time_are_dropped_where_time_divides() -> None:
    prepared = prepare(FRAME, "regression", "number", features=("text",), time="at")
    assert prepared.facts.dropped == {"target": 0, "time": 12}
    assert prepared.facts.ordered
    assert prepared.table.column_names == ["at", "text", "number"]
    assert [column.name for column in prepared.facts.inputs] == ["text"]
    drawn = prepare(FRAME, "regression", "number", features=("text",), time="at", split=Split(by="random"))
    assert (drawn.facts.ordered, drawn.facts.time, drawn.facts.dropped) == (False, "at", {"target": 0})


def test_carried_columns_are_in_the_table_and_no_features() -> None:
    plain = prepare(FRAME, "regression", "value", features=FEATURES)
    prepared = prepare(FRAME, "regression", "value", features=FEATURES, carried=("flag", "gone"))
    assert prepared.table.column_names == ["number", "flag", "text", "value"]
    assert prepared.facts == plain.facts
    assert (prepared.parts.test == plain.parts.test).all()


def test_infinite_and_nan_targets_are_missing_ones() -> None:
    frame = FRAME.with_columns(pl.when(pl.col("number") < 5).then(float("inf")).otherwise("number").alias("number"))
    frame = frame.with_columns(pl.when(pl.col("number") == 6).then(float("nan")).otherwise("number").alias("number"))
    assert prepare(frame, "regression", "number", features=("text",)).facts.dropped == {"target": 6}


def test_a_column_with_infinite_numbers_takes_missing_ones() -> None:
    frame = FRAME.with_columns(pl.when(pl.col("number") == 6).then(float("-inf")).otherwise("number").alias("number"))
    wanted = Wanted("regression", "value", ("number", "constant"), Split(), None)
    prepared = prepare_rows(frame.lazy(), columns_of(frame, nullable=False), wanted)
    assert {column.name: column.nullable for column in prepared.facts.inputs} == {"number": True, "constant": False}
    assert np.count_nonzero(np.isnan(prepared.table["number"].to_numpy())) == 1


@pytest.mark.parametrize(
    ("target", "classes"), [("text", ("t0", "t1", "t2")), ("flag", ("false", "true")), ("count", ("9", "10"))]
)
def test_classes_are_named_and_ordered(target: str, classes: tuple[str, ...]) -> None:
    prepared = prepare(FRAME, "classification", target, features=("number",))
    assert prepared.facts.classes == classes
    names = prepared.table[target].to_pylist()
    assert [classes[int(code)] for code in target_values(prepared.table, prepared.facts)] == names
    signature = prepared.facts.signature
    assert signature.outputs == (Output("prediction", "BYTES"), Output("probabilities", "FP32", (len(classes),)))
    assert signature.classes == classes


def test_without_declared_features_every_other_column_is_one() -> None:
    prepared = prepare(FRAME.select("number", "text", "flag"), "regression", "number")
    assert [column.name for column in prepared.facts.inputs] == ["text", "flag"]


def test_the_deviation_is_that_of_the_training_rows() -> None:
    prepared = prepare(FRAME, "regression", "number", features=("text",))
    assert prepared.facts.deviation == pytest.approx(np.std(prepared.table["number"].to_numpy()[prepared.parts.train]))
    assert prepare(FRAME, "classification", "flag", features=("text",)).facts.deviation == 1


@pytest.mark.parametrize(
    ("task", "target", "features", "cause", "mend"),
    [
        ("regression", "nmber", FEATURES, "no column nmber, which is declared as target", "did you mean number"),
        ("regression", "number", ("txt",), "no column txt, which is declared as feature", "did you mean text"),
        ("regression", "number", ("text", "flag", "text"), "feature text is declared twice", "once"),
        ("regression", "number", FEATURES, "the target number is among the features", "without the target"),
        ("regression", "flag", FEATURES, "type boolean, which regression cannot learn", "classification"),
        ("regression", "text", ("number",), "type string, which regression cannot learn", "classification"),
        ("regression", "at", ("number",), "type timestamp, which regression cannot learn", "classification"),
        ("classification", "number", ("text",), "type float64, which names no classes", "regression"),
        ("classification", "at", ("text",), "type timestamp, which names no classes", "regression"),
        ("regression", "nothing", ("text",), "target column nothing is missing in all 100 rows", "mend the source"),
        ("regression", "constant", ("text",), "target constant is 3 in all 64 training rows", "varies"),
        ("classification", "one", ("text",), "target one has 1 class in 100 rows", "2 to 1000"),
        ("regression", "number", ("text", "nothing"), "feature nothing is missing in all 100 rows", "leave it out"),
    ],
)
def test_what_cannot_be_learnt_is_refused_by_name(
    task: Task, target: str, features: tuple[str, ...], cause: str, mend: str
) -> None:
    with pytest.raises(TrainingError) as refused:
        prepare(FRAME, task, target, features=features)
    assert cause in refused.value.cause
    assert mend in refused.value.mend


@pytest.mark.parametrize("scale", [(1e100, 0.0), (1.0, 1e12), (1e308, 0.0)])
def test_a_target_that_float32_cannot_hold_is_refused(scale: tuple[float, float]) -> None:
    factor, shift = scale
    frame = FRAME.select("number", value=(pl.col("number") / ROWS - 0.5) * factor + shift)
    with pytest.raises(TrainingError, match="where the float32 of answers does not tell its values apart"):
        prepare(frame, "regression", "value")


def test_more_than_a_thousand_classes_are_refused() -> None:
    frame = pl.DataFrame({"id": [f"r{i}" for i in range(1200)], "x": [float(i) for i in range(1200)]})
    with pytest.raises(TrainingError, match="target id has 1200 classes in 1200 rows"):
        prepare(frame, "classification", "id")


def test_one_row_and_no_row_are_refused() -> None:
    with pytest.raises(TrainingError, match="1 rows divide into"):
        prepare(FRAME.slice(1, 1), "regression", "number", features=("text",))
    with pytest.raises(TrainingError, match="there are no rows"):
        prepare(FRAME.head(0), "regression", "number", features=("text",))


def test_a_target_alone_is_refused() -> None:
    with pytest.raises(TrainingError, match="no features"):
        prepare(FRAME.select("number"), "regression", "number")
