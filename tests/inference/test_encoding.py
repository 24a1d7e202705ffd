import math
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import ArtifactError, InputError
from gnomon.inference.encoding import Encoder, encode_columns
from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, InputColumn, Matrix, Output, Signature

_MATRICES: dict[str, Matrix] = {
    "float": "floats", "integer": "floats", "boolean": "floats", "timestamp": "ints", "string": "strings",
}  # fmt: skip
_FLOATS = st.none() | st.floats(width=32, allow_infinity=False)
_INTEGERS = st.none() | st.integers(-(2**63), 2**63 - 1)
_JSON = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text()
    | st.lists(st.integers())
    | st.binary()
)


def _signature(*columns: tuple[str, ColumnKind, bool]) -> Signature:
    counts = {"floats": 0, "ints": 0, "strings": 0}
    inputs = []
    for name, kind, nullable in columns:
        matrix = _MATRICES[kind]
        inputs.append(InputColumn(name, kind, matrix, counts[matrix], nullable))
        counts[matrix] += 1
    return Signature("regression", "y", tuple(inputs), (Output("prediction", "FP32"),))


ALL = _signature(
    ("f", "float", True), ("i", "integer", True), ("b", "boolean", True), ("t", "timestamp", True), ("s", "string", True)
)
REQUIRED = _signature(
    ("f", "float", False), ("i", "integer", False), ("b", "boolean", False), ("t", "timestamp", False), ("s", "string", False)
)


def _row(**changes: Any) -> dict[str, Sequence[Any]]:
    row = {"f": 1.0, "i": 1, "b": True, "t": 1, "s": "a"} | changes
    return {name: [value] for name, value in row.items()}


def test_the_feed_holds_each_kind_in_its_matrix() -> None:
    feed = encode_columns(
        ALL, {"f": [1.5, None], "i": [2, None], "b": [True, None], "t": ["1970-01-01T00:00:01Z", None], "s": ["ä", None]}
    )
    assert feed["floats"].dtype == np.float32
    np.testing.assert_array_equal(feed["floats"], [[1.5, 2, 1], [np.nan, np.nan, np.nan]])
    assert feed["floats"].flags.c_contiguous
    assert feed["ints"].dtype == np.int64
    assert feed["ints"].tolist() == [[1_000_000], [MISSING_TIMESTAMP]]
    assert feed["strings"].dtype == object
    assert feed["strings"].tolist() == [["ä"], [""]]


def test_matrices_that_no_column_needs_are_absent() -> None:
    assert encode_columns(_signature(("s", "string", True)), {"s": ["a"]}).keys() == {"strings"}


@given(
    st.lists(st.tuples(_FLOATS, _INTEGERS, st.none() | st.booleans(), _INTEGERS, st.none() | st.text()), min_size=1, max_size=6)
)
@settings(max_examples=80)
def test_lists_and_arrays_and_tuples_give_the_same_feed(rows: list[tuple[Any, ...]]) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate("fibts")}
    feed = encode_columns(ALL, columns)
    objects = encode_columns(ALL, {name: np.array([*values, None], dtype=object)[:-1] for name, values in columns.items()})
    tuples = encode_columns(ALL, {name: tuple(values) for name, values in columns.items()})
    for name, matrix in feed.items():
        np.testing.assert_array_equal(matrix, objects[name])
        np.testing.assert_array_equal(matrix, tuples[name])


@given(st.lists(st.tuples(*[_JSON] * 5), min_size=1, max_size=4))
@settings(max_examples=200)
def test_any_values_give_a_feed_or_an_error_that_names_a_column(rows: list[tuple[Any, ...]]) -> None:
    columns = {name: [row[place] for row in rows] for place, name in enumerate("fibts")}
    for signature in (ALL, REQUIRED):
        cause = ""
        try:
            feed = encode_columns(signature, columns)
        except InputError as error:
            feed, cause = {}, error.cause
        assert cause.startswith("column '") or not np.isinf(feed["floats"]).any()
        assert {matrix.shape[0] for matrix in feed.values()} <= {len(rows)}


@given(st.lists(st.floats(width=32, allow_infinity=False), min_size=1), st.sampled_from(["f4", "f8"]))
@settings(max_examples=50)
def test_float_arrays_go_in_as_they_are(values: list[float], dtype: str) -> None:
    feed = encode_columns(_signature(("f", "float", True)), {"f": np.array(values, dtype=dtype)})
    np.testing.assert_array_equal(feed["floats"][:, 0], np.array(values, dtype=np.float32))


@given(st.lists(st.tuples(*[_JSON] * 5), min_size=1, max_size=6))
@settings(max_examples=150)
def test_one_row_alone_is_encoded_as_among_others(rows: list[tuple[Any, ...]]) -> None:
    def outcome(columns: dict[str, list[Any]]) -> tuple[Any, ...]:
        try:
            feed = encoder.encode(columns)
        except InputError as error:
            return (error.cause,)
        return tuple(repr(matrix[:1].tolist()) for matrix in feed.values())

    for signature in (ALL, REQUIRED):
        encoder = Encoder(signature)
        for row in rows:
            alone = {name: [row[place]] for place, name in enumerate("fibts")}
            twice = {name: values * 2 for name, values in alone.items()}
            assert outcome(alone) == outcome(twice)


def test_numpy_dtypes_are_taken_by_what_they_hold() -> None:
    feed = encode_columns(
        ALL,
        {
            "f": np.array([1, 2], dtype=np.uint8),
            "i": np.array([1.0, np.nan]),
            "b": np.array([True, False]),
            "t": np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
            "s": np.array(["a", "bc"]),
        },
    )
    np.testing.assert_array_equal(feed["floats"], [[1, 1, 1], [2, np.nan, 0]])
    assert feed["ints"][:, 0].tolist() == [1_767_225_600_000_000, MISSING_TIMESTAMP]
    assert feed["strings"][:, 0].tolist() == ["a", "bc"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"f": "1.5"}, "column 'f', row 0: the value is text ('1.5')"),
        ({"f": True}, "column 'f', row 0: the value is a boolean"),
        ({"f": 1e39}, "column 'f', row 0: the value is out of range"),
        ({"f": math.inf}, "column 'f', row 0: the value is out of range"),
        ({"f": 10**400}, "column 'f', row 0: the value is out of range"),
        ({"f": [1]}, "column 'f', row 0: the value is a list"),
        ({"i": 1.5}, "column 'i', row 0: the value is not a whole number"),
        ({"i": 2**63}, "column 'i', row 0: the value is out of range"),
        ({"i": -(2**63) - 1}, "column 'i', row 0: the value is out of range"),
        ({"i": -math.inf}, "column 'i', row 0: the value is out of range"),
        ({"b": 2}, "column 'b', row 0: the value is an integer"),
        ({"b": "true"}, "column 'b', row 0: the value is text ('true')"),
        ({"t": "yesterday"}, "column 't', row 0: the value is text ('yesterday'), which is no time of 64 bits"),
        ({"t": 2**63}, "column 't', row 0: the value is an integer, which is no time of 64 bits"),
        ({"t": True}, "column 't', row 0: the value is a boolean, which is no time of 64 bits"),
        ({"s": 5}, "column 's', row 0: the value is an integer"),
        ({"s": "\ud800"}, "column 's', row 0: the value holds half of a surrogate pair"),
        ({"s": b"\xff"}, "column 's', row 0: the value is not UTF-8"),
    ],
)
def test_a_value_that_does_not_fit_is_named(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError) as caught:
        encode_columns(ALL, _row(**changes))
    assert caught.value.cause == told
    assert caught.value.mend


@pytest.mark.parametrize(
    ("column", "array"),
    [
        ("i", np.array([0.5])),
        ("i", np.array([2**63], dtype=np.uint64)),
        ("f", np.array([1e300])),
        ("f", np.array(["a"])),
        ("f", np.array([[1.0]])),
        ("b", np.array([3])),
        ("t", np.array([2**63], dtype=np.uint64)),
        ("t", np.array([1j])),
        ("s", np.array([1])),
    ],
)
def test_an_array_that_does_not_fit_is_named(column: str, array: Any) -> None:
    with pytest.raises(InputError, match=f"column '{column}'"):
        encode_columns(ALL, _row() | {column: array})


@pytest.mark.parametrize("column", ["f", "i", "b", "t", "s"])
@pytest.mark.parametrize("missing", [None, math.nan])
def test_missing_is_refused_where_the_column_is_not_nullable(column: str, missing: float | None) -> None:
    encode_columns(ALL, _row(**{column: missing}))
    with pytest.raises(InputError, match=f"column '{column}', row 0: the value is missing"):
        encode_columns(REQUIRED, _row(**{column: missing}))


def test_columns_that_are_missing_extra_ragged_or_empty_are_named() -> None:
    signature = _signature(("a", "float", True), ("b", "float", True))
    cases: list[tuple[dict[str, Any], str]] = [
        ({"a": [1]}, "column 'b' is missing"),
        ({}, "columns 'a', 'b' are missing"),
        ({"a": [1], "b": [1], "c": [1], "d": [1]}, "columns 'c', 'd' are not inputs of this model"),
        ({"a": [1], "b": [1], "c": [1]}, "column 'c' is not an input of this model"),
        ({"a": [1, 2], "b": [1]}, "column 'b' has 1 rows, column 'a' has 2"),
        ({"a": [], "b": []}, "columns 'a', 'b' have no rows"),
        ({"a": [1], "b": "x"}, "column 'b' is one text"),
        ({"a": [1], "b": np.ones((1, 1))}, "column 'b' has shape [1, 1]"),
    ]
    for columns, told in cases:
        with pytest.raises(InputError) as caught:
            encode_columns(signature, columns)
        assert caught.value.cause == told


def test_dates_and_datetimes_are_times() -> None:
    signature = _signature(("t", "timestamp", False))
    feed = encode_columns(signature, {"t": [datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), date(1970, 1, 2)]})
    assert feed["ints"][:, 0].tolist() == [1_000_000, 86_400_000_000]


def test_a_signature_whose_columns_do_not_fill_its_matrices_is_refused() -> None:
    for column in (InputColumn("a", "float", "floats", 1), InputColumn("a", "string", "floats", 0)):
        with pytest.raises(ArtifactError, match="signature"):
            Encoder(Signature("regression", "y", (column,), ()))
