"""One file becomes its profile: rows, columns, types, missing values, and every value that does not fit what was declared.

A profile is read off the whole file once and kept; as long as the file stays, it is not read again.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import msgspec
import polars as pl

from gnomon.data import json_text
from gnomon.data.csv_profile import EXAMPLES, TextColumn, take_in_batch
from gnomon.data.csv_text import header, text_batches
from gnomon.data.raw_tables import raw_table
from gnomon.data.source_file import FileFormat
from gnomon.data.values import MISSING_TEXTS, accepts, misfit, missing, natural_type
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType
from gnomon.resources.identity import Digest

_MEND_MISFITS = "correct the values, or declare a type that holds them"
_SHOWN_CHARACTERS = 60
_PANDAS_INDEX = re.compile(r"__index_level_\d+__")
"""Where pandas keeps an index without a name."""


class FoundColumn(msgspec.Struct, frozen=True, rename="camel"):
    """What one file holds of one column. ``type`` is None where it holds no value. ``markers`` counts texts such as NA."""

    name: str
    type: ColumnType | None
    missing: int
    markers: int = 0


class FileProfile(msgspec.Struct, frozen=True, rename="camel"):
    """What one file holds. ``digest`` names its content, uncompressed, in the object store."""

    digest: Digest
    format: FileFormat
    size_bytes: int
    rows: int
    columns: tuple[FoundColumn, ...]
    undeclared: tuple[str, ...] = ()
    unusable: Mapping[str, str] = {}
    """Columns that nothing of ours can hold, or that are no data, with what they hold."""


@dataclass(frozen=True)
class Content:
    """A file's content in the object store, and what people call the file."""

    name: str
    path: Path
    digest: Digest
    format: FileFormat


def profile(content: Content, declared: Sequence[Column]) -> FileProfile:
    """Read a whole file and return its profile; with ``declared`` columns, their types are enforced.

    Raises:
        DataError: The file is not well-formed, a declared column is absent, or values do not fit: all of it at once,
            with the rows, which count from 1 below the header.
    """
    match content.format:
        case "csv" | "jsonl":
            return _text_profile(content, declared)
        case "parquet" | "arrow":
            return _typed_profile(content, declared)


def _text_profile(content: Content, declared: Sequence[Column]) -> FileProfile:
    is_csv = content.format == "csv"
    names = header(content.path, content.name) if is_csv else json_text.keys(content.path, content.name)
    _require(content.name, declared, names)
    types: dict[str, ColumnType] = {column.name: column.type for column in declared}
    columns = [TextColumn(name, types.get(name), is_declared=bool(declared)) for name in types or names]
    rows = 0
    for batch in _batches(content, [column.name for column in columns]):
        take_in_batch(columns, batch.rows, rows, batch.quoted)
        rows += batch.rows.height
    problems = [
        _misfit_problem(content.name, column.name, column.type, column.misfits, column.examples)
        for column in columns
        if column.misfits
    ]
    if problems:
        raise DataError("; ".join(problems), _MEND_MISFITS)
    return FileProfile(
        digest=content.digest,
        format=content.format,
        size_bytes=content.path.stat().st_size,
        rows=rows,
        columns=tuple(
            FoundColumn(column.name, column.type, column.missing, column.markers if column.type == "string" else 0)
            for column in columns
        ),
        undeclared=tuple(name for name in names if declared and name not in types),
    )


def _batches(content: Content, names: Sequence[str]) -> Iterable[json_text.TextBatch]:
    if content.format == "jsonl":
        return json_text.text_batches(content.path, names, content.name)
    return (json_text.TextBatch(rows, frozenset()) for rows in text_batches(content.path, names, content.name))


def _typed_profile(content: Content, declared: Sequence[Column]) -> FileProfile:
    try:
        return _profile_of_table(content, raw_table(content.path, content.format, content.name), declared)
    except pl.exceptions.PolarsError as error:
        form = "Parquet" if content.format == "parquet" else "Arrow"
        raise DataError(
            f"{content.name} cannot be read as {form}: {str(error)[:300]}", "write it anew, or declare its source.format"
        ) from error


def _profile_of_table(content: Content, lazy: pl.LazyFrame, declared: Sequence[Column]) -> FileProfile:
    dtypes = dict(lazy.collect_schema())
    _require(content.name, declared, tuple(dtypes))
    types: dict[str, ColumnType] = {column.name: column.type for column in declared}
    unusable: dict[str, str] = {}
    for name, dtype in {} if declared else dtypes.items():
        wanted = natural_type(dtype)
        if not name.strip():
            raise DataError(f"{content.name} has a column without a name", "give every column a name, or declare a schema")
        if wanted is None:
            unusable[name] = str(dtype)
        elif _PANDAS_INDEX.fullmatch(name):
            unusable[name] = "the index of a pandas frame"
        else:
            types[name] = wanted
    _refuse_foreign(content.name, dtypes, types)
    counts = lazy.select(
        pl.len().alias("\0rows"),
        *(_missing_count(name, dtypes[name], wanted) for name, wanted in types.items()),
        *(_misfit_count(name, dtypes[name], wanted) for name, wanted in types.items()),
        *(_marker_count(name, dtypes[name]) for name, wanted in types.items() if wanted == "string"),
    )
    seen = counts.collect(engine="streaming").row(0, named=True)
    problems = [
        _typed_misfits(content.name, lazy, name, dtypes[name], wanted, seen[f"{name}\0misfits"])
        for name, wanted in types.items()
        if seen[f"{name}\0misfits"]
    ]
    if problems:
        raise DataError("; ".join(problems), _MEND_MISFITS)
    rows = seen["\0rows"]
    return FileProfile(
        digest=content.digest,
        format=content.format,
        size_bytes=content.path.stat().st_size,
        rows=rows,
        columns=tuple(
            FoundColumn(
                name,
                None if not declared and seen[f"{name}\0missing"] == rows else wanted,
                seen[f"{name}\0missing"],
                seen.get(f"{name}\0markers", 0),
            )
            for name, wanted in types.items()
        ),
        undeclared=tuple(name for name in dtypes if declared and name not in types),
        unusable=unusable,
    )


def _missing_count(name: str, dtype: pl.DataType, wanted: ColumnType) -> pl.Expr:
    return missing(pl.col(name), dtype, wanted).sum().alias(f"{name}\0missing")


def _misfit_count(name: str, dtype: pl.DataType, wanted: ColumnType) -> pl.Expr:
    return misfit(pl.col(name), dtype, wanted).sum().alias(f"{name}\0misfits")


def _marker_count(name: str, dtype: pl.DataType) -> pl.Expr:
    text = pl.col(name).cast(pl.String) if not isinstance(dtype, pl.String) else pl.col(name)
    return text.is_in(MISSING_TEXTS[1:]).sum().alias(f"{name}\0markers")


def _typed_misfits(file: str, lazy: pl.LazyFrame, name: str, dtype: pl.DataType, wanted: ColumnType, count: int) -> str:
    bad = lazy.select(pl.col(name)).with_row_index("row", 1).filter(misfit(pl.col(name), dtype, wanted)).head(EXAMPLES)
    return _misfit_problem(file, name, wanted, count, bad.collect().rows())


def _refuse_foreign(file: str, dtypes: Mapping[str, pl.DataType], types: Mapping[str, ColumnType]) -> None:
    foreign = [
        f"column {name} holds {dtypes[name]}, which cannot become {wanted}"
        for name, wanted in types.items()
        if not accepts(dtypes[name], wanted)
    ]
    if foreign:
        raise DataError(
            f"{file}: {'; '.join(foreign)}", "declare the type that the file holds, or write the file with this type"
        )


def _require(file: str, declared: Sequence[Column], names: Sequence[str]) -> None:
    absent = [column.name for column in declared if column.name not in names]
    if not absent:
        return
    told = []
    for name in absent:
        near = get_close_matches(name, names, n=1) or [known for known in names if known.lower() == name.lower()]
        told.append(f"{name} (did you mean {near[0]}?)" if near else name)
    raise DataError(
        f"{file} has no column {', '.join(told)}", f"correct the schema or the file; its columns are {_shortened(names)}"
    )


def _misfit_problem(file: str, column: str, wanted: str | None, count: int, examples: Sequence[tuple[int, object]]) -> str:
    shown = ", ".join(f"{_shown(value)} (row {row})" for row, value in examples)
    holds = "1 value that does" if count == 1 else f"{count} values that do"
    return f"{file}: column {column} holds {holds} not fit {wanted}: {shown}"


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _shortened(names: Sequence[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
