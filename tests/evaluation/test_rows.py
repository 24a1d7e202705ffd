from datetime import UTC, date, datetime

import numpy as np
import pyarrow as pa
import pytest

from gnomon.errors import DataError, InputError
from gnomon.evaluation.rows import request_columns, row_times, single_requests, spread_rows, target_rows
from gnomon.inference.encoding import encode_columns
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Output, Signature

EVERY_KIND = Signature(
    task="regression",
    target="y",
    inputs=(
        InputColumn("f", "float", "floats", 0),
        InputColumn("i", "integer", "floats", 1),
        InputColumn("b", "boolean", "floats", 2),
        InputColumn("t", "timestamp", "ints", 0),
        InputColumn("d", "timestamp", "ints", 1),
        InputColumn("s", "string", "strings", 0),
    ),
    outputs=(Output("prediction", "FP32"),),
)
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
TABLE = pa.table(
    {
        "f": pa.array([1.5, None], pa.float32()),
        "i": pa.array([None, 2], pa.int32()),
        "b": pa.array([True, None]),
        "t": pa.array([None, NOON], pa.timestamp("ns", "UTC")),
        "d": pa.array([date(1970, 1, 2), None], pa.date32()),
        "s": pa.array([None, "Zürich"], pa.large_string()),
        "y": pa.array([1.0, 2.0]),
    }
)


def test_every_kind_with_missing_values_is_encoded_as_serving_does() -> None:
    feed = encode_columns(EVERY_KIND, request_columns(TABLE, EVERY_KIND))
    np.testing.assert_array_equal(feed["floats"], np.array([[1.5, np.nan, 1], [np.nan, 2, np.nan]], dtype=np.float32))
    stamp = int(NOON.timestamp()) * 1_000_000
    assert feed["ints"].tolist() == [[MISSING_TIMESTAMP, 86_400_000_000], [stamp, MISSING_TIMESTAMP]]
    assert feed["strings"].tolist() == [[""], ["Zürich"]]


def test_columns_without_missing_values_come_as_arrays() -> None:
    columns = request_columns(TABLE.slice(0, 1).select(["f", "b"]), _of("f", "b"))
    assert all(isinstance(values, np.ndarray) for values in columns.values())


def test_one_row_is_sent_as_plain_values() -> None:
    requests = single_requests(request_columns(TABLE, EVERY_KIND), 2)
    assert requests[1]["s"] == ["Zürich"]
    assert type(requests[0]["f"][0]) is float
    for request in requests:
        encode_columns(EVERY_KIND, request)


def test_single_rows_are_spread_over_all_rows() -> None:
    rows = spread_rows(pa.table({"x": np.arange(1000.0)}), 5)
    assert rows["x"].to_pylist() == [0.0, 249.0, 499.0, 749.0, 999.0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InputError, match="no column 'i'"):
        request_columns(TABLE.drop_columns(["i"]), EVERY_KIND)


@pytest.mark.parametrize("name", ["f", "i", "b", "t", "s"])
def test_another_kind_of_value_is_refused_by_name(name: str) -> None:
    other = pa.array([{"a": 1}, None])
    with pytest.raises(InputError, match=f"column '{name}' holds struct"):
        request_columns(TABLE.set_column(TABLE.column_names.index(name), name, other), EVERY_KIND)


def test_whole_floats_are_integers_and_others_are_refused_by_row() -> None:
    """A table that gains its first missing value often turns its integers into floats."""
    whole, broken = (TABLE.set_column(1, "i", pa.array([None, value], pa.float64())) for value in (2.0, 2.5))
    assert encode_columns(EVERY_KIND, request_columns(whole, EVERY_KIND))["floats"][1, 1] == 2
    with pytest.raises(InputError, match="column 'i', row 1: the value is not a whole number"):
        encode_columns(EVERY_KIND, request_columns(broken, EVERY_KIND))


def test_text_is_not_taken_for_numbers() -> None:
    with pytest.raises(InputError, match="'f' holds string"):
        request_columns(TABLE.set_column(0, "f", pa.array(["1", "2"])), EVERY_KIND)


def test_rows_keep_their_order_and_lose_those_without_target() -> None:
    table = pa.table({"y": pa.array([1.0, None, 3.0, 4.0])})
    rows, without = target_rows(table, "y", np.array([3, 1, 0]))
    assert rows.column("y").to_pylist() == [4.0, 1.0]
    assert without == 1
    with pytest.raises(DataError):
        target_rows(table, "y", np.array([1]))


def test_times_are_those_of_the_named_column_or_of_the_first_timestamp() -> None:
    table = TABLE.slice(1, 1)
    stamp = int(NOON.timestamp()) * 1_000_000
    for facts in ({"time": "t"}, {}, {"time": "gone"}):
        times = row_times(table, EVERY_KIND, facts)
        assert times is not None
        assert times.tolist() == [stamp]
    assert row_times(TABLE, EVERY_KIND, {}) is None
    assert row_times(table, _of("f", "b"), {}) is None


def _of(*names: str) -> Signature:
    kept = [column for column in EVERY_KIND.inputs if column.name in names]
    return Signature("regression", "y", tuple(kept), EVERY_KIND.outputs)
