"""CSV files become batches of text columns; where a file is not well-formed, the line is named.

One strict reader serves the intake and every later scan, so that both see the same rows: comma-separated, UTF-8 (with
or without a byte order mark), a header line, fields in double quotes may hold commas, quotes and line breaks, every row
as many fields as the header. Blank lines are skipped.
"""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import pyarrow as pa
from pyarrow import csv as arrow_csv

from gnomon.errors import DataError

_BLOCK_BYTES = 2**21
_HEADER_BYTES = 2**20
_MEND_ENCODING = "save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW"


def header(path: Path, name: str) -> tuple[str, ...]:
    """Return the column names of a CSV file, without the white space around them.

    Args:
        path: Where the file lies.
        name: What errors call it.

    Raises:
        DataError: The file is empty, not UTF-8, not comma-separated, or names a column twice or not at all.
    """
    names = [column.strip() for column in _raw_header(path, name)]
    unnamed = [str(place) for place, column in enumerate(names, 1) if not column]
    if unnamed:
        index = "; pandas writes its index so: use to_csv(..., index=False)" if unnamed == ["1"] else ""
        raise DataError(f"{name}: the header names no column in field {', '.join(unnamed)}", f"give every column a name{index}")
    doubled = sorted({column for column in names if names.count(column) > 1})
    if doubled:
        raise DataError(
            f"{name}: the header names {', '.join(map(repr, doubled))} more than once",
            "give every column a name of its own; a file without a header needs one",
        )
    for separator, spoken in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if len(names) == 1 and separator in names[0]:
            raise DataError(f"{name} separates its columns by {spoken}", "separate them by commas, or save it as Parquet")
    return tuple(names)


def text_batches(path: Path, columns: Sequence[str], name: str) -> Iterator[pl.DataFrame]:
    """Yield the rows of a CSV file in order, as frames of text columns; no value is null.

    Args:
        path: Where the file lies.
        columns: Which columns are wanted, as `header` names them; at least one.
        name: What errors call the file.

    Raises:
        DataError: The file is not well-formed; the line is named.
    """
    raw = _raw_header(path, name)
    raw_names = {column.strip(): column for column in raw}
    try:
        with arrow_csv.open_csv(
            path,
            read_options=arrow_csv.ReadOptions(block_size=_BLOCK_BYTES, use_threads=pl.thread_pool_size() > 1),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=arrow_csv.ConvertOptions(
                column_types={column: pa.string() for column in raw},
                include_columns=[raw_names[column] for column in columns],
                strings_can_be_null=False,
            ),
        ) as reader:
            for batch in reader:
                frame = pl.from_arrow(batch)
                assert isinstance(frame, pl.DataFrame)  # noqa: S101 - narrows the type
                frame.columns = list(columns)
                yield frame
    except pa.ArrowInvalid as error:
        if "Empty CSV file" in str(error):
            return  # a header without a line break, and nothing below it
        raise _malformed(path, len(raw), name, str(error)) from error


def _raw_header(path: Path, name: str) -> list[str]:
    with path.open("rb") as file:
        start = file.read(_HEADER_BYTES)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{name} is encoded as UTF-16", _MEND_ENCODING.replace("LATIN1", "UTF-16"))
    whole = start if len(start) < _HEADER_BYTES else start[: start.rfind(b"\n") + 1]
    try:
        lines = whole.decode("utf-8-sig").splitlines(keepends=True)
    except UnicodeDecodeError:
        # What follows the first line is looked at as it is read.
        lines = whole.split(b"\n", 1)[0].decode("utf-8-sig", errors="replace").splitlines(keepends=True)
        if any("\ufffd" in line for line in lines):
            raise _not_utf8(path, name) from None
    rows = csv.reader(lines, strict=True)
    try:
        names = next((row for row in rows if row), None)
    except csv.Error as error:
        raise DataError(f"{name}: the header cannot be read: {error}", "name the columns in the first line") from error
    if names is None:
        raise DataError(f"{name} is empty", "give it a header line and rows, or leave the file out of the source")
    return names


def _malformed(path: Path, expected: int, name: str, told: str) -> DataError:
    """Return what is wrong with a file that the reader refused, with the line, by reading it slowly."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file, strict=True)
            try:
                for row in rows:
                    if row and len(row) != expected:
                        return DataError(
                            f"{name}, line {rows.line_num}: the row has {len(row)} fields, the header {expected}",
                            "give every row as many fields as the header; put a field that holds a comma in double quotes",
                        )
            except csv.Error as error:
                return DataError(
                    f"{name}, line {rows.line_num}: {error}", "close every quoted field; double a quote inside one"
                )
    except UnicodeDecodeError:
        return _not_utf8(path, name)
    return DataError(f"{name} cannot be read as CSV: {told[:300]}", "mend the file, or save it as Parquet")


def _not_utf8(path: Path, name: str) -> DataError:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return DataError(f"{name}, line {number}: byte 0x{line[error.start]:02x} is not UTF-8", _MEND_ENCODING)
    return DataError(f"{name} is not UTF-8", _MEND_ENCODING)
