"""Held-out and made-up rows become golden rows: raw values, and the answers of the graph that will be served."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.inference.encoding import encode_columns
from gnomon.inference.golden import GoldenRows
from gnomon.inference.session import Answering
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn
from gnomon.training.matrices import Matrices, concatenated
from gnomon.training.outputs import is_steady
from gnomon.training.parity import column_edges, edge_rows

ROWS = 64
_EDGES = 24

_ATOL = 1e-5
_RTOL = 1e-5
_LEAST_LEAD = 1e-3
"""By how much the likeliest class or the nearest cluster must lead, so that no other processor's rounding names another."""


def golden_rows(predictor: Answering, sample: Matrices, deviation: float, seed: int, threshold: float = 0.0) -> GoldenRows:
    """Return up to 64 rows, about a third of them made-up edge cases, with the answers of ``predictor``.

    Args:
        predictor: The graph, under the options with which it is served.
        sample: Held-out rows.
        deviation: Unit of the absolute tolerance: the standard deviation of the target or of the answers, 1 for classes.
        seed: Start of the made-up mixture.
        threshold: The score above which a row is anomalous.
    """
    inputs = predictor.signature.inputs
    edges = allowed(edge_rows(inputs, sample, seed), inputs)
    real = allowed(sample.take(_evenly(np.arange(len(sample)), 4 * ROWS)), inputs)
    candidates = concatenated([edges, real])
    answers = predictor.predict(encode_columns(predictor.signature, _raw_columns(candidates, inputs)))
    steady = np.flatnonzero(is_steady(predictor.signature, answers, threshold, _LEAST_LEAD))
    made_up = steady[steady < len(edges)]
    covering = made_up[_covering(_edges_held(edges.take(made_up), inputs, sample), _EDGES)]
    chosen = np.concatenate([covering, _evenly(steady[steady >= len(edges)], ROWS - len(covering))])
    return GoldenRows(
        columns=_raw_columns(candidates.take(chosen), inputs),
        prediction=answers["prediction"][chosen].tolist(),
        probabilities=answers["probabilities"][chosen].tolist() if "probabilities" in answers else [],
        outputs={name: answers[name][chosen].tolist() for name in answers if name not in {"prediction", "probabilities"}},
        atol=float(f"{_ATOL * deviation:.3g}"),
        rtol=_RTOL,
    )


def _evenly(indices: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return at most ``most`` of the indices, evenly spaced."""
    return indices[np.linspace(0, len(indices) - 1, min(most, len(indices))).astype(np.int64)]


def _edges_held(rows: Matrices, inputs: Sequence[InputColumn], sample: Matrices) -> NDArray[np.bool_]:
    """Return which row is at which edge of which column, (rows, edges of all columns)."""
    held = [
        np.isnan(values) if isinstance(edge, float) and np.isnan(edge) else values == edge
        for column in inputs
        for values in [getattr(rows, column.matrix)[:, column.index]]
        for edge in column_edges(column, sample)
    ]
    return np.stack(held, axis=1).astype(np.bool_)


def _covering(held: NDArray[np.bool_], most: int) -> NDArray[np.int64]:
    """Return few rows that hold as many edges as possible: always the row next that adds most."""
    chosen: list[int] = []
    left = held.any(axis=0)
    while len(chosen) < most and left.any():
        chosen.append(int((held & left).sum(axis=1).argmax()))
        left &= ~held[chosen[-1]]
    return np.array(chosen, dtype=np.int64)


def allowed(rows: Matrices, inputs: Sequence[InputColumn]) -> Matrices:
    """Return the rows that a request may carry: nothing is missing in a column that is not nullable."""
    allowed = np.ones(len(rows), dtype=np.bool_)
    for column in inputs:
        if not column.nullable:
            allowed &= np.array([value is not None for value in _values(rows, column)], dtype=np.bool_)
    return rows.take(np.flatnonzero(allowed))


def _raw_columns(rows: Matrices, inputs: Sequence[InputColumn]) -> dict[str, list[Any]]:
    """Return raw values by column name, as a JSON request carries them."""
    return {column.name: _values(rows, column) for column in inputs}


def _values(rows: Matrices, column: InputColumn) -> list[Any]:
    values = getattr(rows, column.matrix)[:, column.index].tolist()
    match column.kind:
        case "string":
            return [value or None for value in values]
        case "timestamp":
            return [None if value == MISSING_TIMESTAMP else value for value in values]
        case kind:
            convert = {"float": float, "integer": int, "boolean": bool}[kind]
            return [convert(value) if np.isfinite(value) else None for value in values]
