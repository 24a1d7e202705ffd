from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from gnomon.errors import InputError
from gnomon.inference.encoding import encode_columns
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Output, Signature
from gnomon.registry.frames import columns_of

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = int(NOON.timestamp()) * 1_000_000
SIGNATURE = Signature(
    task="regression",
    target="y",
    inputs=(
        InputColumn("f", "float", "floats", 0),
        InputColumn("i", "integer", "floats", 1),
        InputColumn("b", "boolean", "floats", 2),
        InputColumn("t", "timestamp", "ints", 0),
        InputColumn("s", "string", "strings", 0),
    ),
    outputs=(Output("prediction", "FP32"),),
)
NAMES = [column.name for column in SIGNATURE.inputs]
FULL: dict[str, Any] = {"f": [1.5, 2.5], "i": [3, 4], "b": [True, False], "t": [NOON, NOON], "s": ["a", "Zürich"]}
GAPS: dict[str, Any] = {"f": [1.5, None], "i": [None, 4], "b": [True, None], "t": [NOON, None], "s": [None, "Zürich"]}

TABLES: dict[str, Any] = {
    "mapping": dict,
    "pandas": pd.DataFrame,
    "pandas nullable": lambda columns: pd.DataFrame(columns).convert_dtypes(),
    "pandas arrow": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": pl.DataFrame,
    "arrow": pa.table,
}


def encoded(table: Any) -> dict[str, np.ndarray]:
    return encode_columns(SIGNATURE, columns_of(table, NAMES))


@pytest.mark.parametrize("kind", TABLES)
def test_every_kind_of_table_is_read_alike(kind: str) -> None:
    feed = encoded(TABLES[kind](FULL))
    np.testing.assert_array_equal(feed["floats"], np.array([[1.5, 3, 1], [2.5, 4, 0]], dtype=np.float32))
    assert feed["ints"].tolist() == [[STAMP], [STAMP]]
    assert feed["strings"].tolist() == [["a"], ["Zürich"]]


@pytest.mark.parametrize("kind", TABLES)
def test_missing_values_of_every_kind_of_table_are_missing(kind: str) -> None:
    feed = encoded(TABLES[kind](GAPS))
    np.testing.assert_array_equal(feed["floats"], np.array([[1.5, np.nan, 1], [np.nan, 4, np.nan]], dtype=np.float32))
    assert feed["ints"].tolist() == [[STAMP], [MISSING_TIMESTAMP]]
    assert feed["strings"].tolist() == [[""], ["Zürich"]]


def test_categories_are_read_as_their_text() -> None:
    for table in (pd.DataFrame(FULL).astype({"s": "category"}), pl.DataFrame(FULL).cast({"s": pl.Categorical})):
        assert encoded(table)["strings"].tolist() == [["a"], ["Zürich"]]


def test_a_structured_array_is_a_table() -> None:
    array = np.array([(1.5, 3, True, "2026-11-22T12:00", "a")], dtype="f8,i8,?,M8[us],U8")
    array.dtype.names = ("f", "i", "b", "t", "s")
    assert encoded(array)["ints"].tolist() == [[STAMP]]
    assert encoded(array[0].copy())["strings"].tolist() == [["a"]]


@pytest.mark.parametrize("kind", TABLES)
def test_columns_that_the_model_does_not_read_are_not_looked_at(kind: str) -> None:
    table = TABLES[kind](FULL | {"y": [1, 2]})
    assert list(columns_of(table, ["i", "f"])) == ["i", "f"]


@pytest.mark.parametrize("kind", TABLES)
def test_a_missing_column_is_named_by_the_encoder(kind: str) -> None:
    table = TABLES[kind]({name: values for name, values in FULL.items() if name != "b"})
    with pytest.raises(InputError, match="'b'"):
        encoded(table)


@pytest.mark.parametrize("data", [3, "text", None, [1, 2], np.zeros((2, 5))])
def test_what_is_no_table_is_refused(data: Any) -> None:
    with pytest.raises(InputError):
        columns_of(data, NAMES)


@pytest.mark.parametrize("value", [1.5, "text", None])
def test_a_single_value_is_not_a_column(value: Any) -> None:
    with pytest.raises(InputError, match="column 'f' is a single value"):
        columns_of({"f": value}, ["f"])
