"""What the names of folders say: ``year=2013/month=01`` makes the columns ``year`` and ``month`` of every row below."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from urllib.parse import unquote

import msgspec
import polars as pl

from gnomon.data.csv_profile import TextColumn, take_in_batch
from gnomon.data.path_patterns import is_glob
from gnomon.data.profile import FileProfile, FoundColumn
from gnomon.data.source_file import SourceFile
from gnomon.data.values import misfit, missing
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType, Source

_NOTHING = "__HIVE_DEFAULT_PARTITION__"
"""How writers of such folders say that there is no value."""
_MOST_SHOWN = 3


def with_folders(source: Source, files: Sequence[SourceFile]) -> tuple[SourceFile, ...]:
    """Return ``files`` with what their folders say, where the source is partitioned.

    Only folders that the pattern leaves open count: those that it spells out are the same for all rows.

    Raises:
        DataError: ``partitioned: true`` is declared, and the folders do not agree.
    """
    if source.partitioned is False or source.sql is not None:
        return tuple(files)
    pattern = (source.files if source.is_remote else str(PurePosixPath(source.files or ""))) or ""
    parts = pattern.split("/")
    fixed = next((place for place, part in enumerate(parts[:-1]) if is_glob(part)), None)
    said = [_said(file.path.split("/")[fixed:-1]) if fixed is not None else {} for file in files]
    names = {tuple(folders) for folders in said}
    if len(names) == 1 and () not in names:
        return tuple(replace(file, folders=folders) for file, folders in zip(files, said, strict=True))
    if source.partitioned:
        odd = [f"{file.path} ({', '.join(folders) or 'none'})" for file, folders in zip(files, said, strict=True)]
        raise DataError(
            f"the files do not lie in folders of the same columns: {', '.join(odd[:_MOST_SHOWN])}",
            "put every file into folders such as year=2013/month=01, under a pattern such as data/*/*/*.parquet",
        )
    return tuple(files)


def _said(folders: Sequence[str]) -> dict[str, str]:
    said = {}
    for folder in folders:
        name, divider, value = folder.partition("=")
        if divider and name:
            said[unquote(name)] = "" if value == _NOTHING else unquote(value)
    return said


def profiles_with_folders(
    files: Sequence[SourceFile], profiles: Mapping[str, FileProfile], declared: Sequence[Column]
) -> tuple[dict[str, FileProfile], tuple[str, ...]]:
    """Return the profiles of files with the columns that their folders make, and what should be looked at.

    Raises:
        DataError: What a folder says does not fit the declared type.
    """
    by_path = {file.path: file for file in files}
    folders = {path: by_path[path].folders for path in profiles}
    types: dict[str, ColumnType] = {column.name: column.type for column in declared}
    names = next(iter(folders.values()), {})
    found = {
        name: types[name] if name in types else _type_of([said[name] for said in folders.values()])
        for name in names
        if not declared or name in types
    }
    for name, wanted in found.items():
        texts = pl.DataFrame({"path": list(folders), "text": [said[name] for said in folders.values()]})
        bad = texts.filter(misfit(pl.col("text"), pl.String(), wanted or "string"))
        if bad.height:
            path, text = bad.row(0)
            raise DataError(
                f"{path} lies in the folder {name}={text}, which does not fit {wanted}",
                "rename the folder, or declare a type that holds it",
            )
    twice = sorted({c.name for p in profiles.values() for c in p.columns} & names.keys())
    warnings = (f"folders and files both hold {', '.join(twice)}: what the folders say is taken",) if twice else ()
    undeclared = tuple(name for name in names if declared and name not in types)
    return {
        path: msgspec.structs.replace(
            profile,
            columns=tuple(c for c in profile.columns if c.name not in names)
            + tuple(_column(name, wanted, folders[path][name], profile.rows) for name, wanted in found.items()),
            undeclared=tuple(name for name in profile.undeclared if name not in found) + undeclared,
        )
        for path, profile in profiles.items()
    }, warnings


def _column(name: str, wanted: ColumnType | None, text: str, rows: int) -> FoundColumn:
    is_missing = pl.DataFrame({"text": [text]}).select(missing(pl.col("text"), pl.String(), wanted or "string")).item()
    return FoundColumn(name, wanted, rows if is_missing else 0)


def _type_of(texts: Sequence[str]) -> ColumnType | None:
    """Return the narrowest type of what folders say. Two digits are a number: months and days are written so."""
    column = TextColumn("text", None, is_declared=False)
    plain = [text.lstrip("0") or "0" if len(text) == 2 and text.isdecimal() else text for text in dict.fromkeys(texts)]
    take_in_batch([column], pl.DataFrame({"text": plain}), 0)
    return column.type
