from gnomon.resources.dataset import ColumnType
from gnomon.resources.expressions.definitions import reached, reads_own_row, resolved
from gnomon.resources.expressions.nodes import Node

TYPES: dict[str, ColumnType] = {"x": "float64", "y": "float64", "s": "string", "at": "timestamp"}


def nodes_of(**definitions: str) -> dict[str, Node]:
    nodes, errors = resolved(definitions, TYPES)
    assert not errors
    return nodes


def causes_of(**definitions: str) -> dict[str, str]:
    return {name: error.cause for name, error in resolved(definitions, TYPES)[1].items()}


def test_a_feature_may_name_one_that_stands_below_it() -> None:
    nodes = nodes_of(twice="half * 4", half="x / 2")
    assert nodes["twice"] == nodes_of(twice="(x / 2) * 4")["twice"]


def test_a_feature_that_looks_back_is_a_column_to_those_that_name_it() -> None:
    nodes = nodes_of(before="lag(x, 1, by=s)", change="x - before")
    assert nodes["before"].is_batch
    assert not nodes["change"].is_batch
    assert nodes["change"].columns() == ("x", "before")


def test_circles_are_told_and_what_leans_on_them_is_left_out() -> None:
    causes = causes_of(a="b + 1", b="c + 1", c="a + x", d="a + 1", e="x + 1", f="f")
    assert set(causes) == {"a", "b", "c", "f"}
    assert causes["f"] == "the feature needs itself: f -> f"
    assert "->" in causes["a"]
    assert set(resolved({"d": "a + 1", "a": "a", "e": "x"}, TYPES)[0]) == {"e"}


def test_names_of_columns_and_constants_alone_are_refused() -> None:
    causes = causes_of(x="y + 1", one="1 + 1", gone="z")
    assert causes["x"] == 'a column of the dataset is called "x" too'
    assert causes["one"] == "the feature reads no column"
    assert causes["gone"] == "there is no column or feature z at character 1"


def test_features_that_double_each_other_again_and_again_are_refused_before_they_fill_memory() -> None:
    chain = {"f0": "x + x"} | {f"f{step}": f"f{step - 1} + f{step - 1}" for step in range(1, 40)}
    _, errors = resolved(chain, TYPES)
    assert list(errors) == ["f9"]
    assert "more than 2,000 parts" in errors["f9"].cause


def test_only_what_is_named_is_reached() -> None:
    definitions = {"a": "b + x", "b": "y * 2", "c": "x"}
    assert reached(["a", "x"], definitions) == {"a": "b + x", "b": "y * 2"}


def test_lag_alone_does_not_see_its_own_row() -> None:
    nodes = nodes_of(now="x + 1", before="lag(x, 1)", mean="rolling_mean(x, 3)", past="rolling_mean(lag(x, 1), 3)")
    assert {name: reads_own_row(node, "x") for name, node in nodes.items()} == {
        "now": True, "before": False, "mean": True, "past": False
    }  # fmt: skip
