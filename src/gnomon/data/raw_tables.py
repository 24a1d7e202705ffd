"""One file becomes a lazy table of what it holds. Only the columns that are asked for are read, batch by batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import polars as pl
from polars.io.plugins import register_io_source

from gnomon.data import csv_text, json_text
from gnomon.data.arrow_batches import arrow_batches, arrow_schema
from gnomon.data.source_file import FileFormat

_Batches = Callable[[Path, Sequence[str], str], Iterable[pl.DataFrame]]


def raw_table(path: Path, file_format: FileFormat, name: str = "", columns: Sequence[str] | None = None) -> pl.LazyFrame:
    """Return a file's rows as the file holds them: CSV and JSON lines as text, Parquet and Arrow in their own types.

    Args:
        path: Where the file lies.
        file_format: What it is, whatever its name says.
        name: What errors call it; its path where nothing is given.
        columns: Those that will be asked for, where they are known: the keys of JSON lines need not be looked for then.

    Raises:
        DataError: It is not such a file.
    """
    name = name or str(path)
    match file_format:
        case "csv":
            return _streamed(path, name, _text_schema(csv_text.header(path, name)), csv_text.text_batches, "CSV")
        case "jsonl":
            return _streamed(path, name, _text_schema(columns or json_text.keys(path, name)), _json_rows, "JSONL")
        case "arrow":
            return _streamed(path, name, arrow_schema(path, name), arrow_batches, "ARROW")
        case "parquet":
            return pl.scan_parquet(path, glob=False, hive_partitioning=False)


def _text_schema(names: Sequence[str]) -> pl.Schema:
    return pl.Schema(dict.fromkeys(names, pl.String()))


def _json_rows(path: Path, columns: Sequence[str], name: str) -> Iterator[pl.DataFrame]:
    return (batch.rows for batch in json_text.text_batches(path, columns, name))


def _streamed(path: Path, name: str, schema: pl.Schema, batches: _Batches, spoken: str) -> pl.LazyFrame:
    return register_io_source(
        partial(_rows, path, name, tuple(schema), batches), schema=schema, is_pure=True, explain_name=spoken
    )


def _rows(
    path: Path,
    name: str,
    names: tuple[str, ...],
    batches: _Batches,
    with_columns: list[str] | None,
    predicate: pl.Expr | None,
    n_rows: int | None,
    batch_size: int | None,  # noqa: ARG001 - a hint, and the reader's blocks are of a good size
) -> Iterator[pl.DataFrame]:
    """Read a file as polars asks: these columns, of the first rows, those that the predicate keeps."""
    left = n_rows
    for batch in batches(path, with_columns or names, name):
        rows = batch if left is None else batch.head(left)
        if left is not None:
            left -= rows.height
        yield rows if predicate is None else rows.filter(predicate)
        if left == 0:
            return
