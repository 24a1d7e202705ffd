"""How sure a measured figure is: resampling of the test rows, intervals, and paired comparison with the champion.

Rows are drawn with replacement, as many as there are; a figure's spread over the draws stands for its spread over other
test rows of the same kind. Two models are compared on the *same* draws, so what makes rows easy or hard for both cancels
out. Where rows stand in the order of time, and neighbours resemble each other, whole blocks of neighbours are drawn, whose
length the losses of the rows decide (``blocks``); the last row's neighbour is the first.

Source: Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapters 8, 13 and 16.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers, CountedAnswers, once
from gnomon.evaluation.metrics import Direction, MetricInfo

Floats = NDArray[np.float64]

LEVEL = 0.95
"""Share of the resamples inside an interval."""
_MOST, _LEAST, _DRAWS = 1000, 200, 20_000_000
_CELLS_AT_ONCE = 2_000_000  # 16 MB of counts, so that memory does not grow with the rows
GAIN_BOUND = 1e6
"""Relative gains are cut here, so that a champion whose figure is zero leaves finite numbers."""


@dataclass(frozen=True)
class Interval:
    """A figure on all rows, NaN where undefined, and the ends of its bootstrap interval."""

    value: float
    low: float
    high: float


def resamples_for(rows: int) -> int:
    """Return how many resamples are drawn: 1000, fewer above 20,000 rows, 200 from 100,000 rows on."""
    return int(np.clip(_DRAWS // max(1, rows), _LEAST, _MOST))


def draws(rows: int, resamples: int, seed: int, block: int = 1) -> Iterator[Floats]:
    """Yield how often each row is drawn, (some, rows) at a time, ``resamples`` in all; the same for the same seed.

    So many neighbours as ``block`` says are drawn together.
    """
    generator = np.random.default_rng(seed)
    at_once = max(1, _CELLS_AT_ONCE // max(1, rows))
    for start in range(0, resamples, at_once):
        some = min(at_once, resamples - start)
        drawn = (_drawn(generator, rows, block) for _ in range(some))
        yield np.stack([np.bincount(indices, minlength=rows) for indices in drawn]).astype(np.float64)


def _drawn(generator: np.random.Generator, rows: int, block: int) -> NDArray[np.int64]:
    """Return the indices of ``rows`` rows, drawn one by one or in blocks; the last block is cut."""
    if block <= 1:
        return generator.integers(0, rows, rows, dtype=np.int64)
    starts = generator.integers(0, rows, -(-rows // block), dtype=np.int64)
    return np.asarray(((starts[:, None] + np.arange(block)) % rows).reshape(-1)[:rows])


def distributions(
    answers: Sequence[Answers], metrics: Sequence[MetricInfo], resamples: int, seed: int, block: int = 1
) -> Floats:
    """Return every metric of every model in every resample, shape (models, metrics, resamples), on the same draws."""
    chunks = []
    for counts in draws(answers[0].rows, resamples, seed, block):
        counted = [CountedAnswers(model, counts) for model in answers]
        chunks.append([[metric.function(rows) for metric in metrics] for rows in counted])
    return np.concatenate([np.asarray(chunk, dtype=np.float64) for chunk in chunks], axis=2)


def measured(answers: Answers, metrics: Sequence[MetricInfo]) -> Floats:
    """Return every metric with each row counted once, (metrics,)."""
    rows = once(answers)
    return np.asarray([float(metric.function(rows)[0]) for metric in metrics])


def interval(value: float, distribution: Floats) -> Interval:
    """Return the percentile interval of a figure; resamples in which it is undefined are left out."""
    finite = distribution[np.isfinite(distribution)]
    if not np.isfinite(value) or not finite.size:
        return Interval(value, float("nan"), float("nan"))
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def relative_gain(direction: Direction, candidate: Floats, champion: Floats) -> Floats:
    """Return by which share of the champion's figure the candidate is better; below zero where it is worse.

    A loss of 9 against 10, and a score of 11 against 10, are gains of 0.1. Against a figure of zero, equal is 0 and
    anything else is the bound, 1e6. NaN where a figure is undefined.
    """
    better = champion - candidate if direction == "loss" else candidate - champion
    size = np.abs(champion)
    gain = np.divide(better, size, out=np.sign(better) * GAIN_BOUND, where=size > 0)
    return np.asarray(np.clip(gain, -GAIN_BOUND, GAIN_BOUND))
