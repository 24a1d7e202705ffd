"""The design of linear models, which is never written out: most of its columns are a table that small codes point into.

A row of one-hot features is a row of a unit matrix, a row of calendar waves is a row of a table of sines. So products with
the design need the codes and the tables alone; numbers are made anew, a block of rows at a time. A row takes two bytes for a
text column and one for a part of time, instead of eight for each of hundreds of features.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gnomon.features.calendar_parts import calendar_part, is_missing
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import BLOCK_ROWS, Block, CalendarWaves, OneHot, Preprocessing, wave_table

Floats = NDArray[np.float64]

_KEPT_BYTES = 128 << 20
"""Numbers of all rows that take no more are made once; a search for weights looks at them a hundred times."""


@dataclass(frozen=True, eq=False)
class _Coded:
    """Columns of the design from ``begin`` on: row i holds ``table[codes[i]]``."""

    begin: int
    codes: NDArray[np.unsignedinteger]
    table: Floats

    @property
    def columns(self) -> slice:
        return slice(self.begin, self.begin + self.table.shape[1])


class Design:
    """The features of all rows, (N, W), with products in float64.

    Args:
        preprocessing: What makes features of raw columns.
        raw: The rows.
    """

    def __init__(self, preprocessing: Preprocessing, raw: Matrices) -> None:
        self._raw = raw
        self._dense: list[tuple[NDArray[np.int64], Block]] = []
        self._coded: list[_Coded] = []
        self.width = 0
        for block in preprocessing.blocks:
            self._add(block)
        self._dense_columns = np.concatenate([columns for columns, _ in self._dense] or [np.empty(0, dtype=np.int64)])
        is_small = len(raw) * len(self._dense_columns) * np.dtype(np.float64).itemsize <= _KEPT_BYTES
        self._kept = tuple(self._made_blocks()) if is_small else None

    def __len__(self) -> int:
        return len(self._raw)

    def times(self, weights: Floats) -> Floats:
        """Return the product with weights (W, K): (N, K)."""
        tables = [coded.table @ weights[coded.columns] for coded in self._coded]
        product = np.empty((len(self), weights.shape[1]))
        for rows, dense in self._blocks():
            product[rows] = dense @ weights[self._dense_columns]
            for coded, table in zip(self._coded, tables, strict=True):
                product[rows] += table[coded.codes[rows]]
        return product

    def transposed_times(self, values: Floats) -> Floats:
        """Return the product of the transposed design with values (N, K): (W, K)."""
        product = np.zeros((self.width, values.shape[1]))
        sums = [np.zeros((len(coded.table), values.shape[1])) for coded in self._coded]
        for rows, dense in self._blocks():
            product[self._dense_columns] += dense.T @ values[rows]
            for place, coded in enumerate(self._coded):
                sums[place] += _summed(coded.codes[rows], values[rows], len(coded.table))
        for coded, of_code in zip(self._coded, sums, strict=True):
            product[coded.columns] = coded.table.T @ of_code
        return product

    def gram(self) -> Floats:
        """Return the product of the transposed design with itself, (W, W)."""
        dense_dense = np.zeros((len(self._dense_columns),) * 2)
        coded_dense = [np.zeros((len(coded.table), len(self._dense_columns))) for coded in self._coded]
        together = {
            (i, j): np.zeros((len(one.table), len(other.table)), dtype=np.int64)
            for i, one in enumerate(self._coded)
            for j, other in enumerate(self._coded[: i + 1])
        }
        for rows, dense in self._blocks():
            dense_dense += dense.T @ dense
            codes = [coded.codes[rows].astype(np.int64) for coded in self._coded]
            for i, coded in enumerate(self._coded):
                coded_dense[i] += _summed(codes[i], dense, len(coded.table))
            for (i, j), counts in together.items():
                pairs = np.bincount(codes[i] * counts.shape[1] + codes[j], minlength=counts.size)
                np.add(counts, pairs.reshape(counts.shape), out=counts)
        gram = np.zeros((self.width, self.width))
        gram[np.ix_(self._dense_columns, self._dense_columns)] = dense_dense
        for coded, sums in zip(self._coded, coded_dense, strict=True):
            gram[coded.columns, self._dense_columns] = coded.table.T @ sums
            gram[self._dense_columns, coded.columns] = gram[coded.columns, self._dense_columns].T
        for (i, j), counts in together.items():
            one, other = self._coded[i], self._coded[j]
            gram[one.columns, other.columns] = one.table.T @ counts @ other.table
            gram[other.columns, one.columns] = gram[one.columns, other.columns].T
        return gram

    def _add(self, block: Block) -> None:
        match block:
            case OneHot():
                count = len(block.levels)
                codes = self._raw.texts.replaced(block.column, block.levels, np.arange(count), count)
                self._add_coded(codes, np.eye(count + 1))
            case CalendarWaves():
                stamps = self._raw.ints[:, block.column]
                missing = is_missing(stamps)
                for part in block.parts:
                    places = np.where(missing, 0, calendar_part(stamps, part) + 1)
                    self._add_coded(places, wave_table(part).astype(np.float64))
                self._add_coded(missing.astype(np.int64), np.array([[0.0], [1.0]]))
            case _:
                width = block.transform(self._raw.take(np.arange(min(1, len(self._raw))))).shape[1]
                self._dense.append((np.arange(self.width, self.width + width), block))
                self.width += width

    def _add_coded(self, codes: NDArray[np.int64], table: Floats) -> None:
        self._coded.append(_Coded(self.width, codes.astype(np.min_scalar_type(len(table))), table))
        self.width += table.shape[1]

    def _blocks(self) -> Iterable[tuple[slice, Floats]]:
        """Return the rows block by block, with those of their features that no table holds, (rows, D)."""
        return self._made_blocks() if self._kept is None else self._kept

    def _made_blocks(self) -> Iterator[tuple[slice, Floats]]:
        for begin in range(0, len(self), BLOCK_ROWS):
            rows = slice(begin, min(len(self), begin + BLOCK_ROWS))
            raw = self._raw.take(np.arange(rows.start, rows.stop))
            parts = [block.transform(raw) for _, block in self._dense]
            dense = np.concatenate(parts, axis=1) if parts else np.empty((rows.stop - rows.start, 0))
            yield rows, dense.astype(np.float64)


def _summed(codes: NDArray[np.integer], values: Floats, count: int) -> Floats:
    """Return the sums of values (rows, K) by code: (count, K)."""
    sums = np.zeros((count, values.shape[1]))
    for place, column in enumerate(values.T):
        sums[:, place] = np.bincount(codes, weights=column, minlength=count)
    return sums
