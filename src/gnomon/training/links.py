"""Scores become probabilities, in NumPy and in ONNX."""

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast


def emit_probabilities(graph: GraphBuilder, scores: str, outputs: int) -> str:
    """Emit the probabilities of raw scores: (N, outputs) in, float32 (N, classes) out.

    One score is the log-odds of the second of two classes; several are the classes' own, up to a constant. The exponentials
    are taken in float64: in float32, ONNX Runtime gives no probability below 1.5e-8.
    """
    exact = cast(graph, scores, DOUBLE)
    if outputs > 1:
        return cast(graph, graph.node("Softmax", exact, axis=1), FLOAT)
    second = graph.node("Sigmoid", exact)
    first = graph.node("Sigmoid", graph.node("Neg", exact))
    return cast(graph, graph.node("Concat", first, second, axis=1), FLOAT)


def emit_log_sum_exp(graph: GraphBuilder, exponents: str) -> str:
    """Emit ln(sum of exp) of every row, less the largest first so that nothing overflows: float64 (N, M) in, (N, 1) out."""
    largest = graph.node("ReduceMax", exponents, graph.integers(1), keepdims=1)
    powers = graph.node("Exp", graph.node("Sub", exponents, largest))
    return graph.node("Add", graph.node("Log", graph.node("ReduceSum", powers, graph.integers(1), keepdims=1)), largest)


def probabilities_of(scores: NDArray[np.float64], classes: int) -> NDArray[np.float64]:
    """Return the same in NumPy: (N, 1) log-odds of the second of two classes, or (N, classes) scores, in."""
    if classes > 2:
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    second = 1 / (1 + np.exp(-np.clip(scores[:, 0], -_CERTAIN, _CERTAIN)))
    return np.stack([1 - second, second], axis=1)


_CERTAIN = 700.0
"""Log-odds beyond it have no other probability in float64."""


def emit_two_classes(graph: GraphBuilder, second: str) -> str:
    """Emit the probabilities of two classes from the second's, float32 (N, 1) in, (N, 2) out; rounding leaves none below 0."""
    none, one = graph.constant(np.array(0, dtype=np.float32)), graph.constant(np.array(1, dtype=np.float32))
    held = graph.node("Clip", second, none, one)
    return graph.node("Concat", graph.node("Sub", one, held), held, axis=1)


def emit_spread(graph: GraphBuilder, probabilities: str, known: NDArray[np.int64], classes: int) -> str:
    """Emit the probabilities of all classes from those of the ``known`` ones: a class never seen in training has 0."""
    if len(known) == classes:
        return probabilities
    places = np.zeros((len(known), classes), dtype=np.float32)
    places[np.arange(len(known)), known] = 1
    return graph.node("MatMul", probabilities, graph.constant(places))


def spread(probabilities: NDArray[np.float64], known: NDArray[np.int64], classes: int) -> NDArray[np.float64]:
    """Return (N, classes) probabilities from those of the ``known`` classes, (N, known)."""
    full = np.zeros((len(probabilities), classes))
    full[:, known] = probabilities
    return full
