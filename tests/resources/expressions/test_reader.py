from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.resources.expressions.checker import typed
from gnomon.resources.expressions.nodes import column
from gnomon.resources.expressions.reader import MAX_CALLS, MAX_CHARACTERS, MAX_DEPTH, Call, Constant, Name, parse
from gnomon.resources.expressions.tokens import ExpressionError
from tests.strategies.expressions import COLUMNS, EXPRESSIONS

NAMES = {name: column(name, kind) for name, kind in COLUMNS.items()}


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("1 + x * 2", "1 + (x * 2)"),
        ("x - y - n", "(x - y) - n"),
        ("not late and late or late", "((not late) and late) or late"),
        ("x + 1 < y * 2 and late", "((x + 1) < (y * 2)) and late"),
        ("-x * y", "(-x) * y"),
        ("x in [1, -2]", "(x in [1, -2])"),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, same: str) -> None:
    assert typed(parse(text), NAMES) == typed(parse(same), NAMES)


def test_names_in_backticks_may_hold_anything_else() -> None:
    assert parse("`dep delay (min)` + 1") == Call("+", (Name("dep delay (min)", 0), Constant(1.0, 20)), 18)


def test_texts_may_hold_quotes_and_backslashes() -> None:
    assert parse(r'"a\"b\\\n"') == Constant('a"b\\\n', 0)
    assert parse("'it is \"quoted\"'") == Constant('it is "quoted"', 0)


@pytest.mark.parametrize(
    ("text", "place", "cause", "mend"),
    [
        ("", 1, "the expression is empty", "distance / air_time"),
        ("x +", 4, "ends where a value is missing", "complete it"),
        ("x + * y", 5, "there is * where a value is missing", "docs/features.md"),
        ("x y", 3, "there is y where an operator is missing", "docs/features.md"),
        ("x = 1", 3, "there is a single =", "compare with =="),
        ("x & y", 3, "there is a '&'", "write and"),
        ("x % 2", 3, "there is a '%'", "use floor"),
        ("x; y", 2, "there is a ';'", "quote texts"),
        ("1 < x < 2", 7, "a comparison follows a comparison", "join the two with and"),
        ("'abc", 1, "a text or name that begins with ' does not end", "close it"),
        (r'"a\q"', 1, r"the text holds \q", "a backslash"),
        ('"a\0b"', 1, "a character that no text may hold", "leave it out"),
        ("flor(x)", 1, "there is no function flor", "did you mean floor?"),
        ("__import__('os')", 1, "there is no function __import__", "the functions are if, fill"),
        ("x.real", 2, "there is a '.'", "quote texts"),
        ("clip(x, 1)", 1, "clip is given 2 values", "clip(x, low, high)"),
        ("min(x)", 1, "min is given 1 value", "min(x, y, …)"),
        ("abs(x, by=s)", 8, "abs takes no by", "only lag and the rolling functions"),
        ("lag(x, 1, by=1)", 14, "there is 1 where a column is missing", "docs/features.md"),
        ("x in s", 6, "there is s where a list such as [1, 2] is missing", "docs/features.md"),
        ("x in [1, y]", 10, "there is y where a constant", "docs/features.md"),
        ("map(s, {'a' 1})", 13, 'there is 1 where ":" is missing', "docs/features.md"),
        ("1e999", 1, "1e999 is too large", "smaller"),
        ("(x", 3, 'ends where ")" is missing', "complete it"),
    ],
)
def test_a_mistake_is_told_with_its_place(text: str, place: int, cause: str, mend: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    assert cause in caught.value.cause
    assert caught.value.cause.endswith(f"at character {place}")
    assert mend in caught.value.mend


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("(" * (MAX_DEPTH + 1) + "x" + ")" * (MAX_DEPTH + 1), "levels lie within each other"),
        ("-" * (MAX_DEPTH + 1) + "x", "signs follow each other"),
        ("not " * (MAX_DEPTH + 1) + "late", "signs follow each other"),
        ("+".join(["x"] * (MAX_CALLS + 2)), "operators and functions"),
        (" " * (MAX_CHARACTERS + 1), "characters"),
        ("x in [" + ",".join(["1"] * 1001) + "]", "more than 1,000 values"),
    ],
)
def test_what_is_too_large_is_refused_before_anything_overflows(text: str, cause: str) -> None:
    with pytest.raises(ExpressionError, match=cause):
        parse(text)


@settings(max_examples=60, deadline=None)
@given(st.text(st.sampled_from("xyns at(),+-*/<>=![]{}:'\"`.019 eandotifmap\\\n")), EXPRESSIONS)
def test_whatever_is_written_is_an_expression_or_told_as_a_mistake(noise: str, text: str) -> None:
    for written in (noise, text[: len(text) // 2] + noise + text[len(text) // 2 :], noise + text):
        with suppress(ExpressionError):
            typed(parse(written), NAMES)
