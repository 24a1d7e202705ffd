"""Raw columns become the matrices that an artifact's graph takes."""

import struct
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from math import isnan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import ArtifactError, InputError
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Signature
from gnomon.inference.timestamps import microseconds_of, microseconds_of_array

Column = Sequence[Any] | NDArray[Any]

_PLAIN_TYPES: Mapping[str, frozenset[type]] = {
    "float": frozenset({float, int, type(None)}),
    "integer": frozenset({int, type(None)}),
    "boolean": frozenset({bool, type(None)}),
}
"""Types whose values need no look at each: NumPy converts them, and makes NaN of None."""

_PLAIN_ARRAYS: Mapping[str, str] = {"float": "iuf", "integer": "iu", "boolean": "b"}
_LIST = frozenset({list})
_PLAIN_STRINGS = frozenset({str})
_PLAIN_INTEGERS = frozenset({int})
_INT64 = range(-(2**63), 2**63)
_SUSPECT = np.float32(2**63)
"""A magnitude from which on a number may be infinite, or no int64: such values are looked at one by one."""
_BOUND = 2.0**63
_REMEMBERED = 256
"""Combinations of types in one row that are remembered as plain."""
_HARMLESS = 2.0**126
"""The square of ``_SUSPECT``: a matrix whose squares sum to less holds no suspect value."""


def encode_columns(signature: Signature, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Return the feed of a session: ``floats`` [N, F], ``ints`` [N, I] and ``strings`` [N, S], those that the signature uses.

    Missing is None or NaN. Timestamps are microseconds of the UTC epoch, RFC 3339 text (without an offset: UTC), dates,
    ``datetime`` or ``datetime64``.

    Raises:
        InputError: A column is missing, unknown, of another length, or holds a value that does not fit; the cause names it.
    """
    return Encoder(signature).encode(columns)


class Encoder:
    """Encodes columns for one signature. Keeps what depends on the signature alone, so that one row costs microseconds.

    Raises:
        ArtifactError: The columns of the signature do not fill its matrices.
    """

    def __init__(self, signature: Signature) -> None:
        self._columns = {column.name: column for column in signature.inputs}
        self._floats = _filling(signature.inputs, "floats")
        self._ints = _filling(signature.inputs, "ints")
        self._strings = _filling(signature.inputs, "strings")
        self._float_names = [column.name for column in self._floats]
        self._float_kinds = [
            ([column.index for column in self._floats if column.kind == kind], types)
            for kind, types in _PLAIN_TYPES.items()
            if any(column.kind == kind for column in self._floats)
        ]
        self._pack = struct.Struct(f"={len(self._floats)}f").pack
        self._plain_row_types: set[tuple[type, ...]] = set()
        self._required = np.array([not column.nullable for column in self._floats], dtype=bool)
        self._any_required = bool(self._required.any())

    def encode(self, columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
        """Return the feed; see ``encode_columns``."""
        if columns.keys() != self._columns.keys():
            raise self._names_refusal(columns)
        are_lists = _LIST.issuperset(map(type, columns.values()))
        if not are_lists:
            _check_containers(columns)
        lengths = set(map(len, columns.values()))
        rows = lengths.pop()
        if lengths:
            raise _ragged_refusal(columns)
        if rows == 0:
            raise InputError(f"{_columns(columns)} {'have' if len(columns) > 1 else 'has'} no rows", "send at least one row")
        feed: dict[str, NDArray[Any]] = {}
        if self._floats:
            feed["floats"] = self._float_matrix(columns, rows, are_lists=are_lists)
        if self._ints:
            ints = np.empty((rows, len(self._ints)), dtype=np.int64)
            for column in self._ints:
                ints[:, column.index] = _timestamps(column, columns[column.name])
            feed["ints"] = ints
        if self._strings:
            strings = np.empty((rows, len(self._strings)), dtype=object)
            for column in self._strings:
                strings[:, column.index] = _texts(column, columns[column.name])
            feed["strings"] = strings
        return feed

    def _names_refusal(self, columns: Mapping[str, Column]) -> InputError:
        missing = [name for name in self._columns if name not in columns]
        if missing:
            are = "are" if len(missing) > 1 else "is"
            return InputError(f"{_columns(missing)} {are} missing", "send every input that the model's metadata lists")
        extra = [name for name in columns if name not in self._columns]
        are = "are not inputs" if len(extra) > 1 else "is not an input"
        return InputError(f"{_columns(extra)} {are} of this model", f"its inputs are {_listed(self._columns)}")

    def _float_matrix(self, columns: Mapping[str, Column], rows: int, *, are_lists: bool) -> NDArray[np.float32]:
        if rows == 1 and are_lists and (row := self._plain_row(columns)) is not None:
            return row
        values = [columns[name] for name in self._float_names]
        if are_lists and self._is_plain(values):
            try:
                exact = np.array(list(chain.from_iterable(values)), dtype=np.float64).reshape(len(values), rows)
            except OverflowError:  # from an integer that no float holds
                exact = np.full((len(values), rows), np.inf)
            # One pass: the sum is NaN where a value is missing, and beyond the bound where one is suspect.
            if np.vdot(exact, exact) < _HARMLESS:
                return exact.T.astype(np.float32, order="C")
            with np.errstate(over="ignore"):
                matrix: NDArray[np.float32] = exact.T.astype(np.float32, order="C")
        else:
            matrix = np.empty((rows, len(values)), dtype=np.float32)
            with np.errstate(over="ignore"):
                for column, given in zip(self._floats, values, strict=True):
                    matrix[:, column.index] = _number_array(column, given)
        self._look_closer(columns, matrix)
        return matrix

    def _plain_row(self, columns: Mapping[str, Column]) -> NDArray[np.float32] | None:
        """Return a matrix of one row, at half of what NumPy takes to look at it; None where it is to be looked at closer."""
        row = [columns[name][0] for name in self._float_names]
        try:
            packed = self._pack(*row)
            is_harmless = max(row) < _BOUND and min(row) > -_BOUND and not isnan(sum(row))
        except (struct.error, OverflowError):
            return None
        types = tuple(map(type, row))
        if types not in self._plain_row_types:
            if len(self._plain_row_types) >= _REMEMBERED or not self._is_plain([[value] for value in row]):
                return None
            self._plain_row_types.add(types)
        return np.frombuffer(packed, dtype=np.float32).reshape(1, -1) if is_harmless else None

    def _is_plain(self, values: list[Column]) -> bool:
        """Return whether lists hold nothing but what NumPy converts as we want it."""
        if len(self._float_kinds) == 1:
            return self._float_kinds[0][1].issuperset(map(type, chain.from_iterable(values)))
        return all(
            types.issuperset(map(type, chain.from_iterable([values[place] for place in places])))
            for places, types in self._float_kinds
        )

    def _look_closer(self, columns: Mapping[str, Column], matrix: NDArray[np.float32]) -> None:
        """Refuse missing values where there may be none, and numbers that are out of range."""
        if self._any_required:
            missing = np.isnan(matrix) & self._required
            if missing.any():
                row, index = (int(place) for place in np.argwhere(missing)[0])
                raise _refusal(self._floats[index], row, "is missing", "this column is not nullable: send a value")
        for row, index in np.argwhere(np.abs(matrix) >= _SUSPECT).tolist():
            column = self._floats[index]
            _check_magnitude(column, row, columns[column.name][row])


def _check_containers(columns: Mapping[str, Column]) -> None:
    for name, values in columns.items():
        if isinstance(values, np.ndarray) and values.ndim != 1:
            raise InputError(f"column {name!r} has shape {list(values.shape)}", "send one value for each row")
        if isinstance(values, str | bytes):
            raise InputError(f"column {name!r} is one text", "send a list with one value for each row")


def _ragged_refusal(columns: Mapping[str, Column]) -> InputError:
    counts = {name: len(values) for name, values in columns.items()}
    first = next(iter(counts))
    other = next(name for name in counts if counts[name] != counts[first])
    told = f"column {other!r} has {counts[other]} rows, column {first!r} has {counts[first]}"
    return InputError(told, "send columns of equal length")


def _filling(inputs: Iterable[InputColumn], matrix: str) -> list[InputColumn]:
    """Return the columns of ``matrix`` in the order of their indices."""
    columns = sorted((column for column in inputs if column.matrix == matrix), key=lambda column: column.index)
    kinds = {"floats": ("float", "integer", "boolean"), "ints": ("timestamp",), "strings": ("string",)}[matrix]
    for index, column in enumerate(columns):
        if column.index != index or column.kind not in kinds:
            raise ArtifactError(
                f"the signature puts {column.kind} column {column.name!r} at {matrix}[{column.index}]",
                "pack the artifact anew: each matrix has columns of its own kinds at 0, 1, 2, …",
            )
    return columns


def _check_magnitude(column: InputColumn, row: int, value: Any) -> None:
    value = value.item() if isinstance(value, np.generic) else value
    if column.kind == "integer":
        if value is not None and (value < _INT64.start or value >= _INT64.stop):
            raise _refusal(column, row, "is out of range", "send integers of 64 bits")
        return
    try:
        with np.errstate(over="ignore"):
            infinite = bool(np.isinf(np.float32(value)))
    except OverflowError:
        infinite = True
    if infinite:
        raise _refusal(column, row, "is out of range", "send finite numbers below 3.4e38, or null where the value is missing")


def _number_array(column: InputColumn, values: Column) -> Column:
    """Return what NumPy may write into a float32 column as it is."""
    if isinstance(values, np.ndarray) and values.dtype.kind in _PLAIN_ARRAYS[column.kind]:
        return values
    if isinstance(values, np.ndarray) and values.dtype.kind == "f" and column.kind == "integer":
        broken = np.flatnonzero(np.isfinite(values) & (values != np.floor(values)))
        if broken.size:
            raise _refusal(column, int(broken[0]), "is not a whole number", "send integers")
        return values
    listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
    if not _PLAIN_TYPES[column.kind].issuperset(map(type, listed)):
        listed = _numbers(column, listed)
    try:
        return np.array(listed, dtype=np.float32)
    except OverflowError:  # from an integer that no float holds; it is found among the infinite ones
        return np.array([value if value is None or abs(value) < _HARMLESS else np.inf for value in listed], dtype=np.float32)


def _numbers(column: InputColumn, values: Sequence[Any]) -> list[float | None]:
    """Return ``values`` as plain numbers, looking at each."""
    return [None if value is None else _number(column, row, value) for row, value in enumerate(values)]


def _number(column: InputColumn, row: int, value: Any) -> float:
    if isinstance(value, np.generic):
        value = value.item()
    if column.kind == "boolean":
        if isinstance(value, bool | int | float) and (value in (0, 1) or value != value):  # noqa: PLR0124 - NaN is missing
            return float(value)
        raise _refusal(column, row, f"is {_described(value)}", "send true or false")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refusal(column, row, f"is {_described(value)}", "send numbers")
    if column.kind == "integer" and isinstance(value, float) and np.isfinite(value) and not value.is_integer():
        raise _refusal(column, row, "is not a whole number", "send integers")
    return value


def _timestamps(column: InputColumn, values: Column) -> NDArray[np.int64]:
    if isinstance(values, np.ndarray) and values.dtype.kind in "Mi":
        stamps = microseconds_of_array(values)
    else:
        stamps = _listed_timestamps(column, values.tolist() if isinstance(values, np.ndarray) else values)
    if not column.nullable:
        missing = np.flatnonzero(stamps == MISSING_TIMESTAMP)
        if missing.size:
            raise _refusal(column, int(missing[0]), "is missing", "this column is not nullable: send a value")
    return stamps


def _listed_timestamps(column: InputColumn, values: Sequence[Any]) -> NDArray[np.int64]:
    if _PLAIN_INTEGERS.issuperset(map(type, values)):
        with suppress(OverflowError):  # the row that does not fit is found below
            return np.array(values, dtype=np.int64)
    return np.array([_timestamp(column, row, value) for row, value in enumerate(values)], dtype=np.int64)


def _timestamp(column: InputColumn, row: int, value: Any) -> int:
    try:
        stamp = microseconds_of(value)
    except ValueError as error:
        raise _stamp_refusal(column, row, value) from error
    if stamp not in _INT64:
        raise _stamp_refusal(column, row, value)
    return stamp


def _stamp_refusal(column: InputColumn, row: int, value: Any) -> InputError:
    told = f"is {_described(value)}, which is no time of 64 bits"
    return _refusal(column, row, told, "send RFC 3339 text such as 2026-11-22T08:30:00Z, or microseconds of the UTC epoch")


def _texts(column: InputColumn, values: Column) -> Sequence[str]:
    listed: Sequence[Any] = values.tolist() if isinstance(values, np.ndarray) else values
    if not _PLAIN_STRINGS.issuperset(map(type, listed)):
        listed = [_text(column, row, value) for row, value in enumerate(listed)]
    if not "".join(listed).isascii():
        for row, value in enumerate(listed):
            _encodable(column, row, value)
    return listed


def _text(column: InputColumn, row: int, value: Any) -> str:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN is missing
        if column.nullable:
            return ""
        raise _refusal(column, row, "is missing", "this column is not nullable: send a value")
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError as error:
            raise _refusal(column, row, "is not UTF-8", "send UTF-8 text") from error
    raise _refusal(column, row, f"is {_described(value)}", "send text")


def _encodable(column: InputColumn, row: int, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _refusal(column, row, "holds half of a surrogate pair", "send valid Unicode text") from error


def _refusal(column: InputColumn, row: int, told: str, mend: str) -> InputError:
    return InputError(f"column {column.name!r}, row {row}: the value {told}", mend)


def _described(value: Any) -> str:
    names = {bool: "a boolean", int: "an integer", float: "a number", str: "text", list: "a list", dict: "an object"}
    name = names.get(type(value), type(value).__name__)
    return f"{name} ({value[:40]!r})" if isinstance(value, str) else name


def _columns(names: Collection[str]) -> str:
    return f"{'columns' if len(names) > 1 else 'column'} {_listed(names)}"


def _listed(names: Iterable[str]) -> str:
    """Return some names as words; neither their number nor their length is ours to bound elsewhere."""
    listed = list(names)
    shown = ", ".join(repr(name[:80]) for name in listed[:8])
    return f"{shown} and {len(listed) - 8} more" if len(listed) > 8 else shown
