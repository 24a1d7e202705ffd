"""Answers become one loss for each row, so that two candidates can be compared on the same rows."""

import numpy as np
from numpy.typing import NDArray

from gnomon.resources.learning import Metric

Floats = NDArray[np.float64]

SUMMED: frozenset[Metric] = frozenset({"rmse", "r2", "mae", "logLoss", "accuracy"})
"""Metrics whose order is that of a mean loss over rows. For others the mean log loss stands in where rows are compared."""

_LEAST = float(np.finfo(np.float32).eps)
_LEAST_SHARE = 0.02
"""Shares below it would let the estimate of a longer forest run away."""


def row_losses(metric: Metric, actual: Floats, answers: Floats) -> Floats:
    """Return the loss of each row, the less the better.

    Args:
        metric: What candidates are chosen by.
        actual: (V,) values, or indices of classes.
        answers: (V,) values, or (V, classes) probabilities.
    """
    if answers.ndim == 1:
        distance = answers - actual
        return np.asarray(np.abs(distance) if metric == "mae" else distance**2)
    classes = actual.astype(np.int64)
    if metric == "accuracy":
        return np.asarray(answers.argmax(axis=1) != classes, dtype=np.float64)
    chosen = answers[np.arange(len(classes)), classes]
    return np.asarray(-np.log(np.clip(chosen, _LEAST, 1 - _LEAST)))


def longer_forest_loss(metric: Metric, actual: Floats, sums: Floats, squares: Floats, length: int, full: int) -> float | None:
    """Return an estimate of the mean loss that a forest of ``length`` trees will have with ``full`` ones.

    The variance of the mean of n trees is that of one tree over n; a squared loss holds it as it is, a log loss holds it over
    2 p^2 (second order around the mean share p). None for other losses, and for a single tree.

    Args:
        metric: What candidates are chosen by.
        actual: (V,) values, or indices of classes among the columns of ``sums``; -1 where a class is none of them.
        sums: (V, 1) sums of the trees' answers, or (V, classes) of their shares.
        squares: The same of their squares.
        length: How many trees were summed.
        full: How many there will be.
    """
    if metric in {"mae", "accuracy"} or length < 2:
        return None
    mean, square = sums / length, squares / length
    variance = np.maximum(square - mean**2, 0) * length / (length - 1)
    gain = 1 / length - 1 / full
    if sums.shape[1] == 1:
        loss = row_losses(metric, actual, mean[:, 0])
        return float(np.mean(loss - variance[:, 0] * gain))
    classes = actual.astype(np.int64)
    rows = np.arange(len(classes))
    share, spread = mean[rows, classes], variance[rows, classes]
    loss = np.where(classes < 0, -np.log(_LEAST), -np.log(np.clip(share, _LEAST, 1 - _LEAST)))
    less = np.where(classes < 0, 0, spread * gain / (2 * np.maximum(share, _LEAST_SHARE) ** 2))
    return float(np.mean(np.maximum(loss - less, 0)))


def excess(losses: NDArray[np.float32], best: NDArray[np.float32], blocks: int = 40) -> tuple[float, float]:
    """Return by how much a candidate's mean loss exceeds another's on the same rows, and the standard error of that.

    Rows near each other share a day and its weather, so that they are no independent witnesses: the error is that of the
    means of ``blocks`` of neighbouring rows.
    """
    differences = losses.astype(np.float64) - best
    parts = np.array_split(differences, min(blocks, len(differences)))
    means = np.array([part.mean() for part in parts])
    error = float(means.std(ddof=1) / np.sqrt(len(means))) if len(means) > 1 else 0.0
    return float(differences.mean()), error
