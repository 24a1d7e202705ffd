from datetime import UTC, datetime

import numpy as np
import polars as pl

from gnomon.estimators.rows import frame_of
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn


def test_user_code_sees_columns_by_name_in_plain_types_with_missing_values() -> None:
    inputs = (
        InputColumn("text", "string", "strings", 0),
        InputColumn("number", "float", "floats", 1),
        InputColumn("count", "integer", "floats", 0),
        InputColumn("at", "timestamp", "ints", 0),
        InputColumn("flag", "boolean", "floats", 2),
    )
    feed = {
        "floats": np.array([[3, 1.5, 1], [np.nan, np.nan, np.nan], [-(2.0**53), np.inf, 0], [np.inf, 0, 1]], np.float32),
        "ints": np.array([[0], [MISSING_TIMESTAMP], [1_000_000], [-1]]),
        "strings": np.array([["a"], [""], ["b"], ["∅"]], object),
    }
    frame = frame_of(inputs, feed)
    assert frame.schema == {
        "text": pl.String,
        "number": pl.Float64,
        "count": pl.Int64,
        "at": pl.Datetime("us", "UTC"),
        "flag": pl.Boolean,
    }
    assert frame["text"].to_list() == ["a", None, "b", "∅"]
    assert frame["count"].to_list() == [3, None, -(2**53), None]
    assert frame["flag"].to_list() == [True, None, False, True]
    assert frame["at"].to_list()[:2] == [datetime(1970, 1, 1, tzinfo=UTC), None]
    assert np.isnan(frame["number"][1])
