"""How many trees are enough is found on inner rows of the training rows, never on rows that judge."""

import numpy as np
from numpy.typing import NDArray

from gnomon.training.algorithms.interface import TrainingRows

LEAST_ROWS = 200
"""With fewer training rows, the declared number of trees is used as it is."""

WATCHED_SHARE = 0.15


def inner_rows(rows: TrainingRows, patience: int) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Return the rows to learn from and the rows to watch: the newest where time orders them, else drawn by the seed.

    None where ``patience`` is 0, where rows are few, or where a class would be left out of either.
    """
    count = len(rows.target)
    if not patience or count < LEAST_ROWS:
        return None
    order = np.arange(count) if rows.ordered else np.random.default_rng(rows.seed).permutation(count)
    watched = round(count * WATCHED_SHARE)
    learning, watching = np.sort(order[:-watched]), np.sort(order[-watched:])
    if rows.classes and any(len(np.unique(rows.target[part])) < rows.classes for part in (learning, watching)):
        return None
    return learning, watching
