"""``log1p`` by additions, multiplications and divisions alone, which IEEE 754 rounds alike everywhere.

The logarithms of libraries differ in their last bit, and a tree may split between the two.

    log(1 + x) = k ln 2 + 2 artanh(f) + c,  u = 1 + x = 2^k m,  f = (m - 1) / (m + 1),  m in [sqrt(1/2), sqrt(2)),

where c = (x - (u - 1)) / u gives back what rounding took from u, and the series of artanh ends after f^21. A guess of k by
any logarithm will do: the exact m tells whether it was one too large or too small.
"""

import math
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from gnomon.features.graph import DOUBLE, INT64, GraphBuilder, cast

_LEAST = 0.7071067811865476
"""The square root of a half; m lies between it and its double."""
_LN2_HIGH = 0.6931471803691238
"""ln 2 with 21 trailing zero bits, so that its product with k is exact (fdlibm, s_log1p.c, Sun Microsystems 1993)."""
_LN2_LOW = 1.9082149292705877e-10
_TERMS = tuple(1 / power for power in range(21, 1, -2))
"""1/21, 1/19, … 1/3."""
_LOWEST, _HIGHEST = -64, 1024
"""Exponents of 1 + x for every float64 x above -1."""

_T = TypeVar("_T", float, NDArray[np.float64])


def log1p(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log(1 + x); NaN where x is not above -1 or not finite."""
    inside = np.isfinite(numbers) & (numbers > -1)
    x = np.where(inside, numbers, 0.0)
    u = x + 1
    mantissa, exponent = np.frexp(u)
    small = mantissa < _LEAST
    m = np.where(small, mantissa * 2, mantissa)
    k = (exponent - small).astype(np.float64)
    f = (m - 1) / (m + 1)
    return np.where(inside, _summed(x, u, k, f), np.nan)


def log1p_of_number(x: float) -> float | None:
    """Return log(1 + x) of one number; None where there is none."""
    if not x > -1:
        return None
    u = x + 1
    m, exponent = math.frexp(u)
    if m < _LEAST:
        m, exponent = m * 2, exponent - 1
    return _summed(x, u, float(exponent), (m - 1) / (m + 1))


def emit_log1p(graph: GraphBuilder, x: str) -> str:
    """Emit ``log1p``: float64 in, float64 of the same shape out; what comes in is finite or NaN."""

    def number(value: float) -> str:
        return graph.constant(np.array(value, dtype=np.float64))

    def node(op: str, *inputs: str) -> str:
        return graph.node(op, *inputs)

    inside = node("Greater", x, number(-1))
    x = node("Where", inside, x, number(0))
    u = node("Add", x, number(1))
    guess = node("Floor", node("Add", node("Mul", node("Log", u), number(1 / math.log(2))), number(0.5)))
    held = node("Clip", guess, number(_LOWEST), number(_HIGHEST))
    powers = graph.constant(np.ldexp(1.0, -np.arange(_LOWEST, _HIGHEST + 1)))
    guessed = node("Mul", u, node("Gather", powers, cast(graph, node("Sub", held, number(_LOWEST)), INT64)))
    small, large = node("Less", guessed, number(_LEAST)), node("GreaterOrEqual", guessed, number(2 * _LEAST))
    m = node("Where", small, node("Mul", guessed, number(2)), node("Where", large, node("Mul", guessed, number(0.5)), guessed))
    k = node("Add", node("Sub", held, cast(graph, small, DOUBLE)), cast(graph, large, DOUBLE))
    f = node("Div", node("Sub", m, number(1)), node("Add", m, number(1)))
    square = node("Mul", f, f)
    series = number(_TERMS[0])
    for term in _TERMS[1:]:
        series = node("Add", node("Mul", series, square), number(term))
    double = node("Mul", f, number(2))
    logarithm = node("Add", node("Mul", node("Mul", double, square), series), double)
    correction = node("Div", node("Sub", x, node("Sub", u, number(1))), u)
    low = node("Add", node("Add", node("Mul", k, number(_LN2_LOW)), correction), logarithm)
    return node("Where", inside, node("Add", node("Mul", k, number(_LN2_HIGH)), low), number(np.nan))


def _summed(x: _T, u: _T, k: _T, f: _T) -> _T:
    square = f * f
    series = square * 0 + _TERMS[0]
    for term in _TERMS[1:]:
        series = series * square + term
    double = f * 2
    logarithm = double * square * series + double
    correction = (x - (u - 1)) / u
    return k * _LN2_HIGH + (k * _LN2_LOW + correction + logarithm)
