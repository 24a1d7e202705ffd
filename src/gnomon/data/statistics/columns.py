"""One column becomes its figures. Figures of parts merge into those of the whole."""

import math
from typing import Any

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.data.statistics.sketches import Buckets, Distinct
from gnomon.resources.dataset import NUMERIC_TYPES, ColumnType

MOST_KEPT_VALUES = 1000
"""Text values that are counted one by one; of a column with more, the most frequent of each part are kept."""
_DAY_US = 86_400_000_000
_HASH_SEED = 1


class Numbers(msgspec.Struct, frozen=True, rename="camel"):
    """Figures of a numeric column; all but ``infinite`` are of the finite values. Moments are of float64."""

    least: float
    most: float
    mean: float
    squares: float
    """Sum of squared deviations from the mean."""
    infinite: int
    whole: int
    """Values without a fraction."""
    buckets: Buckets

    def merged(self, other: "Numbers") -> "Numbers":
        """Return the figures of both (T. F. Chan, G. H. Golub, R. J. LeVeque, 1979: pairwise update of moments)."""
        n, m = self.buckets.count, other.buckets.count
        if not n or not m:
            kept = self if n else other
            return msgspec.structs.replace(kept, infinite=self.infinite + other.infinite)
        apart = other.mean - self.mean
        return Numbers(
            least=min(self.least, other.least),
            most=max(self.most, other.most),
            mean=self.mean + apart * m / (n + m),
            squares=self.squares + other.squares + apart * apart * n * m / (n + m),
            infinite=self.infinite + other.infinite,
            whole=self.whole + other.whole,
            buckets=self.buckets.merged(other.buckets),
        )

    @property
    def deviation(self) -> float:
        """Standard deviation."""
        count = self.buckets.count
        return math.sqrt(max(0.0, self.squares / count)) if count else 0.0


class Texts(msgspec.Struct, frozen=True, rename="camel"):
    """Figures of a text or boolean column."""

    empty: int
    shortest: int
    longest: int
    """Characters."""
    padded: int
    """Values with white space at an end."""
    dates: int
    """Values that read as a date."""
    numbers: int
    """Values that read as a number."""
    values: dict[str, int]
    """How often each value occurs."""
    lost: int = 0
    """Values that are not among ``values`` occur at most this often; 0 where all are there."""

    def merged(self, other: "Texts") -> "Texts":
        """Return the figures of both; counts of values are lower bounds where some are lost."""
        counts = dict(self.values)
        for value, count in other.values.items():
            counts[value] = counts.get(value, 0) + count
        values, cut = most_frequent(counts)
        return Texts(
            empty=self.empty + other.empty,
            shortest=min(self.shortest, other.shortest),
            longest=max(self.longest, other.longest),
            padded=self.padded + other.padded,
            dates=self.dates + other.dates,
            numbers=self.numbers + other.numbers,
            values=values,
            lost=max(self.lost + other.lost, cut + self.lost + other.lost if cut else 0),
        )


class Times(msgspec.Struct, frozen=True, rename="camel"):
    """Figures of a column of timestamps or dates: microseconds of the UTC epoch, and rows by day since then."""

    first: int
    last: int
    days: dict[int, int]

    def merged(self, other: "Times") -> "Times":
        """Return the figures of both."""
        days = dict(self.days)
        for day, count in other.days.items():
            days[day] = days.get(day, 0) + count
        return Times(min(self.first, other.first), max(self.last, other.last), days)


class ColumnFigures(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """All that is known of a column. One of ``numbers``, ``texts`` and ``times`` is there, unless every value is missing."""

    name: str
    type: ColumnType
    rows: int
    missing: int
    distinct: Distinct
    numbers: Numbers | None = None
    texts: Texts | None = None
    times: Times | None = None

    def merged(self, other: "ColumnFigures") -> "ColumnFigures":
        """Return the figures of both parts."""
        return ColumnFigures(
            name=self.name,
            type=self.type,
            rows=self.rows + other.rows,
            missing=self.missing + other.missing,
            distinct=self.distinct.merged(other.distinct),
            numbers=_merged(self.numbers, other.numbers),
            texts=_merged(self.texts, other.texts),
            times=_merged(self.times, other.times),
        )

    @property
    def present(self) -> int:
        """Rows that have a value."""
        return self.rows - self.missing


def _merged(one: Any, other: Any) -> Any:
    return one.merged(other) if one is not None and other is not None else one if one is not None else other


def most_frequent(counts: dict[str, int]) -> tuple[dict[str, int], int]:
    """Return the most frequent values, equal ones in the order of their text, and the count of the first one left out."""
    if len(counts) <= MOST_KEPT_VALUES:
        return counts, 0
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return dict(ranked[:MOST_KEPT_VALUES]), ranked[MOST_KEPT_VALUES][1]


def figures_of(column: pl.Series, column_type: ColumnType) -> ColumnFigures:
    """Return the figures of one part of a column; a NaN is a missing value."""
    values = column.drop_nulls()
    if values.dtype.is_float():
        values = values.drop_nans()
    figures = ColumnFigures(
        column.name, column_type, len(column), len(column) - len(values), Distinct.of(hashes_of(values).to_numpy())
    )
    if values.is_empty():
        return figures
    if column_type in NUMERIC_TYPES:
        return msgspec.structs.replace(figures, numbers=_numbers(values))
    if column_type in {"timestamp", "date"}:
        return msgspec.structs.replace(figures, times=_times(values))
    return msgspec.structs.replace(figures, texts=_texts(values.cast(pl.String)))


def hashes_of(values: pl.Series) -> pl.Series:
    """Return a 64-bit hash of each value, the same for equal values of any part."""
    return values.hash(_HASH_SEED)


def _numbers(values: pl.Series) -> Numbers:
    all_values: NDArray[np.float64] = values.cast(pl.Float64).to_numpy()
    finite = all_values[np.isfinite(all_values)] if values.dtype.is_float() else all_values
    infinite = len(all_values) - len(finite)
    if not len(finite):
        return Numbers(0.0, 0.0, 0.0, 0.0, infinite, 0, Buckets())
    # Sums of numbers near the largest float are undefined, and told so as infinite.
    with np.errstate(over="ignore", invalid="ignore"):
        mean = float(finite.mean())
        squares = float(np.square(finite - mean).sum())
        whole = len(finite) if values.dtype.is_integer() else int(np.count_nonzero(finite == np.trunc(finite)))
    return Numbers(float(finite.min()), float(finite.max()), mean, squares, infinite, whole, Buckets.of(finite))


def _times(values: pl.Series) -> Times:
    stamps: NDArray[np.int64] = values.cast(pl.Datetime("us")).cast(pl.Int64).to_numpy()
    days, counts = np.unique(stamps // _DAY_US, return_counts=True)
    return Times(int(stamps.min()), int(stamps.max()), dict(zip(days.tolist(), counts.tolist(), strict=True)))


def _texts(values: pl.Series) -> Texts:
    counted = values.rename("text").value_counts(name="count")
    text, count = pl.col("text"), pl.col("count")
    length = text.str.len_chars()
    facts = counted.select(
        empty=count.filter(text == "").sum(),
        shortest=length.min(),
        longest=length.max(),
        padded=count.filter(text != text.str.strip_chars()).sum(),
        dates=count.filter(text.str.contains(r"^\d{4}-\d{2}-\d{2}([T ]|$)")).sum(),
        numbers=count.filter(text.str.contains(r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")).sum(),
    ).row(0, named=True)
    most = counted.sort([count, text], descending=[True, False]).head(MOST_KEPT_VALUES + 1)
    lost = most["count"][MOST_KEPT_VALUES] if most.height > MOST_KEPT_VALUES else 0
    kept = most.head(MOST_KEPT_VALUES)
    values_kept = dict(zip(kept.to_series(0).to_list(), kept["count"].to_list(), strict=True))
    return Texts(**facts, values=values_kept, lost=int(lost))
