"""Small graphs for the tests: emit something, run it."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import FLOAT, GraphBuilder
from gnomon.inference.session import make_session
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import declare_inputs


def run_emitted(emit: Callable[[GraphBuilder], str], raw: Matrices, width: int, element_type: int = FLOAT) -> NDArray[Any]:
    """Return what the emitted value is on these rows, (N, width)."""
    graph = GraphBuilder()
    declare_inputs(graph, raw)
    graph.add_output("value", emit(graph), element_type, [width])
    return np.asarray(make_session(graph.build()).run(["value"], raw.feed)[0])


def numbers(floats: NDArray[Any]) -> Matrices:
    """Return rows of nothing but numbers, (N, F), as float32 copies."""
    nothing = np.zeros((len(floats), 0))
    return Matrices.of(np.array(floats, dtype=np.float32), nothing.astype(np.int64), nothing.astype(object))


def same_bits(left: NDArray[np.float32], right: NDArray[np.float32]) -> bool:
    """Return whether two arrays hold the same numbers; zeros with the same sign, any NaN like any other."""
    missing = np.isnan(left)
    return bool(
        left.shape == right.shape
        and left.dtype == right.dtype
        and np.array_equal(missing, np.isnan(right))
        and np.array_equal(left[~missing].view(np.int32), right[~missing].view(np.int32))
    )
