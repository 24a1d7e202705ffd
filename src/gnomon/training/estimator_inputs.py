"""Training rows become the constants of a preprocessing: medians, deviations, levels and their order, useful parts of time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import TrainingError
from gnomon.features.calendar_parts import Part, calendar_part, is_missing
from gnomon.training.encoded import EncodedRows
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import (
    BLOCK_ROWS,
    DISTANCE_LIMIT,
    STANDARD_LIMIT,
    Block,
    CalendarNumbers,
    CalendarWaves,
    Numbers,
    OneHot,
    OrderedCodes,
    Preprocessing,
    StandardisedNumbers,
)
from gnomon.training.texts import Texts

MAX_LEVELS = 255
"""Levels of a text column that keep a code of their own: as many as a histogram of 256 bins tells apart, less one."""

ENOUGH_ROWS = 20
"""Rows that a level needs for a code of its own, and the weight of the overall mean in a level's mean."""

_YEAR = 365 * 86_400_000_000
_LEAST_SPAN: Mapping[Part, int] = {"day_of_year": _YEAR, "month": _YEAR, "day_of_month": _YEAR}
"""A part of time is used once the training rows cover its cycle: before, it only tells old rows from new ones."""

_TREE_PARTS: tuple[Part, ...] = ("minute_of_day", "weekday", "day_of_month", "day_of_year")
"""Trees find the hour and the month within these."""
_LINEAR_PARTS: tuple[Part, ...] = ("hour", "weekday", "day_of_month", "month")
_HIGHEST: Mapping[Part, int] = {"hour": 23, "weekday": 6, "day_of_month": 31, "month": 12}
"""The largest value of each of these parts."""
_BAYES_LIMIT = 16.0
"""Deviations: the tail of a normal distribution says nothing true about a wild value, and would outweigh all else."""


def fit_for_trees(raw: Matrices, target: NDArray[np.float64], classes: int) -> Preprocessing:
    """Return the preprocessing for trees: numbers as they are, text as codes in the order of the target.

    A number that is missing in all training rows is left out.

    Args:
        raw: The training rows.
        target: float64 (N,): values, or indices of classes.
        classes: How many classes there are; 0 for regression.

    Raises:
        TrainingError: No feature varies.
    """
    if isinstance(raw, EncodedRows):
        return raw.as_they_are
    blocks: list[Block] = []
    if known := tuple(np.flatnonzero(np.isfinite(raw.floats).any(axis=0)).tolist()):
        blocks.append(Numbers(known))
    blocks += [_ordered_codes(raw.texts, column, target, classes) for column in range(raw.texts.columns)]
    blocks += [CalendarNumbers(column, parts) for column, parts in _useful_parts(raw, _TREE_PARTS)]
    return _preprocessing(raw, blocks)


def fit_for_linear(raw: Matrices, limit: float = float(STANDARD_LIMIT)) -> Preprocessing:
    """Return the preprocessing for linear models: standardised numbers, one feature for each level, waves of time.

    Args:
        raw: The training rows.
        limit: Within how many deviations numbers are held.

    Raises:
        TrainingError: No feature varies.
    """
    blocks: list[Block] = []
    if (numbers := _standardised_numbers(raw.floats, limit)) is not None:
        blocks.append(numbers)
    for column in range(raw.texts.columns):
        counts = raw.texts.counts(column)
        levels = _frequent_levels(raw.texts, column) + ([""] if counts[0] else [])
        if np.count_nonzero(counts) > 1 and levels:
            blocks.append(OneHot(column, tuple(sorted(levels))))
    blocks += [CalendarWaves(column, parts) for column, parts in _useful_parts(raw, _LINEAR_PARTS)]
    return _preprocessing(raw, blocks)


@dataclass(frozen=True)
class BayesInputs:
    """What naive Bayes sees: numbers, and categories that are whole numbers from 0 to their ``highest``, or NaN for missing."""

    numbers: Preprocessing | None
    categories: Preprocessing | None
    highest: tuple[int, ...]


def fit_for_bayes(raw: Matrices) -> BayesInputs:
    """Return the preprocessings for naive Bayes: standardised numbers here, categories there.

    Categories are text, parts of time, numbers that are only ever 0 or 1, and whether any other number is missing: its highest
    is then 0, as missing and known are all there is to tell.

    Raises:
        TrainingError: No feature varies.
    """
    finite = np.isfinite(raw.floats)
    some, every = finite.any(axis=0), finite.all(axis=0)
    binary = some & (~finite | np.isin(raw.floats, (0, 1))).all(axis=0)
    blocks: list[Block] = []
    highest: list[int] = []
    for columns, largest in ((some & ~every & ~binary, 0), (binary, 1)):
        if chosen := tuple(np.flatnonzero(columns).tolist()):
            blocks.append(Numbers(chosen))
            highest += [largest] * len(chosen)
    for column in range(raw.texts.columns):
        if np.count_nonzero(raw.texts.counts(column)) > 1:
            levels = sorted([*_frequent_levels(raw.texts, column), ""])
            blocks.append(OrderedCodes(column, {level: float(i) for i, level in enumerate(levels)}, float(len(levels))))
            highest.append(len(levels))
    for column, parts in _useful_parts(raw, _LINEAR_PARTS):
        blocks.append(CalendarNumbers(column, parts))
        highest += [_HIGHEST[part] for part in parts]
    numbers = _standardised_numbers(np.where(binary, np.float32(np.nan), raw.floats), _BAYES_LIMIT)
    if numbers is None:
        return BayesInputs(None, _preprocessing(raw, blocks), tuple(highest))
    whole = Preprocessing((replace(numbers, flagged=()),))
    return BayesInputs(whole, Preprocessing(tuple(blocks)) if blocks else None, tuple(highest))


def fit_for_distances(raw: Matrices) -> Preprocessing:
    """Return the preprocessing for what measures distances: that of linear models, numbers within 100 deviations.

    Raises:
        TrainingError: No feature varies.
    """
    return fit_for_linear(raw, float(DISTANCE_LIMIT))


def _preprocessing(raw: Matrices, blocks: Sequence[Block]) -> Preprocessing:
    preprocessing = Preprocessing(tuple(blocks))
    if not blocks or not _varies(preprocessing, raw):
        raise TrainingError(
            f"no feature varies over the {len(raw)} training rows", "add a feature with more than one value, or more rows"
        )
    return preprocessing


def _varies(preprocessing: Preprocessing, raw: Matrices) -> bool:
    """Return whether any feature has two values; most often, the first rows tell."""
    first = preprocessing.transform(raw.take(np.arange(1)))
    for begin in range(0, len(raw), BLOCK_ROWS):
        features = preprocessing.transform(raw.take(np.arange(begin, min(len(raw), begin + BLOCK_ROWS))))
        if ((features != first) & ~(np.isnan(features) & np.isnan(first))).any():
            return True
    return False


def _standardised_numbers(floats: NDArray[np.float32], limit: float) -> StandardisedNumbers | None:
    """Return the block for the columns that vary, or None where none does."""
    columns, fills, means, scales, flagged = [], [], [], [], []
    for column in range(floats.shape[1]):
        values = floats[:, column].astype(np.float64)
        known = values[np.isfinite(values)]
        if not len(known):
            continue
        if len(known) < len(values):
            flagged.append(column)
        fill = float(np.float32(np.median(known)))
        filled = np.where(np.isfinite(values), values, fill)
        mean, deviation = float(np.mean(filled)), float(np.std(filled))
        if known.min() == known.max() or not deviation:
            continue
        columns.append(column)
        fills.append(fill)
        means.append(mean)
        scales.append(1 / deviation)
    if not columns:
        return None
    return StandardisedNumbers(tuple(columns), tuple(fills), tuple(means), tuple(scales), tuple(flagged), limit)


def _frequent_levels(texts: Texts, column: int) -> list[str]:
    """Return the levels with enough rows, at most ``MAX_LEVELS``, the most frequent first. Missing is not among them."""
    counts = texts.counts(column)
    enough = min(ENOUGH_ROWS, max(2, len(texts.codes) // 50))
    codes = np.flatnonzero(counts >= enough)
    codes = codes[codes > 0]
    if len(codes) > MAX_LEVELS:
        least = np.partition(counts[codes], -MAX_LEVELS)[-MAX_LEVELS]
        codes = codes[counts[codes] >= least]
    frequent = sorted(zip((-counts[codes]).tolist(), texts.levels[column].texts(codes), strict=True))
    return [level for _, level in frequent[:MAX_LEVELS]]


def _ordered_codes(texts: Texts, column: int, target: NDArray[np.float64], classes: int) -> OrderedCodes:
    """Return codes in the order of the mean target of each level, drawn towards the overall mean where rows are few.

    Rare levels share one code with those that only come later; missing text has its own. Shares of several classes are
    ordered by their first principal component (D. Coppersmith et al., 1999, Data Mining and Knowledge Discovery 3:197).
    """
    levels = ["", *sorted(_frequent_levels(texts, column))]
    place = texts.replaced(column, levels, np.arange(len(levels)), len(levels))
    size = len(levels) + 1
    counts = np.bincount(place, minlength=size)[:, np.newaxis]
    if classes:
        cells = np.bincount(place * classes + target.astype(np.int64), minlength=size * classes).reshape(size, classes)
        excess = cells - counts * (np.bincount(target.astype(np.int64), minlength=classes) / len(target))
    else:
        excess = np.bincount(place, weights=target - target.mean(), minlength=size)[:, np.newaxis].astype(np.float64)
    means = excess / (counts + ENOUGH_ROWS)
    rank = np.argsort(np.argsort(_first_component(means, counts), kind="stable"), kind="stable").tolist()
    return OrderedCodes(column, {level: float(rank[i]) for i, level in enumerate(levels)}, float(rank[-1]))


def _first_component(means: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return one number for each level: its mean, or of several outputs their projection on the widest direction."""
    if means.shape[1] == 1:
        return means[:, 0]
    direction = np.linalg.eigh(means.T @ (means * counts))[1][:, -1]
    direction = direction * np.sign(direction[np.argmax(np.abs(direction))])
    return np.asarray(np.round(means @ direction, 12))


def _useful_parts(raw: Matrices, parts: Sequence[Part]) -> Iterator[tuple[int, tuple[Part, ...]]]:
    """Yield each timestamp column with the parts that vary and whose cycle the rows cover; or that tells of missing ones."""
    for column, stamps in enumerate(raw.ints.T):
        known = stamps[~is_missing(stamps)]
        if not len(known):
            continue
        span = int(known.max()) - int(known.min())
        covered = [part for part in parts if span >= _LEAST_SPAN.get(part, 0)]
        useful = [part for part in covered if np.ptp(calendar_part(known, part))]
        if not useful and len(known) < len(stamps):
            useful = covered[:1]
        if useful:
            yield column, tuple(useful)
