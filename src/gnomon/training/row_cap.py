"""Too many rows for an algorithm whose cost grows with their square become a share of them, drawn by the seed."""

import numpy as np
from numpy.typing import NDArray

from gnomon.training.algorithms.interface import TrainingRows


def capped_rows(rows: TrainingRows, most: int) -> TrainingRows:
    """Return at most ``most`` rows, in their order, or a few more: classes keep their shares, and none goes without a row."""
    count = len(rows.target)
    if count <= most:
        return rows
    return rows.take(_drawn(rows, most))


def _drawn(rows: TrainingRows, most: int) -> NDArray[np.int64]:
    drawn = np.random.default_rng(rows.seed).permutation(len(rows.target))
    if not rows.classes:
        return np.sort(drawn[:most])
    by_class = drawn[np.argsort(rows.target[drawn], kind="stable")]
    evenly = by_class[np.linspace(0, len(by_class) - 1, most).astype(np.int64)]
    first_of_class = by_class[np.unique(rows.target[by_class], return_index=True)[1]]
    return np.union1d(evenly, first_of_class)


def told_cap(given: TrainingRows, used: TrainingRows) -> dict[str, int | bool]:
    """Return what a report says of rows that were left out: how many there were, how many were used; nothing where all were."""
    if len(used.target) == len(given.target):
        return {}
    return {"rowsGiven": len(given.target), "rowsUsed": len(used.target)}
