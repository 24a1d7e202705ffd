from datetime import UTC, date, datetime

import numpy as np
import polars as pl

from gnomon.inference.encoding import encode_columns
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Output, Signature
from gnomon.training.matrices import input_columns, matrices_of
from tests.training.tables import columns_of, prepare, real_table


def test_columns_go_to_the_matrix_of_their_kind_in_their_order() -> None:
    types = ("float64", "string", "boolean", "timestamp", "int32", "string", "date")
    inputs = input_columns((str(number), kind, number == 0) for number, kind in enumerate(types))  # type: ignore[misc]  # literals
    assert [(column.kind, column.matrix, column.index) for column in inputs] == [
        ("float", "floats", 0),
        ("string", "strings", 0),
        ("boolean", "floats", 1),
        ("timestamp", "ints", 0),
        ("integer", "floats", 2),
        ("string", "strings", 1),
        ("timestamp", "ints", 1),
    ]
    assert inputs[0] == InputColumn(name="0", kind="float", matrix="floats", index=0, nullable=True)
    assert not inputs[1].nullable


def test_missing_values_have_their_one_form_in_each_matrix() -> None:
    frame = pl.DataFrame(
        {
            "number": [1.5, None, float("nan")],
            "flag": [True, None, False],
            "text": ["a", None, ""],
            "day": [date(1970, 1, 2), None, date(1969, 12, 31)],
            "at": [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), None, datetime(1969, 12, 31, tzinfo=UTC)],
        }
    )
    inputs = input_columns((column.name, column.type, True) for column in columns_of(frame))
    raw = matrices_of(frame.to_arrow(compat_level=pl.CompatLevel.oldest()), inputs)
    np.testing.assert_array_equal(raw.floats, np.array([[1.5, 1], [np.nan, np.nan], [np.nan, 0]], np.float32))
    assert raw.strings.tolist() == [["a"], [""], [""]]
    day = 86_400_000_000
    assert raw.ints.tolist() == [[day, 1_000_000], [MISSING_TIMESTAMP, MISSING_TIMESTAMP], [-day, -day]]


def test_training_sees_the_very_matrices_that_a_request_becomes() -> None:
    table = real_table("delays")
    frame = table.frame.with_row_index("row").cast({"row": pl.Int64})
    prepared = prepare(frame, "regression", "arr_delay", time="scheduled_at")
    raw = matrices_of(prepared.table, prepared.facts.inputs)
    signature = Signature("regression", "t", prepared.facts.inputs, (Output("prediction", "FP32"),))
    rows = frame[prepared.table["row"].to_numpy().astype(np.int64)]
    feed = encode_columns(signature, {column.name: rows[column.name].to_list() for column in prepared.facts.inputs})
    np.testing.assert_array_equal(raw.floats, feed["floats"])
    np.testing.assert_array_equal(raw.ints, feed["ints"])
    np.testing.assert_array_equal(raw.strings, feed["strings"])
