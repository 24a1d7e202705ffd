"""Encoded rows become rows to learn from, in which every class occurs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.encoded import EncodedRows

Rows = NDArray[np.int64]


def present_rows(rows: EncodedRows, target: Floats, facts: Mapping[str, Any]) -> tuple[TrainingRows, Rows]:
    """Return the rows with the classes that occur numbered anew, and which those are.

    Args:
        rows: The encoded rows.
        target: float64 (N,): values, or indices of classes.
        facts: Of ``prepare``, as JSON.

    Raises:
        TrainingError: The rows are of one class.
    """
    if not facts["classes"]:
        return TrainingRows(rows, np.array(target), 0, facts["ordered"], facts["seed"]), np.empty(0, dtype=np.int64)
    known, places = np.unique(target.astype(np.int64), return_inverse=True)
    if len(known) < 2:
        raise TrainingError(
            f"all {len(target)} training rows are of one class",
            "divide the rows by split.by: stratified, or get more rows",
        )
    return TrainingRows(rows, places.astype(np.float64), len(known), facts["ordered"], facts["seed"]), known
