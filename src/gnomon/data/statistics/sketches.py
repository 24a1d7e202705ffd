"""Small summaries of many values that merge: distinct values by their least hashes, quantiles by buckets of equal ratio.

The summary of two parts merged is the summary of the whole, to the last count, so that each file is scanned once in its life.
"""

import math
from collections.abc import Iterator
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

LEAST_HASHES = 1024
"""Up to this many distinct values are counted exactly; more are estimated to about 3% (1 / sqrt of this)."""
ACCURACY = 0.01
"""Greatest relative error of a quantile."""

_RATIO = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_RATIO = math.log(_RATIO)
_HASH_RANGE = 2.0**64


class Distinct(msgspec.Struct, frozen=True, rename="camel"):
    """How many different values there are: the least of their 64-bit hashes, in order.

    Z. Bar-Yossef et al., 2002, Counting distinct elements in a data stream (RANDOM), the k-minimum-values estimate.
    """

    least: list[int] = []

    @classmethod
    def of(cls, hashes: NDArray[np.uint64]) -> "Distinct":
        """Return the summary of values, given as one hash of each."""
        return cls(least_hashes(hashes, LEAST_HASHES).tolist())

    def merged(self, other: "Distinct") -> "Distinct":
        """Return the summary of both."""
        both = np.array(self.least + other.least, dtype=np.uint64)
        return Distinct(least_hashes(both, LEAST_HASHES).tolist())

    @property
    def is_exact(self) -> bool:
        """Whether every value is counted."""
        return len(self.least) < LEAST_HASHES

    @property
    def count(self) -> int:
        """The number of different values, estimated where it is not exact."""
        if self.is_exact:
            return len(self.least)
        return round((LEAST_HASHES - 1) / (self.least[-1] / _HASH_RANGE))


def least_hashes(hashes: NDArray[np.uint64], most: int) -> NDArray[np.uint64]:
    """Return the least ``most`` different hashes, in order."""
    # A cut at four times the share that is wanted leaves few to sort, and nearly always enough.
    if len(hashes) > 64 * most:
        cut = np.uint64(min(_HASH_RANGE - 2**11, 4.0 * most / len(hashes) * _HASH_RANGE))
        few = np.unique(hashes[hashes <= cut])
        if len(few) >= most:
            return few[:most]
    return np.unique(hashes)[:most]


class Buckets(msgspec.Struct, frozen=True, rename="camel"):
    """Finite numbers by size: bucket i holds those up to ratio^i in size, so that each quantile is known to 1%.

    C. Masson, J. E. Rim, H. K. Lee, 2019, DDSketch (PVLDB 12:2195), without a limit on the number of buckets: a column
    of numbers from 1e-9 to 1e9 takes at most about 2,100 of each sign.
    """

    zeros: int = 0
    positive: dict[int, int] = {}
    negative: dict[int, int] = {}

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "Buckets":
        """Return the summary of finite numbers."""
        positive, negative = values[values > 0], -values[values < 0]
        return cls(len(values) - len(positive) - len(negative), _counted(positive), _counted(negative))

    def merged(self, other: "Buckets") -> "Buckets":
        """Return the summary of both."""
        return Buckets(self.zeros + other.zeros, _summed(self.positive, other.positive), _summed(self.negative, other.negative))

    @property
    def count(self) -> int:
        """How many numbers there are."""
        return self.zeros + sum(self.positive.values()) + sum(self.negative.values())

    def ascending(self) -> Iterator[tuple[float, int]]:
        """Yield the middle and the count of every bucket, the least numbers first."""
        for bucket in sorted(self.negative, reverse=True):
            yield -_middle(bucket), self.negative[bucket]
        if self.zeros:
            yield 0.0, self.zeros
        for bucket in sorted(self.positive):
            yield _middle(bucket), self.positive[bucket]

    def quantiles(self, shares: list[float]) -> list[float]:
        """Return the values below which the ``shares`` (rising, 0 to 1) of the numbers lie; there must be a number."""
        steps = list(self.ascending())
        reached = np.cumsum([count for _, count in steps])
        ranks = np.array(shares) * (reached[-1] - 1)
        return [steps[place][0] for place in np.searchsorted(reached, ranks, side="right").clip(max=len(steps) - 1)]


def _counted(sizes: NDArray[np.float64]) -> dict[int, int]:
    if not len(sizes):
        return {}
    buckets = np.ceil(np.log(sizes) / _LOG_RATIO).astype(np.int64)
    first = int(buckets.min())
    counts = np.bincount(buckets - first)
    places = np.flatnonzero(counts)
    return dict(zip((places + first).tolist(), counts[places].tolist(), strict=True))


def _summed(one: dict[int, int], other: dict[int, int]) -> dict[int, int]:
    small, large = sorted((one, other), key=len)
    both = dict(large)
    for bucket, count in small.items():
        both[bucket] = both.get(bucket, 0) + count
    return both


def _middle(bucket: int) -> float:
    try:
        return float(2 * _RATIO**bucket / (_RATIO + 1))
    except OverflowError:
        return float(np.finfo(np.float64).max)


class RowSample(msgspec.Struct, frozen=True, rename="camel"):
    """Some of the different rows, picked by the least hashes of whole rows, and how often each occurs.

    Which rows are picked does not depend on their order or on the files that they lie in. Their counts tell the share of
    rows that repeat another one: exactly where every different row is here, else as the estimate from those picked.
    """

    hashes: list[int] = []
    counts: list[int] = []
    rows: dict[str, list[Any]] = {}
    """Values by column, in the order of ``hashes``."""
    most: int = 5000

    def merged(self, other: "RowSample") -> "RowSample":
        """Return the sample of both."""
        most = max(self.most, other.most)
        hashes = np.array(self.hashes + other.hashes, dtype=np.uint64)
        counts = np.array(self.counts + other.counts, dtype=np.int64)
        kept, first, place = np.unique(hashes, return_index=True, return_inverse=True)
        summed = np.bincount(place, weights=counts, minlength=len(kept)).astype(np.int64)
        rows = {}
        for name in self.rows or other.rows:
            values = self.rows.get(name, []) + other.rows.get(name, [])
            rows[name] = [values[place] for place in first[:most]]
        return RowSample(kept[:most].tolist(), summed[:most].tolist(), rows, most)

    @property
    def is_exact(self) -> bool:
        """Whether every different row is here."""
        return len(self.hashes) < self.most

    @property
    def duplicates(self) -> float:
        """Share of the rows that repeat an earlier one."""
        total = sum(self.counts)
        return (total - len(self.counts)) / total if total else 0.0
