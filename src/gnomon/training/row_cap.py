"""Too many rows for an algorithm whose cost grows with their square become a share of them, drawn by the seed."""

import numpy as np
from numpy.typing import NDArray

from gnomon.training.algorithms.interface import TrainingRows


def capped_rows(rows: TrainingRows, most: int) -> TrainingRows:
    """Return at most ``most`` rows, in their order. Classes keep their shares, and each has a row, even where that is more."""
    count = len(rows.target)
    if count <= most:
        return rows
    return rows.take(_drawn(rows, most))


def _drawn(rows: TrainingRows, most: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(rows.seed).permutation(len(rows.target))
    if not rows.classes:
        return np.sort(drawn[:most])
    by_class = drawn[np.argsort(rows.target[drawn], kind="stable")]
    first = np.unique(rows.target[by_class], return_index=True)[1]
    others = np.delete(by_class, first)
    evenly = np.linspace(0, len(others) - 1, max(0, most - len(first))).astype(np.int64)
    return np.sort(np.concatenate([by_class[first], others[evenly]]))


def told_cap(given: TrainingRows, used: TrainingRows) -> dict[str, int | bool]:
    """Return what a report says of rows that were left out: how many there were, how many were used; nothing where all were."""
    if len(used.target) == len(given.target):
        return {}
    return {"rowsGiven": len(given.target), "rowsUsed": len(used.target)}
