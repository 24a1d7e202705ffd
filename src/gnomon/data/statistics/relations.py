"""How much a column tells of a target, on the sampled rows: one number from 0 to 1, and whether that is too good."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from gnomon.data.statistics.scan import Figures
from gnomon.resources.dataset import NUMERIC_TYPES

LEAST_ROWS = 30
"""With fewer rows nothing is said."""
_MOST_LEVELS = 50
"""More levels of a text share one, so that a column of names does not explain everything."""
_OTHER = -1


class Relation(msgspec.Struct, frozen=True, rename="camel"):
    """How a column goes with the target.

    ``measure`` is ``spearman`` (rank correlation, two numbers), ``correlationRatio`` (a text and a number; the share of
    the spread that the levels explain, as a root) or ``cramersV`` (two texts; W. Bergsma, 2013, corrected for chance).
    ``pearson`` is given beside ``spearman``. All but it lie between 0 and 1 in size.
    """

    column: str
    measure: str
    value: float
    rows: int
    pearson: float | None = None


def relations(figures: Figures, target: str) -> list[Relation]:
    """Return how every other column goes with the target, the strongest first, from the rows sampled.

    Columns that are missing, constant or different in every row are left out.
    """
    types = {column.name: column.type for column in figures.columns}
    found = []
    for column in figures.columns:
        if column.name == target or column.type not in {*NUMERIC_TYPES, "string", "boolean"}:
            continue
        pair = _known(figures.sample.rows[column.name], figures.sample.rows[target])
        if len(pair) < LEAST_ROWS:
            continue
        related = _related(column.name, pair, types[column.name] in NUMERIC_TYPES, types[target] in NUMERIC_TYPES)
        if related is not None:
            found.append(related)
    return sorted(found, key=lambda relation: (-abs(relation.value), relation.column))


def _known(values: Sequence[Any], target: Sequence[Any]) -> list[tuple[Any, Any]]:
    return [pair for pair in zip(values, target, strict=True) if pair[0] is not None and pair[1] is not None]


def _related(name: str, pair: Sequence[tuple[Any, Any]], is_number: bool, is_number_target: bool) -> Relation | None:  # noqa: FBT001 - two of a kind
    left, right = zip(*pair, strict=True)
    if len(set(left)) < 2 or len(set(right)) < 2:
        return None
    if is_number and is_number_target:
        one, two = np.array(left, dtype=np.float64), np.array(right, dtype=np.float64)
        return Relation(name, "spearman", _correlation(_ranks(one), _ranks(two)), len(pair), _correlation(one, two))
    if is_number:
        return Relation(name, "correlationRatio", _correlation_ratio(_codes(right), np.array(left, np.float64)), len(pair))
    if is_number_target:
        return Relation(name, "correlationRatio", _correlation_ratio(_codes(left), np.array(right, np.float64)), len(pair))
    return Relation(name, "cramersV", _cramers_v(_codes(left), _codes(right)), len(pair))


def _correlation(one: NDArray[np.float64], two: NDArray[np.float64]) -> float:
    # Each is brought to a size of 1 first, so that no square overflows.
    one, two = one / (np.abs(one).max() or 1), two / (np.abs(two).max() or 1)
    one, two = one - one.mean(), two - two.mean()
    size = float(np.sqrt((one @ one) * (two @ two)))
    return round(float(one @ two) / size, 6) if size else 0.0


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the rank of each value; equal ones share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return np.asarray((ends - (counts - 1) / 2)[place], dtype=np.float64)


def _codes(values: Sequence[Any]) -> NDArray[np.int64]:
    """Return a code for each level; all but the most frequent 50 share one, and so do those that occur once."""
    levels, place, counts = np.unique(np.array([str(value) for value in values]), return_inverse=True, return_counts=True)
    ranked = np.argsort(-counts, kind="stable")[:_MOST_LEVELS]
    kept = np.full(len(levels), _OTHER)
    kept[ranked] = np.where(counts[ranked] > 1, np.arange(len(ranked)), _OTHER)
    return np.asarray(kept[place], dtype=np.int64)


def _correlation_ratio(codes: NDArray[np.int64], values: NDArray[np.float64]) -> float:
    """Return eta, corrected for the number of levels (epsilon squared: T. L. Kelley, 1935)."""
    values = values / (np.abs(values).max() or 1)
    levels, place, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rows, groups = len(values), len(levels)
    total = float(np.square(values - values.mean()).sum())
    if not total or groups < 2 or rows <= groups:
        return 0.0
    means = np.bincount(place, weights=values) / counts
    within = float(np.square(values - means[place]).sum())
    explained = 1 - (within / (rows - groups)) / (total / (rows - 1))
    return round(float(np.sqrt(max(0.0, explained))), 6)


def _cramers_v(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    _, left = np.unique(one, return_inverse=True)
    _, right = np.unique(two, return_inverse=True)
    shape = (int(left.max()) + 1, int(right.max()) + 1)
    rows = len(left)
    if min(shape) < 2:
        return 0.0
    seen = np.bincount(left * shape[1] + right, minlength=shape[0] * shape[1]).reshape(shape)
    expected = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / rows
    squared = float((np.square(seen - expected) / expected).sum()) / rows
    chance = (shape[0] - 1) * (shape[1] - 1) / (rows - 1)
    widths = [width - (width - 1) ** 2 / (rows - 1) for width in shape]
    least = min(widths) - 1
    return round(float(np.sqrt(max(0.0, squared - chance) / least)), 6) if least > 0 else 0.0
