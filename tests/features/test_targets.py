"""One feature, three ways to compute it: all give the same bits."""

from typing import Any

import numpy as np
import polars as pl
from hypothesis import assume, given, settings

from gnomon.features.graph import FLOAT, INT64, STRING, GraphBuilder
from gnomon.features.in_onnx import emit_feature
from gnomon.features.in_polars import polars_expression
from gnomon.features.in_python import row_function
from gnomon.inference.encoding import encode_columns
from gnomon.inference.session import make_session
from gnomon.inference.signature import MISSING_TIMESTAMP, Signature
from gnomon.resources.expressions.checker import typed
from gnomon.resources.expressions.nodes import Node, column
from gnomon.resources.expressions.reader import parse
from gnomon.training.matrices import input_columns
from tests.strategies.expressions import COLUMNS, EXPRESSIONS, ROWS

NAMES = {name: column(name, kind) for name, kind in COLUMNS.items()}
INPUTS = input_columns((name, kind, True) for name, kind in COLUMNS.items())
DTYPES: dict[str, Any] = {
    "float64": pl.Float64,
    "float32": pl.Float64,
    "int64": pl.Int64,
    "boolean": pl.Boolean,
    "timestamp": pl.Int64,
    "date": pl.Int64,
    "string": pl.String,
}


def by_polars(node: Node, rows: list[dict[str, Any]]) -> list[Any]:
    frame = pl.DataFrame(rows, schema={name: DTYPES[kind] for name, kind in COLUMNS.items()}).with_columns(
        pl.col("at", "day").cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    )
    values = frame.select(value=polars_expression(node))["value"]
    return (values.dt.epoch("us") if node.type == "time" else values).to_list()


def by_onnx(node: Node, rows: list[dict[str, Any]]) -> list[Any]:
    graph = GraphBuilder()
    for name, element, width in (("floats", FLOAT, 4), ("ints", INT64, 2), ("strings", STRING, 2)):
        graph.add_input(name, element, width)
    value = emit_feature(graph, node, {each.name: each for each in INPUTS})
    graph.add_output("value", value, {"time": INT64, "text": STRING}.get(node.type, FLOAT), [1])
    signature = Signature("regression", "y", INPUTS, ())
    # What no float32 holds is refused by a request, and missing in a table.
    sent = [
        {name: None if isinstance(value, float) and abs(value) > 3.5e38 else value for name, value in row.items()}
        for row in rows
    ]
    feed = encode_columns(signature, {name: [row[name] for row in sent] for name in COLUMNS})
    session = make_session(graph.build())
    taken = {each.name for each in session.get_inputs()}
    answers = session.run(["value"], {name: matrix for name, matrix in feed.items() if name in taken})[0]
    assert answers.shape == (len(rows), 1)
    nothing = {"time": MISSING_TIMESTAMP, "text": ""}.get(node.type)
    return [None if value == nothing or value != value else value for value in answers[:, 0].tolist()]  # noqa: PLR0124 - NaN


def by_python(node: Node, rows: list[dict[str, Any]]) -> list[Any]:
    compute = row_function(node)
    values = [compute(row) for row in rows]
    return [float(value) if isinstance(value, bool) else value for value in values]


def bits(values: list[Any]) -> list[Any]:
    """Return numbers as bytes; the sign of zero, which no feature and no model can tell, is left out."""
    return [np.float32(value + 0.0).tobytes() if isinstance(value, float) else value for value in values]


def agree(text: str, rows: list[dict[str, Any]]) -> list[Any]:
    node = typed(parse(text), NAMES)
    expected = by_python(node, rows)
    assert bits(by_polars(node, rows)) == bits(expected), text
    assert bits(by_onnx(node, rows)) == bits(expected), text
    return expected


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, ROWS)
def test_tables_graphs_and_functions_give_the_same_bits(text: str, rows: list[dict[str, Any]]) -> None:
    assume(typed(parse(text), NAMES).columns())
    agree(text, rows)
