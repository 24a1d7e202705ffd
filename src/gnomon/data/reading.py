"""Snapshots become lazy tables, typed exactly as the snapshot says. Only the columns that are asked for are read."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from gnomon.data.csv_text import header, text_batches
from gnomon.data.snapshot import Snapshot, SnapshotColumn
from gnomon.data.sources import FileFormat
from gnomon.data.values import DTYPES, converted
from gnomon.errors import DataError


def scan(snapshot: Snapshot, paths: Sequence[Path]) -> pl.LazyFrame:
    """Return the rows of a snapshot, file after file in its order.

    Args:
        snapshot: The manifest.
        paths: Where the content of each of its files lies, in the same order.

    Raises:
        DataError: There is not one path for each file.
    """
    if len(paths) != len(snapshot.files) or not paths:
        raise DataError(
            f"the snapshot has {len(snapshot.files)} files, {len(paths)} paths are given", "give the path of each file's digest"
        )
    return pl.concat(
        [typed(raw_table(path, file.format), snapshot.columns) for path, file in zip(paths, snapshot.files, strict=True)],
        how="vertical",
    )


def within(rows: pl.LazyFrame, time: str, start: int, end: int) -> pl.LazyFrame:
    """Return the rows of one window of event time.

    Args:
        rows: Typed rows.
        time: The column of event times.
        start: First moment of the window, in microseconds since 1970 in UTC.
        end: First moment after it.
    """
    at = event_time(time)
    return rows.filter((at >= start) & (at < end))


def event_time(column: str) -> pl.Expr:
    """Return a column of timestamps or dates as microseconds since 1970 in UTC."""
    return pl.col(column).cast(pl.Datetime("us")).cast(pl.Int64)


def schema(columns: Sequence[SnapshotColumn]) -> pl.Schema:
    """Return the polars schema of rows with these columns."""
    return pl.Schema({column.name: DTYPES[column.type] for column in columns})


def typed(raw: pl.LazyFrame, columns: Sequence[SnapshotColumn]) -> pl.LazyFrame:
    """Return the ``columns`` of ``raw`` in their types; what does not fit becomes null."""
    dtypes = raw.collect_schema()
    return raw.select(converted(pl.col(column.name), dtypes[column.name], column.type).alias(column.name) for column in columns)


def raw_table(path: Path, file_format: FileFormat, name: str = "") -> pl.LazyFrame:
    """Return a file's rows as the file holds them: CSV as text, Parquet in its own types.

    Args:
        path: Where the file lies.
        file_format: What it is, whatever its name says.
        name: What errors call it; its path where nothing is given.

    Raises:
        DataError: It is not such a file.
    """
    name = name or str(path)
    if file_format == "csv":
        names = header(path, name)
        return register_io_source(
            partial(_text, path, name, names), schema=dict.fromkeys(names, pl.String()), is_pure=True, explain_name="CSV"
        )
    return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _text(
    path: Path,
    name: str,
    names: tuple[str, ...],
    with_columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    batch_size: int | None,  # noqa: ARG001 - a hint, and the reader's blocks are of a good size
) -> Iterator[pl.DataFrame]:
    """Read a CSV file as polars asks: these columns, of the first rows, those that the predicate keeps."""
    left = n_rows
    for batch in text_batches(path, with_columns or names, name):
        rows = batch if left is None else batch.head(left)
        if left is not None:
            left -= rows.height
        yield rows if predicate is None else rows.filter(predicate)
        if left == 0:
            return
