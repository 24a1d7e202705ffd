"""Golden rows are answered again on this machine's runtime, and compared."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import GoldenRowsError, InputError
from gnomon.inference.encoding import encode_columns
from gnomon.inference.golden import GoldenRows
from gnomon.inference.session import Answering

_MEND = "do not serve this artifact on this runtime; train it anew, or use the ONNX Runtime version that it was judged with"


def replay(predictor: Answering, golden: GoldenRows) -> None:
    """Answer the golden rows and compare with what the artifact expects.

    Raises:
        GoldenRowsError: An answer differs by more than the tolerance, or the rows cannot be answered; the cause holds figures.
        ArtifactError: The model failed on the rows.
    """
    try:
        feed = encode_columns(predictor.signature, golden.columns)
    except InputError as error:
        raise GoldenRowsError(f"the golden rows do not fit the signature: {error.cause}", _MEND) from error
    answers = predictor.predict(feed)
    _compare("prediction", answers.get("prediction"), golden.prediction, golden)
    if golden.probabilities:
        _compare("probabilities", answers.get("probabilities"), golden.probabilities, golden)
    for name, expected in golden.outputs.items():
        _compare(name, answers.get(name), expected, golden)


def _compare(name: str, got: NDArray[Any] | None, expected: Sequence[Any], golden: GoldenRows) -> None:
    if got is None:
        raise GoldenRowsError(f"the artifact expects {name}, which the model does not give", _MEND)
    numeric = got.dtype.kind in "fiu"
    wanted = np.array(expected, dtype=np.float64 if numeric and not _holds_text(expected) else object)
    got = got.reshape(-1) if got.ndim == 2 and wanted.ndim == 1 and got.shape[1] == 1 else got
    if got.shape != wanted.shape:
        raise GoldenRowsError(f"{name} has shape {list(got.shape)}, the golden rows {list(wanted.shape)}", _MEND)
    if wanted.dtype == object:
        wrong = got.astype(object) != wanted
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            raise GoldenRowsError(
                f"{int(wrong.sum())} of {len(wanted)} golden rows differ in {name}; row {row} is {got[row]!r} "
                f"instead of {wanted[row]!r}",
                _MEND,
            )
        return
    distance = np.abs(got.astype(np.float64) - wanted)
    allowed = golden.atol + golden.rtol * np.abs(wanted)
    if got.dtype.kind in "iu":
        allowed = np.zeros_like(distance)  # the numbers of clusters and verdicts are names
    wrong = ~(distance <= allowed)  # NaN agrees with nothing
    if wrong.any():
        place = tuple(int(index) for index in np.unravel_index(int(np.argmax(np.where(wrong, distance, -1.0))), distance.shape))
        rows = int(wrong.reshape(len(wanted), -1).any(axis=1).sum())
        raise GoldenRowsError(
            f"{rows} of {len(wanted)} golden rows differ in {name}; row {place[0]} is {float(got[place]):.9g} instead of "
            f"{float(wanted[place]):.9g}, {float(distance[place]):.3g} apart where {float(allowed[place]):.3g} is allowed",
            _MEND,
        )


def _holds_text(expected: Sequence[Any]) -> bool:
    return any(isinstance(value, str) for value in expected)
