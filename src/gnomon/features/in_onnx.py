"""A feature becomes nodes of a graph, in front of the model: a request carries raw columns alone.

Numbers are float64 in between, [N, 1]; missing is NaN, the empty text, or ``MISSING_TIMESTAMP``.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from gnomon.features.calendar_parts import EARLIEST, LATEST, emit_calendar_part, emit_is_missing
from gnomon.features.conventions import CALENDAR_PARTS, pairing_of, refused_batch
from gnomon.features.graph import DOUBLE, FLOAT, INT64, ML, GraphBuilder, cast
from gnomon.features.logarithm import emit_log1p
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn
from gnomon.resources.expressions.nodes import Node, ValueType


def emit_feature(graph: GraphBuilder, node: Node, inputs: Mapping[str, InputColumn]) -> str:
    """Emit a feature from the graph's inputs, [N, 1]: float32, int64 of a time, or a string.

    Args:
        graph: The graph, with its inputs declared.
        node: The feature.
        inputs: Where each raw column is.

    Raises:
        ManifestError: The feature needs other rows than its own.
    """
    emitter = _Emitter(graph, inputs)
    value = emitter.value(node)
    if node.type == "truth":
        return cast(graph, value, FLOAT)
    return emitter.finite(cast(graph, value, FLOAT), np.float32) if node.type == "number" else value


class _Emitter:
    def __init__(self, graph: GraphBuilder, inputs: Mapping[str, InputColumn]) -> None:
        self._graph = graph
        self._inputs = inputs

    def value(self, node: Node) -> str:  # noqa: C901, PLR0912 - one case for each operation
        """Emit any node."""
        graph = self._graph
        arguments = [self.value(argument) for argument in node.arguments]
        match node.op:
            case "constant":
                return self._constant(node.value, node.type)
            case "column":
                return self._column(self._inputs[str(node.value)])
            case "less" | "at_most" | "equal":
                compared = graph.node(_COMPARISONS[node.op], *arguments)
                return compared if node.arguments[0].type == "number" else self._where_both_known(compared, node, arguments)
            case "missing":
                return self._missing(arguments[0], node.arguments[0].type)
            case "elapsed":
                between = cast(graph, graph.node("Sub", arguments[1], arguments[0]), DOUBLE)
                exact = graph.node("Div", between, self._number(node.value))
                return self._unless_missing(exact, node, arguments)
            case "part":
                number = cast(graph, emit_calendar_part(graph, arguments[0], CALENDAR_PARTS[node.value]), DOUBLE)
                return self._unless_missing(number, node, arguments)
            case "map":
                return self._mapped(node, arguments[0])
            case "bucket":
                reached = graph.node("GreaterOrEqual", arguments[0], self._row(node.value))
                count = graph.node("ReduceSum", cast(graph, reached, DOUBLE), graph.integers(1), keepdims=1)
                return self._unless_missing(count, node, arguments)
            case "concat":
                return self._concat(node, arguments)
            case "log1p":
                return emit_log1p(graph, arguments[0])
            case "number":
                return cast(graph, arguments[0], DOUBLE)
            case op if op in _SAFE:
                return graph.node(_SAFE[op], *arguments)
            case op if op in _ARITHMETIC:
                return self.finite(graph.node(_ARITHMETIC[op], *arguments), np.float64)
            case _:
                raise refused_batch(node)

    def finite(self, number: str, dtype: type[np.floating[Any]]) -> str:
        """Emit a number that is missing where it is infinite."""
        nothing = self._graph.constant(np.array(np.nan, dtype=dtype))
        return self._graph.node("Where", self._graph.node("IsInf", number), nothing, number)

    def _number(self, value: object) -> str:
        return self._graph.constant(np.array(value, dtype=np.float64))

    def _row(self, values: object) -> str:
        return self._graph.constant(np.array([values], dtype=np.float64))

    def _constant(self, value: Any, kind: ValueType) -> str:
        match kind:
            case "number":
                return self._graph.constant(np.array([[np.nan if value is None else value]], dtype=np.float64))
            case "truth":
                return self._graph.constant(np.array([[value]], dtype=np.bool_))
            case "time":
                moment = MISSING_TIMESTAMP if value is None else min(max(value, EARLIEST), LATEST)
                return self._graph.constant(np.array([[moment]], dtype=np.int64))
            case "text":
                return self._graph.constant(np.array([[value or ""]], dtype=object))

    def _column(self, column: InputColumn) -> str:
        graph = self._graph
        raw = graph.node("Gather", column.matrix, graph.integers(column.index), axis=1)
        match column.matrix:
            case "floats":
                return self.finite(cast(graph, raw, DOUBLE), np.float64)
            case "ints":
                held = graph.node("Clip", raw, graph.constant(np.array(EARLIEST)), graph.constant(np.array(LATEST)))
                return graph.node("Where", emit_is_missing(graph, raw), graph.integers(MISSING_TIMESTAMP), held)
            case "strings":
                return raw

    def _missing(self, value: str, kind: ValueType) -> str:
        match kind:
            case "time":
                return emit_is_missing(self._graph, value)
            case "text":
                return self._graph.node("Equal", value, self._graph.constant(np.array([""], dtype=object)))
            case _:
                return self._graph.node("IsNaN", value)

    def _any_missing(self, node: Node, arguments: list[str]) -> str:
        missing = [self._missing(value, part.type) for value, part in zip(arguments, node.arguments, strict=True)]
        whole = missing[0]
        for each in missing[1:]:
            whole = self._graph.node("Or", whole, each)
        return whole

    def _unless_missing(self, number: str, node: Node, arguments: list[str]) -> str:
        return self._graph.node("Where", self._any_missing(node, arguments), self._number(np.nan), number)

    def _where_both_known(self, compared: str, node: Node, arguments: list[str]) -> str:
        return self._graph.node("And", compared, self._graph.node("Not", self._any_missing(node, arguments)))

    def _mapped(self, node: Node, value: str) -> str:
        """Emit the place of a value among the keys, and what stands at that place; after the last, what the others become."""
        graph, pairing = self._graph, pairing_of(node)
        count = len(pairing.keys)
        if node.arguments[0].type == "text":
            place = graph.node(
                "LabelEncoder",
                value,
                domain=ML,
                keys_strings=list(pairing.keys),
                values_int64s=list(range(count)),
                default_int64=count,
            )
        else:
            equal = cast(graph, graph.node("Equal", value, self._row(pairing.keys)), INT64)
            before_end = graph.node("Mul", equal, graph.constant(np.arange(-count, 0)[np.newaxis]))
            place = graph.node("Add", graph.node("ReduceSum", before_end, graph.integers(1), keepdims=1), graph.integers(count))
        results = (*pairing.values, pairing.default)
        if node.type == "text":
            return graph.node("Gather", graph.constant(np.array([each or "" for each in results], dtype=object)), place)
        return graph.node("Gather", graph.constant(np.array(results, dtype=np.float64)), place)

    def _concat(self, node: Node, arguments: list[str]) -> str:
        joined = arguments[0]
        for each in arguments[1:]:
            joined = self._graph.node("StringConcat", joined, each)
        nothing = self._graph.constant(np.array([""], dtype=object))
        return self._graph.node("Where", self._any_missing(node, arguments), nothing, joined)


_COMPARISONS: Mapping[str, str] = {"less": "Less", "at_most": "LessOrEqual", "equal": "Equal"}
_SAFE: Mapping[str, str] = {
    "abs": "Abs",
    "floor": "Floor",
    "sqrt": "Sqrt",
    "and": "And",
    "or": "Or",
    "not": "Not",
    "choose": "Where",
}
"""Operators that make nothing infinite of what is finite."""
_ARITHMETIC: Mapping[str, str] = {"add": "Add", "subtract": "Sub", "multiply": "Mul", "divide": "Div"}
