"""Rows that were encoded once for all estimators of a kind, so that many fits share one memory-mapped table."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Numbers, Preprocessing
from gnomon.training.texts import Texts


@dataclass(frozen=True, eq=False)
class EncodedRows(Matrices):
    """N rows whose ``floats`` are the features of an estimator already; there is nothing else.

    Where a fit is given them instead of raw columns, its preprocessing takes them as they are.

    Args:
        bins: The same training rows as LightGBM keeps them, cut into histograms once.
    """

    bins: Path | None = None

    @property
    def as_they_are(self) -> Preprocessing:
        """The preprocessing that takes the features as they are."""
        return Preprocessing((Numbers(tuple(range(self.floats.shape[1]))),))

    def take(self, rows: NDArray[np.int64]) -> "EncodedRows":
        """Return the rows with these indices, in this order."""
        return encoded(self.floats[rows])


def encoded(features: NDArray[np.float32], bins: Path | None = None) -> EncodedRows:
    """Return rows of nothing but ``features``, float32 (N, F)."""
    rows = len(features)
    return EncodedRows(features, np.empty((rows, 0), np.int64), Texts.none(rows), bins)
