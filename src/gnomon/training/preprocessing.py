"""Raw matrices become the float32 features of an estimator: constants fitted once, then NumPy and ONNX side by side.

Every block is a frozen record of fitted constants with ``transform`` (NumPy) and ``emit`` (ONNX), which give the same
bits. Trees see numbers as they are, missing values included; linear models see filled and standardised ones. An infinite
number is a missing one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from gnomon.features.calendar_parts import Part, calendar_part, emit_calendar_part, emit_is_missing, is_missing
from gnomon.features.graph import FLOAT, INT64, ML, STRING, GraphBuilder, cast
from gnomon.training.matrices import Matrices

BLOCK_ROWS = 65_536
"""Rows that are transformed at once: beside the features themselves, memory does not grow with the rows."""

STANDARD_LIMIT = np.float32(1e6)
"""Standardised numbers are held within this many deviations, so that products of extreme values stay finite."""

DISTANCE_LIMIT = np.float32(100)
"""The same for what takes squares of them: farther away, differences of squares would lose the digits that decide."""

_TABLE_DIGITS = 6
"""Sines are rounded, so that equal angles have equal bits."""


class Block(Protocol):
    """One step from raw columns to features."""

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the features, (N, width)."""
        ...

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same, from the graph's inputs ``floats``, ``ints`` and ``strings``."""
        ...


@dataclass(frozen=True)
class Preprocessing:
    """Blocks side by side."""

    blocks: tuple[Block, ...]

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the features of all blocks, (N, width), rows contiguous."""
        first = self._transformed(raw.take(np.arange(min(len(raw), BLOCK_ROWS))))
        if len(first) == len(raw):
            return first
        features = np.empty((len(raw), first.shape[1]), dtype=np.float32)
        features[: len(first)] = first
        for begin in range(len(first), len(raw), BLOCK_ROWS):
            rows = np.arange(begin, min(len(raw), begin + BLOCK_ROWS))
            features[begin : begin + len(rows)] = self._transformed(raw.take(rows))
        return features

    def _transformed(self, raw: Matrices) -> NDArray[np.float32]:
        return np.ascontiguousarray(np.concatenate([block.transform(raw) for block in self.blocks], axis=1))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        emitted = [block.emit(graph) for block in self.blocks]
        return emitted[0] if len(emitted) == 1 else graph.node("Concat", *emitted, axis=1)

    @property
    def log_scale(self) -> float:
        """Logarithm that turns a density of the features into one of the raw numbers, by adding it."""
        scales = [scale for block in self.blocks if isinstance(block, StandardisedNumbers) for scale in block.scale]
        return float(np.log(scales).sum()) if scales else 0.0


@dataclass(frozen=True)
class Numbers:
    """Numbers as they are; missing stays NaN."""

    columns: tuple[int, ...]

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the columns."""
        return _finite_or_missing(raw.floats[:, self.columns])

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        return _emit_numbers(graph, self.columns)


@dataclass(frozen=True)
class StandardisedNumbers:
    """Numbers, filled with their median, less their mean, over their deviation; then whether a number was missing."""

    columns: tuple[int, ...]
    fill: tuple[float, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    """1 / standard deviation."""
    flagged: tuple[int, ...]
    """Columns that get a feature for being missing."""
    limit: float = float(STANDARD_LIMIT)
    """Within how many deviations the numbers are held."""

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the standardised columns, then 1 where a flagged column is missing and 0 elsewhere."""
        numbers = _finite_or_missing(raw.floats[:, self.columns])
        filled = np.where(np.isnan(numbers), _row(self.fill), numbers)
        with np.errstate(over="ignore"):
            standard = (filled - _row(self.mean)) * _row(self.scale)
        flags = np.isnan(_finite_or_missing(raw.floats[:, self.flagged]))
        return np.concatenate(
            [np.clip(standard, -np.float32(self.limit), np.float32(self.limit)), flags.astype(np.float32)], axis=1
        )

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        numbers = _emit_numbers(graph, self.columns)
        filled = graph.node("Where", graph.node("IsNaN", numbers), graph.constant(_row(self.fill)), numbers)
        centred = graph.node("Sub", filled, graph.constant(_row(self.mean)))
        scaled = graph.node("Mul", centred, graph.constant(_row(self.scale)))
        limit = np.array(self.limit, dtype=np.float32)
        standard = graph.node("Clip", scaled, graph.constant(-limit), graph.constant(limit))
        if not self.flagged:
            return standard
        flags = cast(graph, graph.node("IsNaN", _emit_numbers(graph, self.flagged)), FLOAT)
        return graph.node("Concat", standard, flags, axis=1)


@dataclass(frozen=True)
class OrderedCodes:
    """Text as one number: levels in the order of ``levels``; what is not among them shares the code ``other``."""

    column: int
    levels: Mapping[str, float]
    """The code of each level; the empty string is the missing one."""
    other: float

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the codes, (N, 1)."""
        values = np.array(list(self.levels.values()), dtype=np.float32)
        return raw.texts.replaced(self.column, tuple(self.levels), values, self.other)[:, np.newaxis]

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        text = graph.node("Gather", "strings", graph.integers(self.column), axis=1)
        return graph.node(
            "LabelEncoder",
            text,
            domain=ML,
            keys_strings=list(self.levels),
            values_floats=list(self.levels.values()),
            default_float=self.other,
        )


@dataclass(frozen=True)
class OneHot:
    """Text as one feature for each level, then one for every other text; a missing one is the level of the empty string."""

    column: int
    levels: tuple[str, ...]

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return 1 in the column of each row's level, 0 elsewhere: (N, levels + 1)."""
        count = len(self.levels)
        hot = np.zeros((len(raw), count + 1), dtype=np.float32)
        hot[np.arange(len(raw)), raw.texts.replaced(self.column, self.levels, np.arange(count), count)] = 1
        return hot

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        count = len(self.levels)
        text = graph.node("Gather", "strings", graph.constant(np.array(self.column)), axis=1)
        place = graph.node(
            "LabelEncoder",
            text,
            domain=ML,
            keys_strings=list(self.levels),
            values_int64s=list(range(count)),
            default_int64=count,
        )
        off_on = graph.constant(np.array([0, 1], dtype=np.float32))
        return graph.node("OneHot", place, graph.constant(np.array(count + 1)), off_on)


@dataclass(frozen=True)
class CalendarNumbers:
    """Parts of a timestamp as numbers; NaN where it is missing."""

    column: int
    parts: tuple[Part, ...]

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return the parts, (N, parts)."""
        stamps = raw.ints[:, [self.column]]
        numbers = np.concatenate([calendar_part(stamps, part) for part in self.parts], axis=1).astype(np.float32)
        return np.where(is_missing(stamps), np.float32(np.nan), numbers)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        stamps = graph.node("Gather", "ints", graph.integers(self.column), axis=1)
        numbers = [cast(graph, emit_calendar_part(graph, stamps, part), FLOAT) for part in self.parts]
        joined = numbers[0] if len(numbers) == 1 else graph.node("Concat", *numbers, axis=1)
        return graph.node("Where", emit_is_missing(graph, stamps), graph.constant(np.array([np.nan], np.float32)), joined)


_CYCLES: Mapping[Part, int] = {"hour": 24, "weekday": 7, "month": 12, "day_of_month": 31}
_HARMONICS = 2


@dataclass(frozen=True)
class CalendarWaves:
    """Parts of a timestamp on circles: sines and cosines of one and two turns, from a table; zeros where it is missing."""

    column: int
    parts: tuple[Part, ...]

    def transform(self, raw: Matrices) -> NDArray[np.float32]:
        """Return four features for each part, then 1 where the timestamp is missing."""
        stamps = raw.ints[:, self.column]
        missing = is_missing(stamps)
        waves = [wave_table(part)[np.where(missing, 0, calendar_part(stamps, part) + 1)] for part in self.parts]
        return np.concatenate([*waves, missing.astype(np.float32).reshape(-1, 1)], axis=1)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        stamps = graph.node("Gather", "ints", graph.constant(np.array(self.column)), axis=1)
        missing = emit_is_missing(graph, stamps)
        emitted = []
        for part in self.parts:
            place = graph.node("Add", emit_calendar_part(graph, stamps, part), graph.integers(1))
            known = graph.node("Where", missing, graph.integers(0), place)
            emitted.append(graph.node("Gather", graph.constant(wave_table(part)), known, axis=0))
        flag = graph.node("Unsqueeze", cast(graph, missing, FLOAT), graph.integers(1))
        return graph.node("Concat", *emitted, flag, axis=1)


def declare_inputs(graph: GraphBuilder, raw: Matrices) -> None:
    """Declare the matrices that have columns as the graph's inputs."""
    widths = {"floats": raw.floats.shape[1], "ints": raw.ints.shape[1], "strings": raw.texts.columns}
    for name, element_type in (("floats", FLOAT), ("ints", INT64), ("strings", STRING)):
        if widths[name]:
            graph.add_input(name, element_type, widths[name])


def _row(values: Sequence[float]) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32).reshape(1, -1)


def _finite_or_missing(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.where(np.isinf(numbers), np.float32(np.nan), numbers)


def _emit_numbers(graph: GraphBuilder, columns: tuple[int, ...]) -> str:
    chosen = graph.node("Gather", "floats", graph.integers(*columns), axis=1)
    return graph.node("Where", graph.node("IsInf", chosen), graph.constant(np.array([np.nan], np.float32)), chosen)


def wave_table(part: Part) -> NDArray[np.float32]:
    """Return the table of a part: row 0 is for missing, row v + 1 for the value v; (cycle + 2, 2 * harmonics)."""
    cycle = _CYCLES[part]
    angles = 2 * np.pi / cycle * np.arange(-1, cycle + 1)[:, np.newaxis] * np.arange(1, _HARMONICS + 1)
    table = np.round(np.concatenate([np.sin(angles), np.cos(angles)], axis=1), _TABLE_DIGITS)
    table[0] = 0
    return (table + 0.0).astype(np.float32)
