import pytest

from gnomon.resources.expressions.checker import typed
from gnomon.resources.expressions.nodes import column
from gnomon.resources.expressions.reader import parse
from gnomon.resources.expressions.tokens import ExpressionError
from tests.strategies.expressions import COLUMNS

NAMES = {name: column(name, kind) for name, kind in COLUMNS.items()}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("x", "number"),
        ("late", "truth"),
        ("late + late", "number"),
        ("if(late, missing, at)", "time"),
        ('map(n, {1: "one"})', "text"),
        ("lag(s, 1)", "text"),
        ("rolling_count(s, 3)", "number"),
        ("max(late, x)", "number"),
    ],
)
def test_every_expression_has_a_type(text: str, kind: str) -> None:
    assert typed(parse(text), NAMES).type == kind


@pytest.mark.parametrize(
    ("text", "place", "cause", "mend"),
    [
        ("x + air", 5, "there is no column or feature air", "the columns and features are"),
        ("dayy > at", 1, "there is no column or feature dayy", "did you mean day?"),
        ("s + 1", 1, "+ needs a number and is given a text", "make a number of it with map"),
        ("at - day", 1, "- needs a number and is given a time", "elapsed"),
        ("if(x, 1, 2)", 4, "if needs a truth and is given a number", "compare it: x > 0"),
        ("if(late, 1, 'a')", 13, "if needs a number and is given a text", "make a number of it"),
        ("s < t", 3, "< compares numbers and times, not a text", "use == or !="),
        ("x == missing", 6, "nothing compares with missing", "ask with is_missing"),
        ("s == ''", 6, "there is an empty text", "is_missing"),
        ("map(s, {'': 1})", 9, "there is an empty text", "leave it out"),
        ("fill(missing, 1)", 6, "missing stands where its type is not known", "use it beside a value"),
        ("is_missing(x > 1)", 14, "given a condition, which is never missing", "ask for a value"),
        ("clip(x, 2, 1)", 1, "clip has the bounds 2 and 1", "lower one first"),
        ("bucket(x, [1, 1])", 11, "the edges of bucket do not rise", "write each once"),
        ("bucket(x, 3)", 11, "bucket is given no list", "in brackets"),
        ("map(x, 3)", 8, "map is given no pairs", "in braces"),
        ("map(x, {1: 2, 1: 3})", 8, "map says twice what 1.0 becomes", "keep one"),
        ("map(x, {'a': 2})", 9, "the constants are not all of type number", "write numbers only"),
        ("map(s, {'a': 2}, x)", 18, "the default of map is no constant", "fill the map"),
        ("map(at, {1: 2})", 1, "map takes a number or a text, not a time", "use if"),
        ("x in ['a']", 7, "the constants are not all of type number", "write numbers only"),
        ("x + [1]", 5, "there is [ where a value is missing", "docs"),
        ("year(x)", 6, "year needs a time and is given a number", "give it a time"),
        ("year(s)", 6, "year needs a time and is given a text", "declare the column as timestamp"),
        ("elapsed(at, day, 'weeks')", 18, "elapsed is given no unit", "'seconds', 'minutes', 'hours', 'days'"),
        ("time('yesterday')", 6, "'yesterday' is no time", "2026-01-31"),
        ("time(s)", 6, "time needs a quoted text", "2026-01-31"),
        ("lag(x, 0)", 8, "lag looks back 0 rows", "write 1 to 100,000"),
        ("lag(x, 1.5)", 8, "lag needs a whole number of rows", "lag(x, 7)"),
        ("lag(x, n)", 8, "lag needs a whole number of rows", "lag(x, 7)"),
        ("lag(x, 1, by=z)", 14, "by names z, which is no column", "name columns"),
        ("rolling_mean(s, 3)", 14, "rolling_mean needs a number", "make a number of it"),
    ],
)
def test_what_does_not_fit_is_told_with_its_place(text: str, place: int, cause: str, mend: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        typed(parse(text), NAMES)
    assert cause in caught.value.cause
    assert caught.value.cause.endswith(f"at character {place}")
    assert mend in caught.value.mend
