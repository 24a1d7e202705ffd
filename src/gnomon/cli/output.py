"""Values become what people and programs read: ``-o table``, ``wide``, ``json`` or ``yaml``, the same way for every command."""

import dataclasses
import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any

import typer
import yaml

_GAP = "  "
# Control characters would move the cursor or change the terminal's title; the others reverse the order of text.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")
_UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""The same, but for tabs and line breaks; and halves of characters, which cannot be written at all."""


class Format(StrEnum):
    """How a command prints."""

    TABLE = "table"
    WIDE = "wide"
    JSON = "json"
    YAML = "yaml"


Output = Annotated[Format, typer.Option("-o", "--output", help="How to print.")]
"""The option that every command has which prints values."""


@dataclass(frozen=True)
class Column:
    """One column of a table: ``key`` is that of a row's mapping or an attribute of a row; ``wide`` ones need ``-o wide``."""

    title: str
    key: str
    wide: bool = False


def print_rows(
    rows: Iterable[object],
    columns: Sequence[Column],
    output: Format,
    *,
    documents: Sequence[object] | None = None,
    empty: str = "nothing found",
) -> None:
    """Print a list.

    Args:
        rows: Mappings or dataclasses, one for each line of the table.
        columns: What the table shows of each.
        output: How to print.
        documents: What ``json`` and ``yaml`` print instead of the rows.
        empty: What a table without rows says, on standard error, so that a pipe gets nothing.
    """
    listed = list(rows)
    if output in {Format.JSON, Format.YAML}:
        print_document(listed if documents is None else documents, output)
        return
    shown = [column for column in columns if output is Format.WIDE or not column.wide]
    lines = [[cell_text(_cell(row, column.key)) for column in shown] for row in listed]
    if not lines:
        typer.echo(empty, err=True)
    elif sys.stdout.isatty():
        _print_rich([column.title for column in shown], lines)
    else:
        _print_plain([column.title for column in shown], lines)


def print_document(document: object, output: Format) -> None:
    """Print one value as JSON, or else as YAML, which people read more easily."""
    value = plain(document)
    if output is Format.JSON:
        text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
        typer.echo(_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text))
        return
    text = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=120)
    typer.echo(yaml.safe_dump(value, sort_keys=False, width=120) if _UNSAFE.search(text) else text, nl=False)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print text that others may have had a hand in: whatever it holds, it commands no terminal."""
    typer.echo(_UNSAFE.sub(" ", text), err=err, nl=nl)


def plain(value: object) -> Any:
    """Return ``value`` as JSON values; what JSON cannot say becomes text, and a number that is none becomes null."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        items = sorted(value, key=str) if isinstance(value, (set, frozenset)) else value
        return [plain(item) for item in items]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, date):
        return value.isoformat()
    return value if value is None or type(value) in {str, int, bool} else str(value)


def cell_text(value: object) -> str:
    """Return one cell of a table: a single line that cannot command a terminal."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, (list, tuple)):
        return ", ".join(cell_text(item) for item in value)
    return _UNPRINTABLE.sub(" ", str(value))


def _cell(row: object, key: str) -> object:
    return row.get(key) if isinstance(row, Mapping) else getattr(row, key)


def _print_plain(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    table = [titles, *lines]
    widths = [max(len(line[index]) for line in table) for index in range(len(titles))]
    for line in table:
        typer.echo(_GAP.join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_rich(titles: Sequence[str], lines: Sequence[Sequence[str]]) -> None:
    from rich.console import Console  # noqa: PLC0415 - costs as much as all the rest, and only terminals need it
    from rich.table import Table  # noqa: PLC0415 - likewise
    from rich.text import Text  # noqa: PLC0415 - likewise

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(Text(title), overflow="fold")
    for line in lines:
        table.add_row(*(Text(cell) for cell in line))
    Console().print(table)
