"""JSON lines become batches of text columns, as CSV files do; where a line is no flat object, it is named.

One object a line, UTF-8; blank lines are skipped. A key that a line lacks, and ``null``, are the empty text, which means a
missing value. Numbers and truth values are written as JSON writes them. What stood in quotes is text: it may become a time or
a date, never a number.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import polars as pl

from gnomon.data.values import MISSING_TEXTS
from gnomon.errors import DataError

_BATCH_BYTES = 2**22
_LONGEST_LINE = 2**25
_MOST_KEYS = 10_000
_EXACT = 2.0**53
"""Whole numbers beyond it are read again, digit by digit."""
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MEND_ENCODING = "save it as UTF-8, for example: iconv -f LATIN1 -t UTF-8 FILE > NEW"


@dataclass(frozen=True)
class TextBatch:
    """Some rows as text columns, no value of them null, and the columns of which a value stood in quotes."""

    rows: pl.DataFrame
    quoted: frozenset[str]


def keys(path: Path, name: str) -> tuple[str, ...]:
    """Return the keys of all lines, in the order in which they first appear.

    Args:
        path: Where the file lies.
        name: What errors call it.

    Raises:
        DataError: A line is no object, a key is blank, there is no line, or too many keys.
    """
    seen: dict[str, None] = {}
    is_empty = True
    for number, line in _lines(path, name):
        is_empty = False
        found = _object(line, number, name)
        if found.keys() - seen.keys():
            seen.update(dict.fromkeys(found))
            if any(not key.strip() for key in found):
                raise DataError(f"{name}, line {number}: a key has no name", "give every key a name")
            if len(seen) > _MOST_KEYS:
                raise DataError(
                    f"{name}, line {number}: the lines have more than {_MOST_KEYS:,} different keys",
                    "give all lines the same few keys; names of things belong into values",
                )
    if not is_empty and not seen:
        raise DataError(f"{name}: the objects are empty", "give them keys and values")
    if is_empty:
        raise DataError(f"{name} is empty", "write one JSON object a line, or leave the file out of the source")
    return tuple(seen)


def text_batches(path: Path, columns: Sequence[str], name: str) -> Iterator[TextBatch]:
    """Yield the rows of a file of JSON lines in order.

    Args:
        path: Where the file lies.
        columns: Which keys are wanted.
        name: What errors call the file.

    Raises:
        DataError: A line is no object, or a wanted key holds a list or an object.
    """
    lines = _lines(path, name)
    while batch := _batch(lines):
        columns_of_text: dict[str, list[str]] = {column: [] for column in columns}
        quoted: set[str] = set()
        for number, line in batch:
            row = _object(line, number, name)
            for column, texts in columns_of_text.items():
                value = row.get(column)
                if isinstance(value, str):
                    if not isinstance(value, _Digits) and value not in MISSING_TEXTS:
                        quoted.add(column)
                    texts.append(value)
                else:
                    texts.append(_text(value, column, number, name))
        frame = pl.DataFrame(columns_of_text, schema=dict.fromkeys(columns, pl.String()), height=len(batch))
        yield TextBatch(frame, frozenset(quoted))


def _batch(lines: Iterator[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """Return the next lines, some megabytes of them."""
    batch: list[tuple[int, bytes]] = []
    size = 0
    for number, line in lines:
        batch.append((number, line))
        size += len(line)
        if size >= _BATCH_BYTES:
            break
    return batch


def _lines(path: Path, name: str) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(_LONGEST_LINE + 1):
            number += 1
            if len(line) > _LONGEST_LINE:
                raise DataError(
                    f"{name}, line {number} is longer than {_LONGEST_LINE >> 20} MiB",
                    "write one JSON object a line, one for each row",
                )
            if number == 1:
                if line.startswith((b"\xff\xfe", b"\xfe\xff")):
                    raise DataError(f"{name} is encoded as UTF-16", _MEND_ENCODING.replace("LATIN1", "UTF-16"))
                line = line.removeprefix(_BYTE_ORDER_MARK)
            if not line.isspace() and line:
                yield number, line


def _object(line: bytes, number: int, name: str) -> dict[str, Any]:
    try:
        found = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _malformed(line, number, name, error) from error
    if not isinstance(found, dict):
        kind = "a list" if isinstance(found, list) else "a single value"
        mend = f"write one object a line, for example: jq -c '.[]' {Path(name).name} > NEW.jsonl"
        raise DataError(f"{name}, line {number} is {kind}, not an object", mend)
    if any(type(value) is float and abs(value) >= _EXACT for value in found.values()):
        digits = json.loads(line, parse_float=_Digits, parse_int=_Digits)
        found = {key: digits[key] if isinstance(digits.get(key), _Digits) else value for key, value in found.items()}
    return found


class _Digits(str):
    """A number as it is written."""

    __slots__ = ()


def _text(value: object, column: str, number: int, name: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    kind = "a list" if isinstance(value, list) else "an object"
    raise DataError(
        f"{name}, line {number}: {column} holds {kind}",
        f"write its parts under keys of their own, such as {column}_1; or declare a schema without it, which leaves it out",
    )


def _malformed(line: bytes, number: int, name: str, error: orjson.JSONDecodeError) -> DataError:
    try:
        line.decode()
    except UnicodeDecodeError as undecodable:
        return DataError(f"{name}, line {number}: byte 0x{line[undecodable.start]:02x} is not UTF-8", _MEND_ENCODING)
    start = line[:1].decode(errors="replace")
    if number == 1 and start in "[{" and not line.rstrip().endswith((b"]", b"}")):
        mend = f"write one object a line, for example: jq -c '.[]?' {Path(name).name} > NEW.jsonl"
        return DataError(f"{name}, line 1 is not a whole object: {error.msg}", mend)
    return DataError(f"{name}, line {number}, is not JSON: {error.msg}, column {error.colno}", "correct the line")
