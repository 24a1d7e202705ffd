"""Rows become figures: every column's, a sample of rows, and from the parts of several files those of the whole."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl

from gnomon.data.reading import scan
from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
from gnomon.data.statistics.columns import ColumnFigures, figures_of
from gnomon.data.statistics.sketches import RowSample

FORMAT = 1
"""Counts up when the same rows give other figures."""
_BATCH_ROWS = 131_072
_SAMPLE_ROWS = 5000
_LONGEST_SAMPLED = 200
"""Longer texts stand in the sample cut off."""


class Figures(msgspec.Struct, frozen=True, rename="camel"):
    """The figures of some rows."""

    rows: int
    columns: list[ColumnFigures]
    sample: RowSample
    format: int = FORMAT

    def merged(self, other: "Figures") -> "Figures":
        """Return the figures of both parts, which have the same columns."""
        columns = [one.merged(two) for one, two in zip(self.columns, other.columns, strict=True)]
        return Figures(self.rows + other.rows, columns, self.sample.merged(other.sample))


def hashing() -> str:
    """Return what two parts must have in common for their figures to merge: how hashes are made."""
    return f"{FORMAT} polars {version('polars')}"


def figures(rows: pl.LazyFrame, columns: Sequence[SnapshotColumn]) -> Figures:
    """Return the figures of rows in one pass; memory holds a batch of 131,072 rows and the summaries."""
    parts = (_part(batch, columns) for batch in rows.collect_batches(chunk_size=_BATCH_ROWS) if batch.height)
    return _together(parts, columns)


def snapshot_figures(
    snapshot: Snapshot,
    path: Callable[[SnapshotFile], Path],
    known: Mapping[str, Figures],
    cancelled: Callable[[], bool] = lambda: False,
) -> tuple[Figures, dict[str, Figures]] | None:
    """Return the figures of a snapshot, and of each of its files by digest; None once it is ``cancelled``.

    Args:
        snapshot: The rows.
        path: Returns where a file's content lies.
        known: Figures of files from before: these are not scanned again.
        cancelled: Asked before each file.
    """
    by_file: dict[str, Figures] = {}
    for file in snapshot.files:
        if cancelled():
            return None
        found = known.get(_name(file))
        names = [column.name for column in snapshot.columns]
        if found is None or [figure.name for figure in found.columns] != names:
            one = Snapshot(snapshot.columns, (file,), file.rows)
            found = figures(scan(one, [path(file)]), snapshot.columns)
        by_file[_name(file)] = found
    return _together((by_file[_name(file)] for file in snapshot.files), snapshot.columns), by_file


def _name(file: SnapshotFile) -> str:
    return file.name if file.folders else file.digest


def _together(parts: Iterable[Figures], columns: Sequence[SnapshotColumn]) -> Figures:
    nothing = pl.DataFrame(schema={column.name: pl.Null for column in columns})
    return reduce(Figures.merged, parts, _part(nothing, columns))


def _part(rows: pl.DataFrame, columns: Sequence[SnapshotColumn]) -> Figures:
    found = [figures_of(rows[column.name], column.type) for column in columns]
    return Figures(rows.height, found, _sampled(rows, columns))


def _sampled(rows: pl.DataFrame, columns: Sequence[SnapshotColumn]) -> RowSample:
    if not rows.height:
        return RowSample([], [], {column.name: [] for column in columns}, _SAMPLE_ROWS)
    hashes = rows.hash_rows(seed=1).to_numpy()
    kept, first, counts = np.unique(hashes, return_index=True, return_counts=True)
    picked = rows[first[:_SAMPLE_ROWS].tolist()]
    return RowSample(
        kept[:_SAMPLE_ROWS].tolist(),
        counts[:_SAMPLE_ROWS].tolist(),
        {column.name: _plain(picked[column.name]) for column in columns},
        _SAMPLE_ROWS,
    )


def _plain(values: pl.Series) -> list[Any]:
    """Return values as JSON has them: times as microseconds of the UTC epoch, numbers that are not finite as missing."""
    if values.dtype.is_temporal():
        return values.cast(pl.Datetime("us")).cast(pl.Int64).to_list()
    if values.dtype.is_float():
        return values.set(values.is_infinite() | values.is_nan(), None).to_list()
    if values.dtype == pl.String():
        return values.str.head(_LONGEST_SAMPLED).to_list()
    return values.to_list()
