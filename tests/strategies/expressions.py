"""Expressions of every type over six columns, and rows at the edges of what the columns may hold."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from gnomon.resources.dataset import ColumnType

COLUMNS: Mapping[str, ColumnType] = {
    "x": "float64",
    "y": "float32",
    "n": "int64",
    "late": "boolean",
    "at": "timestamp",
    "day": "date",
    "s": "string",
    "t": "string",
}

_DAY = 86_400_000_000
_NUMBERS = st.one_of(
    st.sampled_from([None, 0.0, -0.0, 1.0, -1.0, 0.5, 1e-40, 3.4e38, -3.4e38, 1e39, 16_777_217.0]),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
    st.integers(-4, 4).map(float),
)
_WHOLE = st.one_of(st.sampled_from([None, 0, -1, 2**63 - 1, -(2**63), 2**24 + 1]), st.integers(-9, 9))
_MOMENTS = st.one_of(
    st.sampled_from(
        [None, 0, -1, 951_782_400_000_000, 1_709_251_199_999_999, -62_135_596_800_000_000, 253_402_300_799_999_999]
    ),
    st.integers(-4_000_000_000_000_000, 4_000_000_000_000_000),
)
_DAYS = _MOMENTS.map(lambda stamp: None if stamp is None else stamp // _DAY * _DAY)
_TEXTS = st.sampled_from([None, "a", "b", "A", "é", "never seen", "1"])

ROWS: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.fixed_dictionaries(
        {
            "x": _NUMBERS,
            "y": _NUMBERS,
            "n": _WHOLE,
            "late": st.sampled_from([None, True, False]),
            "at": _MOMENTS,
            "day": _DAYS,
            "s": _TEXTS,
            "t": _TEXTS,
        }
    ),
    min_size=1,
    max_size=8,
)
"""Rows of raw values; timestamps are microseconds of the UTC epoch."""

_CONSTANTS = st.sampled_from(["0", "1", "-1", "2.5", "-0.0", "1e300", "0.1", "3"])
_WORDS = st.sampled_from(['"a"', '"b"', '"é"', "'x y'"])


def _in_brackets(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda values: form.format(*values))


def numbers(depth: int) -> st.SearchStrategy[str]:
    """Expressions of numbers."""
    simple = st.one_of(st.sampled_from(["x", "y", "n"]), _CONSTANTS)
    if not depth:
        return simple
    number, truth, moment, text = numbers(depth - 1), truths(depth - 1), moments(depth - 1), texts(depth - 1)
    return st.one_of(
        simple,
        st.tuples(number, st.sampled_from("+-*/"), number).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(st.sampled_from(["abs", "floor", "sqrt", "log1p", "-"]), number).map(lambda parts: "{}({})".format(*parts)),
        _in_brackets("if({}, {}, {})", truth, number, st.one_of(number, st.just("missing"))),
        _in_brackets("fill({}, {})", number, number),
        _in_brackets("min({}, {})", number, number),
        _in_brackets("max({}, {}, {})", number, number, number),
        _in_brackets("clip({}, -1, 2.5)", number),
        _in_brackets("clip({}, {}, {})", number, st.just("x"), number),
        _in_brackets("bucket({}, [-1, 0, 2.5, 1e30])", number),
        _in_brackets('map({}, {{"a": 1, "é": -0.25}}, 7)', text),
        _in_brackets('map({}, {{"a": 1, "b": missing}})', text),
        _in_brackets("map({}, {{0: 0.1, 1: 2, -1: missing}}, -9)", number),
        _in_brackets("elapsed({}, {}, 'hours')", moment, moment),
        _in_brackets("elapsed({}, time('2024-02-29'), 'seconds')", moment),
        st.tuples(st.sampled_from(["year", "month", "day", "weekday", "dayofyear", "hour", "minute"]), moment).map(
            lambda parts: "{}({})".format(*parts)
        ),
        _in_brackets("({} + {})", truth, number),
    )


def truths(depth: int) -> st.SearchStrategy[str]:
    """Conditions."""
    simple = st.sampled_from(["late", "true", "false"])
    if not depth:
        return simple
    number, truth, moment, text = numbers(depth - 1), truths(depth - 1), moments(depth - 1), texts(depth - 1)
    compare = st.sampled_from(["<", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        simple,
        st.tuples(number, compare, number).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(moment, compare, moment).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(text, st.sampled_from(["==", "!="]), text).map(lambda parts: "({} {} {})".format(*parts)),
        st.tuples(truth, st.sampled_from(["and", "or", "==", "!="]), truth).map(lambda parts: "({} {} {})".format(*parts)),
        _in_brackets("(not {})", truth),
        _in_brackets("is_missing({})", st.one_of(number, moment, text, st.just("late"))),
        _in_brackets("fill(late, {})", truth),
        _in_brackets('({} in ["a", "A"])', text),
        _in_brackets("({} in [1, 0, -1])", number),
        _in_brackets("if({}, {}, {})", truth, truth, truth),
    )


def moments(depth: int) -> st.SearchStrategy[str]:
    """Expressions of times."""
    simple = st.sampled_from(["at", "day", 'time("2024-02-29T23:59:59.999999+02:00")', 'time("0001-01-01")'])
    if not depth:
        return simple
    truth, moment = truths(depth - 1), moments(depth - 1)
    return st.one_of(simple, _in_brackets("fill({}, {})", moment, moment), _in_brackets("if({}, {}, missing)", truth, moment))


def texts(depth: int) -> st.SearchStrategy[str]:
    """Expressions of texts."""
    simple = st.one_of(st.sampled_from(["s", "t"]), _WORDS)
    if not depth:
        return simple
    number, truth, text = numbers(depth - 1), truths(depth - 1), texts(depth - 1)
    return st.one_of(
        simple,
        _in_brackets("concat({}, '-', {})", text, text),
        _in_brackets("fill({}, {})", text, text),
        _in_brackets("if({}, {}, {})", truth, text, text),
        _in_brackets('map({}, {{"a": "z", "b": missing}}, "other")', text),
        _in_brackets('map({}, {{0: "z", 1: "one"}})', number),
    )


EXPRESSIONS = st.one_of(numbers(3), truths(3), moments(2), texts(3))
