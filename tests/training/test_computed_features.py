"""Features as expressions through the steps that make a model: a request carries raw columns alone."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from gnomon.errors import TrainingError
from gnomon.inference.encoding import encode_columns
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Predictor
from gnomon.inference.signature import Signature
from gnomon.pipeline.values import keep_result, read_result
from gnomon.resources.learning import Algorithm, Task
from gnomon.resources.model import Candidate, ModelSpec, Split
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.training import steps
from gnomon.training.candidates import expand
from gnomon.training.forecasting import Forecast
from gnomon.training.made_columns import made_columns
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import Prepared, prepare_rows
from gnomon.training.row_source import Wanted
from tests.training.tables import columns_of, real_table

DEFINITIONS = {
    "speed": "distance / air_time",
    "is_late": "dep_delay > 15",
    "hour": "hour(scheduled_at)",
    "route": "concat(origin, '-', dest)",
    "weekend": "if(weekday(scheduled_at) >= 6, 1, 0) + 0 * hour",
    "slow": "speed < 5 and not morning",
}
FEATURES = ("carrier", "speed", "is_late", "route", "weekend", "slow", "dep_delay")


def prepared(features: tuple[str, ...], definitions: dict[str, str], name: str = "delays", **given: Any) -> Prepared:
    table = real_table(name)
    wanted = Wanted(
        table.task, table.target, features, Split(), given.pop("time", table.time), definitions=definitions, **given
    )
    return prepare_rows(table.frame.lazy(), columns_of(table.frame), wanted)


def refitted(made: Prepared, algorithm: str, params: dict[str, Any]) -> dict[str, Any]:
    parts = {name: getattr(made.parts, name) for name in ("train", "validation", "test")}
    candidate = {"algorithm": algorithm, "params": params}
    return steps.refit(table=made.table, **parts, facts=msgspec.to_builtins(made.facts), candidate=candidate)


def test_a_request_carries_the_columns_that_expressions_reach_and_no_others() -> None:
    facts = prepared(FEATURES, DEFINITIONS).facts
    assert {column.name for column in facts.inputs} == {
        "carrier", "dep_delay", "distance", "air_time", "scheduled_at", "origin", "dest", "morning"
    }  # fmt: skip
    assert [column.name for column in facts.features] == list(FEATURES)


@pytest.mark.parametrize(
    ("name", "algorithm", "params"),
    [
        ("delays", "ridge", {"alpha": 1.0}),
        ("late", "lightgbm", {"n_estimators": 20, "learning_rate": 0.1, "num_leaves": 15}),
    ],
)
def test_the_graph_computes_features_from_raw_columns(name: str, algorithm: Algorithm, params: dict[str, Any]) -> None:
    task: Task = real_table(name).task
    spec = ModelSpec(task=task, dataset="d", target="t", candidates=(Candidate(algorithm=algorithm, params=params),))
    made = prepared(FEATURES, DEFINITIONS, name)
    result = refitted(made, algorithm, dict(expand(spec)[0].params))
    assert result["report"]["parity"]["verdict"] == "exact"
    signature = msgspec.convert(result["signature"], Signature)
    golden = msgspec.json.decode(msgspec.json.encode(result["golden"]), type=GoldenRows)
    predictor = Predictor(result["model"], signature)
    replay(predictor, golden)
    assert "speed" not in golden.columns
    raw = real_table(name).frame.head(50)
    request = {column.name: raw[column.name].to_list() for column in signature.inputs}
    faster = request | {"distance": [None if value is None else value * 3 for value in request["distance"]]}
    answers, others = (list(predictor.predict(encode_columns(signature, sent)).values())[-1] for sent in (request, faster))
    assert (answers != others).any()


def test_features_that_look_back_are_columns_of_a_request() -> None:
    definitions = {
        "before": "lag(arr_delay, 1, by=carrier)",
        "usual": "rolling_mean(dep_delay, 3, by=[carrier, origin])",
        "change": "dep_delay - before",
    }
    made = prepared(("before", "usual", "change"), definitions)
    assert [column.name for column in made.facts.inputs] == ["before", "usual", "dep_delay"]
    frame = real_table("delays").frame.filter(pl.col("scheduled_at").is_not_null()).sort("scheduled_at", maintain_order=True)
    expected = frame.with_columns(before=pl.col("arr_delay").shift(1).over("carrier")).filter(pl.col("arr_delay").is_not_null())
    ordered = np.concatenate([made.parts.train, made.parts.validation, made.parts.test])
    before = made.table["before"].to_numpy()[ordered]
    np.testing.assert_array_equal(before, expected["before"].cast(pl.Float32).to_numpy())
    change = made.table["change"].to_numpy()
    np.testing.assert_array_equal(change, (made.table["dep_delay"].to_numpy() - made.table["before"].to_numpy()))


@pytest.mark.parametrize(
    ("features", "definitions", "cause"),
    [
        (("speed",), {"speed": "distance / airtime"}, "feature speed: there is no column or feature airtime at character 12"),
        (("easy",), {"easy": "arr_delay * 2"}, "feature easy is computed from the target arr_delay of its own row"),
        (("easy",), {"hidden": "arr_delay + 1", "easy": "hidden * 2"}, "feature easy is computed from the target"),
        (("mean",), {"mean": "rolling_mean(arr_delay, 3)"}, "feature mean is computed from the target"),
        (("a",), {"a": "b + 1", "b": "a + 1"}, "the feature needs itself"),
        (("distance",), {"distance": "air_time"}, 'a column of the dataset is called "distance" too'),
        (("never",), {"never": "sqrt(-1 - distance * distance)"}, "feature never is missing in all"),
        (("speed", "gone"), {"speed": "distance"}, "no column gone, which is declared as feature"),
    ],
)
def test_features_that_cannot_be_are_refused(features: tuple[str, ...], definitions: dict[str, str], cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        prepared(features, definitions)


def test_looking_back_needs_a_time() -> None:
    with pytest.raises(TrainingError, match="looks at earlier rows, but the dataset declares no time column"):
        prepared(("before",), {"before": "lag(dep_delay, 1)"}, time=None)


def test_preparing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    store = DiskObjectStore(tmp_path / "objects")
    kept = [keep_result({"table": prepared(FEATURES, DEFINITIONS).table}, store, tmp_path) for _ in range(2)]
    assert kept[0] == kept[1]
    table = read_result(kept[0], "table", store)
    raw = matrices_of(table, prepared(FEATURES, DEFINITIONS).facts.features)
    assert not raw.floats.flags.owndata
    assert not raw.floats.flags.writeable


BUILD = """
import polars as pl

def build(rows):
    assert "arr_delay" not in rows.columns
    return rows.with_columns(
        ratio=pl.col("dep_delay") / (pl.col("distance") + LARGE),
        busy=pl.len().over("origin"),
        mark=pl.lit("x") + pl.col("origin"),
    )

LARGE = 10

def fewer(rows):
    return rows.head(5)

def sorted_rows(rows):
    return rows.sort("distance").with_columns(one=1)

def nothing(rows):
    return rows

def lists(rows):
    return rows.with_columns(parts=pl.concat_list("distance"))

def failing(rows):
    return rows.lazy().with_columns(one=pl.col("gone"))

def number(rows):
    return 5
"""


def made_by(name: str, folder: Path) -> pl.DataFrame | None:
    (folder / "build.py").write_text(BUILD)
    table = real_table("delays")
    return made_columns(table.frame.lazy(), [{"python": f"build.py:{name}", "code": "c"}], table.target, str(folder))


def test_columns_that_a_function_makes_are_inputs_and_features(tmp_path: Path) -> None:
    made = made_by("build", tmp_path)
    assert made is not None
    table = real_table("delays")
    definitions = {"twice": "ratio * 2", "last": "lag(ratio, 1)"}
    wanted = Wanted(table.task, table.target, ("twice", "last", "carrier"), Split(), table.time, definitions=definitions)
    prepared = prepare_rows(table.frame.lazy(), columns_of(table.frame), wanted, made)
    assert [column.name for column in prepared.facts.inputs] == ["last", "carrier", "ratio", "busy", "mark"]
    assert [column.name for column in prepared.facts.features] == ["twice", "last", "carrier", "ratio", "busy", "mark"]
    ratio, twice = (prepared.table[name].to_numpy() for name in ("ratio", "twice"))
    np.testing.assert_array_equal(twice, ratio * 2)
    delay, distance = (real_table("delays").frame[name] for name in ("dep_delay", "distance"))
    known = real_table("delays").frame["arr_delay"].is_not_null()
    expected = (delay / (distance + 10)).filter(known).cast(pl.Float32)
    assert sorted(ratio[~np.isnan(ratio)]) == sorted(expected.drop_nulls().to_list())


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("fewer", "returned 5 rows for 6000"),
        ("sorted_rows", "returned other values in the column scheduled_at, which it was given"),
        ("nothing", "added no column"),
        ("lists", "made the column parts of type List"),
        ("failing", "returned a query that fails"),
        ("number", "returned int"),
    ],
)
def test_a_function_that_makes_no_features_is_refused(name: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=cause):
        made_by(name, tmp_path)


def test_a_forecast_takes_columns_that_a_function_makes(tmp_path: Path) -> None:
    days = pl.datetime_range(pl.datetime(2024, 1, 1), pl.datetime(2024, 6, 1), "1d", time_zone="UTC", eager=True)
    frame = pl.DataFrame({"day": days, "sold": [float(row % 7) for row in range(len(days))]}).sample(
        fraction=1, shuffle=True, seed=1
    )
    (tmp_path / "build.py").write_text("def build(rows):\n    return rows.with_columns(closed=rows['day'].dt.weekday() == 7)\n")
    made = made_columns(frame.lazy(), [{"python": "build.py:build", "code": "c"}], "sold", str(tmp_path))
    wanted = Wanted("forecasting", "sold", (), Split(), "day", forecast=Forecast(1))
    prepared = prepare_rows(frame.lazy(), columns_of(frame), wanted, made)
    assert {"day", "closed", "sold_lag_1"} <= {column.name for column in prepared.facts.inputs}
    weekday = pl.Series(prepared.table["day"]).dt.weekday().to_numpy()
    np.testing.assert_array_equal(prepared.table["closed"].to_numpy() == 1, weekday == 7)
