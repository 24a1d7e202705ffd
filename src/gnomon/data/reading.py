"""Snapshots become lazy tables, typed exactly as the snapshot says. Only the columns that are asked for are read."""

from collections.abc import Sequence
from pathlib import Path

import polars as pl

from gnomon.data.raw_tables import raw_table
from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile
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
        [file_rows(path, file, snapshot.columns) for path, file in zip(paths, snapshot.files, strict=True)],
        how="vertical",
    )


def file_rows(path: Path, file: SnapshotFile, columns: Sequence[SnapshotColumn]) -> pl.LazyFrame:
    """Return the typed rows of one file of a snapshot, whose content lies at ``path``."""
    raw = raw_table(path, file.format, columns=[column.name for column in columns if column.name not in file.folders])
    said = [pl.lit(text, pl.String()).alias(name) for name, text in file.folders.items()]
    return typed(raw.with_columns(said) if said else raw, columns)


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
