"""The SQL expression of a check is parsed, and refused unless it is one expression that reads from the table ``data`` alone.

What is refused here the database could not do either (see `gnomon.data.checks`), but a clear answer is better.
"""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb

from gnomon.errors import DataError
from gnomon.resources.dataset import Check

MEND = "write one SQL expression over the table data that is true or false, such as count(*) >= 1000"
_SHOWN_CHARACTERS = 300
_CONDITIONS = {"OPERATOR_IS_NULL", "OPERATOR_IS_NOT_NULL", "OPERATOR_NOT", "COMPARE_IN", "COMPARE_NOT_IN"}
_CONDITION_CLASSES = {"COMPARISON", "CONJUNCTION", "BETWEEN"}


@dataclass(frozen=True)
class Expression:
    """A check's expression.

    Args:
        sql: What is to be run.
        columns: Every name in it, in lower case, as any of them may be a column; None where it takes all columns.
        sides: The two sides of a comparison as people read them and as they are run; empty for anything else.
    """

    sql: str
    columns: frozenset[str] | None
    sides: tuple[tuple[str, str], ...]


def parse(check: Check, booleans: Collection[str], database: duckdb.DuckDBPyConnection) -> Expression:
    """Return the parsed expression of a check; ``avg`` of a condition is made the share of rows in which it holds.

    Args:
        check: What is declared.
        booleans: Which columns are of type boolean.
        database: Any connection; nothing is run on it but DuckDB's own parser.

    Raises:
        DataError: It is not one expression, or reads from anything but ``data``.
    """
    try:
        ((serialized,),) = database.execute("SELECT json_serialize_sql(?)", [f"SELECT {check.expr}\n"]).fetchall()
    except duckdb.Error as error:
        raise refused(check, shortened(str(error))) from error
    tree: dict[str, Any] = json.loads(serialized)
    if tree["error"]:
        told = str(tree.get("error_message", "it cannot be parsed"))
        raise refused(check, "it is not one expression" if told.startswith("Only SELECT") else shortened(told))
    nodes = [statement["node"] for statement in tree["statements"]]
    if len(nodes) != 1 or not _is_one_expression(nodes[0]):
        raise refused(check, "it is not one expression")
    (expression,) = nodes[0]["select_list"]
    inner = list(_nodes(expression))
    for node in inner:
        _require_harmless(check, node)
    statement = _Statement(nodes[0], frozenset(name.lower() for name in booleans), database)
    runnable = statement.with_means_of_conditions(expression)
    sides: tuple[tuple[str, str], ...] = ()
    if expression["class"] == "COMPARISON":
        sides = tuple((statement.sql(expression[side]), statement.sql(runnable[side])) for side in ("left", "right"))
    return Expression(statement.sql(runnable), _names(inner), sides)


def refused(check: Check, why: str, mend: str = MEND) -> DataError:
    """Return the error that a check cannot be run."""
    return DataError(f"check {check.name} cannot be run: {why}", mend)


def shortened(text: str) -> str:
    """Return the first paragraph of ``text`` in one line of bearable length."""
    first = " ".join(text.split("\n\n", 1)[0].split())
    return first if len(first) <= _SHOWN_CHARACTERS else f"{first[:_SHOWN_CHARACTERS]}…"


@dataclass(frozen=True)
class _Statement:
    """The statement around an expression, as DuckDB's parser gives it."""

    node: dict[str, Any]
    booleans: frozenset[str]
    database: duckdb.DuckDBPyConnection

    def sql(self, expression: dict[str, Any]) -> str:
        """Return the SQL of an expression."""
        alone = {"error": False, "statements": [{"node": self.node | {"select_list": [expression]}, "named_param_map": []}]}
        ((sql,),) = self.database.execute("SELECT json_deserialize_sql(?::JSON)", [json.dumps(alone)]).fetchall()
        return str(sql).removeprefix("SELECT ").replace("count_star()", "count(*)")

    def with_means_of_conditions(self, tree: Any) -> Any:
        """Return the tree with conditions within ``avg`` as numbers: DuckDB has a sum of conditions, but no mean."""
        if isinstance(tree, list):
            return [self.with_means_of_conditions(child) for child in tree]
        if not isinstance(tree, dict):
            return tree
        changed = {name: self.with_means_of_conditions(child) for name, child in tree.items()}
        if tree.get("class") == "FUNCTION" and tree["function_name"] in {"avg", "mean"}:
            for argument in changed["arguments"]:
                if self._is_condition(argument["expression"]):
                    argument["expression"] = self._as_number(argument["expression"])
        return changed

    def _is_condition(self, expression: dict[str, Any]) -> bool:
        if expression["class"] == "COLUMN_REF":
            return str(expression["column_names"][-1]).lower() in self.booleans
        return expression["class"] in _CONDITION_CLASSES or expression["type"] in _CONDITIONS

    def _as_number(self, expression: dict[str, Any]) -> dict[str, Any]:
        ((serialized,),) = self.database.execute("SELECT json_serialize_sql('SELECT CAST(0 AS DOUBLE)')").fetchall()
        cast: dict[str, Any] = json.loads(serialized)["statements"][0]["node"]["select_list"][0]
        return cast | {"child": expression}


def _is_one_expression(node: dict[str, Any]) -> bool:
    return (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and not node["select_list"][0]["alias"]
        and node["from_table"]["type"] == "EMPTY"
        and not any(node[part] for part in ("where_clause", "having", "qualify", "sample", "modifiers", "group_expressions"))
        and not node["cte_map"]["map"]
    )


def _require_harmless(check: Check, node: dict[str, Any]) -> None:
    if node.get("type") == "TABLE_FUNCTION":
        name = node["function"].get("function_name", "a table function")
        raise refused(check, f"it reads from {name}(), but only the table data can be read")
    if node.get("type") == "BASE_TABLE":
        where = [node["catalog_name"], node["schema_name"], node["table_name"]]
        if [part.lower() for part in where] != ["", "", "data"]:
            raise refused(check, f"it reads from {'.'.join(filter(None, where))}, but only the table data can be read")
    if node.get("cte_map", {}).get("map"):
        raise refused(check, "it declares a table of its own")


def _names(nodes: list[dict[str, Any]]) -> frozenset[str] | None:
    if any(node.get("class") == "STAR" for node in nodes):
        return None
    return frozenset(name.lower() for node in nodes if node.get("class") == "COLUMN_REF" for name in node["column_names"])


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)
