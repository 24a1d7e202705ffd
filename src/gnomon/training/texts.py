"""Text columns as codes of their levels: a million rows of a few airports are a million small numbers and a few texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_Number = TypeVar("_Number", np.float32, np.int64)

_REMEMBERED = 64
"""Lists of texts whose places are kept for later blocks of rows."""


class Levels:
    """The different texts of a column, the empty one first; row codes are places among them.

    Args:
        names: Arrow array of strings, each once, none missing.
    """

    def __init__(self, names: pa.Array) -> None:
        self.names = names
        self._known: dict[tuple[str, ...], NDArray[np.int64]] = {}

    def __len__(self) -> int:
        return len(self.names)

    def places(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """Return the code of each text, -1 where no row of the column has it."""
        key = tuple(texts)
        if key not in self._known:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            found = pc.index_in(pa.array(key, self.names.type), value_set=self.names)
            self._known[key] = pc.fill_null(found, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return self._known[key]

    def texts(self, codes: NDArray[np.integer[Any]]) -> list[str]:
        """Return the texts of some codes."""
        listed: list[str] = self.names.take(pa.array(codes)).to_pylist()
        return listed


@dataclass(frozen=True, eq=False)
class Texts:
    """N rows of S text columns.

    Args:
        codes: int32 (N, S): places among the levels of each column; 0 is the empty text, a missing one.
        levels: What the codes of each column mean.
    """

    codes: NDArray[np.int32]
    levels: tuple[Levels, ...]

    @property
    def columns(self) -> int:
        """How many columns there are."""
        return len(self.levels)

    @classmethod
    def none(cls, rows: int) -> "Texts":
        """Return rows without text columns."""
        return cls(np.empty((rows, 0), dtype=np.int32), ())

    def take(self, rows: NDArray[np.int64] | slice) -> "Texts":
        """Return some of the rows."""
        return Texts(self.codes[rows], self.levels)

    def counts(self, column: int) -> NDArray[np.int64]:
        """Return how many rows have each level of a column."""
        return np.bincount(self.codes[:, column], minlength=len(self.levels[column])).astype(np.int64)

    def replaced(self, column: int, keys: Sequence[str], values: NDArray[_Number], other: float) -> NDArray[_Number]:
        """Return ``values`` in the place of ``keys``, and ``other`` for every other text: (N,), of the type of ``values``."""
        places = self.levels[column].places(keys)
        table = np.full(len(self.levels[column]), other, dtype=values.dtype)
        table[places[places >= 0]] = values[places >= 0]
        return table[self.codes[:, column]]

    def decoded(self) -> NDArray[np.object_]:
        """Return the texts, object (N, S) of str; rows of one level share one text."""
        matrix = np.empty(self.codes.shape, dtype=np.object_)
        for column, levels in enumerate(self.levels):
            used, places = np.unique(self.codes[:, column], return_inverse=True)
            matrix[:, column] = np.array(levels.texts(used), dtype=np.object_)[places]
        return matrix


def texts_of(matrix: NDArray[np.object_]) -> Texts:
    """Return the coded form of texts, object (N, S) of str."""
    rows, columns = matrix.shape
    codes, levels = np.empty((rows, columns), dtype=np.int32), []
    for column in range(columns):
        codes[:, column], found = encoded_texts(pa.array(matrix[:, column], pa.string()))
        levels.append(Levels(found))
    return Texts(codes, tuple(levels))


def encoded_texts(column: pa.Array) -> tuple[NDArray[np.int32], pa.Array]:
    """Return the codes of an Arrow column of strings, and the names of the levels: the empty text, then as they appear."""
    dictionary = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    codes = dictionary.indices
    names = dictionary.dictionary
    if not codes.null_count and len(names) and names[0].as_py() == "":
        return codes.to_numpy(zero_copy_only=False).astype(np.int32, copy=False), names
    empty = pc.index_in(pa.scalar("", names.type), value_set=names).as_py()
    plain = pc.fill_null(codes, -1).to_numpy(zero_copy_only=False).astype(np.int32) + 1
    if empty is None:
        return plain, pa.concat_arrays([pa.array([""], names.type), names])
    # The level of the empty text becomes the first one.
    moved = np.concatenate([[0], np.arange(1, len(names) + 1) - (np.arange(len(names)) > empty)]).astype(np.int32)
    moved[empty + 1] = 0
    rest = names.filter(pa.array(np.arange(len(names)) != empty))
    return moved[plain], pa.concat_arrays([pa.array([""], names.type), rest])


def joined(parts: Sequence[Texts]) -> Texts:
    """Return the rows of all parts, one below the other; levels that the first lacks come after its own."""
    first = parts[0]
    levels = list(first.levels)
    codes = [part.codes for part in parts]
    for column in range(first.columns):
        for number, part in enumerate(parts[1:], start=1):
            if part.levels[column] is levels[column]:
                continue
            merged, places = _merged(levels[column], part.levels[column])
            levels[column] = merged
            codes[number] = codes[number].copy() if codes[number] is part.codes else codes[number]
            codes[number][:, column] = places[part.codes[:, column]]
    return Texts(np.concatenate(codes), tuple(levels))


def _merged(ours: Levels, theirs: Levels) -> tuple[Levels, NDArray[np.int32]]:
    """Return levels that hold both, ours first, and where each of theirs is among them."""
    names = theirs.names.cast(ours.names.type)
    found = pc.index_in(names, value_set=ours.names)
    new = names.filter(found.is_null())
    merged = Levels(pa.concat_arrays([ours.names, new])) if len(new) else ours
    places = pc.index_in(names, value_set=merged.names).to_numpy(zero_copy_only=False)
    return merged, places.astype(np.int32)
