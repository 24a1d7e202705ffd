"""What an ensemble needs to grow on later, in another process: a race stops the weak and wastes nothing on the strong."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.encoded import EncodedRows

PIECE = 25
"""Rounds after which a booster that may stop early is looked at."""

Watch = Callable[[int, Floats], bool]
"""Told of answers for the held-out rows, and of how many trees or rounds gave them: (V,) values, or (V, classes) shares.

It says whether to go on.
"""


def pieces(begin: int, length: int, size: int) -> Iterator[tuple[int, int]]:
    """Yield the way from ``begin`` to ``length``, cut at every multiple of ``size``: the same cuts wherever it begins."""
    while begin < length:
        end = min(length, (begin // size + 1) * size)
        yield begin, end
        begin = end


@dataclass(frozen=True, eq=False)
class Grown:
    """An ensemble that was stopped: after how many trees or rounds, and the arrays from which it grows on.

    One that the watch has stopped has nothing to grow on from.
    """

    length: int = 0
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plot:
    """What an ensemble grows on: the rows to learn from, encoded, and the rows it is watched on."""

    rows: TrainingRows
    learnt: EncodedRows
    held_out: EncodedRows
