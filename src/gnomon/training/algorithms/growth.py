"""What an ensemble needs to grow on later, in another process: a race stops the weak and wastes nothing on the strong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.encoded import EncodedRows

STOP = 5
"""Ensembles that grow on later stop at multiples of it: what they draw at random begins anew there."""

Watch = Callable[[int, Floats], None]
"""Told of answers for the held-out rows, and of how many trees or rounds gave them: (V,) values, or (V, classes) shares."""


@dataclass(frozen=True, eq=False)
class Grown:
    """An ensemble that was stopped: after how many trees or rounds, and the arrays from which it grows on."""

    length: int = 0
    state: Mapping[str, NDArray[Any]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Plot:
    """What an ensemble grows on: the rows to learn from, encoded, and the rows it is watched on."""

    rows: TrainingRows
    learnt: EncodedRows
    held_out: EncodedRows
