"""A graph and the native model answer the same rows, and a graph that disagrees is refused with the figures.

The rows are held-out ones and made-up ones: missing everywhere, unseen text, extremes, the ends of the calendar.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ExportRefusedError
from gnomon.features.calendar_parts import EARLIEST, LATEST
from gnomon.inference.session import Answering
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Matrix
from gnomon.training.matrices import Matrices
from gnomon.training.outputs import follows

Verdict = Literal["exact", "tolerant", "refused"]

EXACT = 1e-5
"""A difference below this share of the answer and of the target's deviation is float32 rounding."""
TOLERANT = 1e-3
"""Above this, a graph is refused."""

UNSEEN = "\u2205 never seen"
"""A text that no training row holds."""

_LEAP_DAY = 1_709_251_199_999_999
"""2024-02-29T23:59:59.999999Z."""
_STAMPS = (0, -1, _LEAP_DAY, EARLIEST, LATEST, MISSING_TIMESTAMP + 1, 2**63 - 1)
_LARGEST = float(np.finfo(np.float32).max)
_FLOATS = (0.0, -0.0, 1.0, -1.0, 1e-30, _LARGEST, -_LARGEST)
_INTEGERS = (0.0, 1.0, -1.0, 2.0**31, -(2.0**53))
_TEXTS = (UNSEEN, "x" * 1000)
_MIXED_ROWS = 200


@dataclass(frozen=True)
class Parity:
    """How far the graph is from the native model.

    Args:
        verdict: ``exact`` where every row agrees within rounding, ``tolerant`` where all are near, else ``refused``.
        rows: Rows compared.
        differing: Rows apart by more than rounding, or whose class is not the likeliest by the graph's own probabilities.
        max_difference: Largest distance: in deviations of the target, or in probability.
    """

    verdict: Verdict
    rows: int
    differing: int
    max_difference: float

    def to_json(self) -> dict[str, Any]:
        """Return the figures as JSON values."""
        return {
            "verdict": self.verdict,
            "rows": self.rows,
            "differing": self.differing,
            "maxDifference": float(f"{self.max_difference:.3g}"),
        }


def checked_parity(
    predictor: Answering, native: NDArray[np.float64], rows: Matrices, deviation: float, candidate: str
) -> Parity:
    """Return the parity of a graph.

    Args:
        predictor: The graph, as it will be served.
        native: The native model's answers: (N,) values or (N, width) of them, such as probabilities.
        rows: The rows that it answered.
        deviation: What differences are measured in: the standard deviation of the target or of the answers, 1 for classes.
        candidate: What an error names.

    Raises:
        ExportRefusedError: The graph disagrees; the cause holds the figures.
    """
    answers = predictor.predict(rows.feed)
    signature = predictor.signature
    main = signature.outputs[-1]
    got = answers[main.name].astype(np.float64)
    told = follows(signature, answers)
    parity = compared(native, np.where(told[:, np.newaxis] if got.ndim > 1 else told, got, np.nan), deviation)
    if parity.verdict == "refused":
        unit = "in probability" if main.name == "probabilities" else f"deviations of the {main.name}"
        raise ExportRefusedError(
            f"the ONNX graph of candidate {candidate} differs from the native model on {parity.differing} "
            f"of {parity.rows} rows, by up to {parity.max_difference:.3g} {unit}",
            "use another algorithm or other parameters; the native model alone is never served",
        )
    return parity


def compared(native: NDArray[np.float64], got: NDArray[np.float64], deviation: float) -> Parity:
    """Return the parity of two sets of answers, (N,) or (N, classes). NaN agrees with nothing.

    Distances count in deviations and, for answers beyond one deviation, in proportion to the answer.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        expected = np.clip(native, -_LARGEST, _LARGEST)
        given = np.where(np.isinf(got), np.sign(got) * _LARGEST, got)
        distance = np.abs(given - expected) / np.maximum(deviation, np.abs(expected))
    distance = np.where(np.isnan(distance), np.inf, distance)
    worst = distance if distance.ndim == 1 else distance.max(axis=1)
    largest = float(worst.max(initial=0.0))
    differing = int(np.count_nonzero(worst > EXACT))
    verdict: Verdict = "exact" if not differing else "tolerant" if largest <= TOLERANT else "refused"
    return Parity(verdict, len(worst), differing, largest)


def edge_rows(inputs: Sequence[InputColumn], sample: Matrices, seed: int) -> Matrices:
    """Return made-up rows: each column in turn at each of its edges, all missing, and edges mixed at random.

    Args:
        inputs: The columns.
        sample: Real rows, at least one: the rest of a made-up row is taken from them, and the ends of each column.
        seed: Start of the random mixture.
    """
    edges = {(column.matrix, column.index): column_edges(column, sample) for column in inputs}
    turns = sum(len(values) for values in edges.values())
    taken = sample.take(np.arange(turns + 1 + _MIXED_ROWS) % len(sample))
    made: dict[Matrix, NDArray[Any]] = {"floats": taken.floats.copy(), "ints": taken.ints.copy(), "strings": taken.strings}
    row = 0
    draw = np.random.default_rng(seed)
    for (matrix, index), values in edges.items():
        target = made[matrix][:, index]
        for value in values:
            target[row] = value
            row += 1
        target[turns] = values[0]
        mixed = draw.integers(2 * len(values), size=_MIXED_ROWS)
        for place in np.flatnonzero(mixed < len(values)):
            target[turns + 1 + place] = values[mixed[place]]
    return Matrices.of(made["floats"], made["ints"], made["strings"])


def column_edges(column: InputColumn, sample: Matrices) -> list[Any]:
    """Return the edges of a column, the missing value first."""
    match column.kind:
        case "string":
            return ["", *_TEXTS]
        case "timestamp":
            return [MISSING_TIMESTAMP, *_STAMPS]
        case "boolean":
            return [np.nan, 0.0, 1.0]
        case kind:
            known = sample.floats[np.isfinite(sample.floats[:, column.index]), column.index]
            ends = [known.min(), known.max()] if len(known) else []
            return [np.nan, *ends, *(_FLOATS if kind == "float" else _INTEGERS)]
