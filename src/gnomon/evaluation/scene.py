"""What answers without a target are measured against: the test rows, and the rows that a model learnt, in one space.

The space is spanned by the rows that are no test rows, with the columns that the candidate reads. The champion is measured
in the same space, whatever columns it reads itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.inference.signature import InputColumn
from gnomon.training.matrices import matrices_of
from gnomon.training.structure import Space, evenly

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scene:
    """The test rows as ``points``, (n, dimensions), and other rows as table and as points."""

    points: Floats
    learnt: pa.Table
    learnt_points: Floats


def scene_of(table: pa.Table, rows: pa.Table, test: NDArray[np.int64], columns: Sequence[InputColumn]) -> Scene:
    """Return the scene of the test rows.

    Args:
        table: All rows, as training prepared them.
        rows: The test rows.
        test: Their indices.
        columns: What the candidate learns from: columns of the table.
    """
    learnt = table.take(pa.array(evenly(np.setdiff1d(np.arange(table.num_rows), test))))
    raw = matrices_of(learnt, columns)
    space = Space(raw)
    return Scene(space.of(matrices_of(rows, columns)), learnt, space.of(raw))
