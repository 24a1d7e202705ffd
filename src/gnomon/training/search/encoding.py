"""The step that gets the rows of a search ready, once for all candidates."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.training.algorithms import lightgbm
from gnomon.training.encoded import encoded
from gnomon.training.estimator_inputs import fit_for_trees
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import Facts, target_values
from gnomon.training.search.present import present_rows

Rows = NDArray[np.int64]


def encode(
    *, table: pa.Table, train: Rows, validation: Rows, facts: Mapping[str, Any], trees: bool, cut: bool
) -> dict[str, Any]:
    """Return the targets, and what ensembles learn from.

    Args:
        table: Of ``prepare``, like the next three.
        train: Indices of the rows to learn from.
        validation: Indices of the rows that choose.
        facts: What is known of the table.
        trees: Whether ensembles need the features of trees.
        cut: Whether LightGBM needs its histograms of them.

    Returns:
        ``target`` and ``actual``: of the training and the validation rows, float64. With ``trees``, ``learnt`` and
        ``held_out``: their features, float32. With ``cut``, ``bins``: the training rows as LightGBM keeps them.

    Raises:
        TrainingError: No feature varies, or the rows are of one class.
    """
    known = msgspec.convert(facts, Facts)
    target = target_values(table, known)
    made: dict[str, Any] = {"target": target[train], "actual": target[validation]}
    if not trees:
        return made
    seen = matrices_of(table, known.features)
    learning = seen.take(train)
    fitting = fit_for_trees(learning, target[train], len(known.classes))
    learnt = fitting.transform(learning)
    made |= {"learnt": learnt, "held_out": fitting.transform(seen.take(validation))}
    if not cut:
        return made
    bins = Path("bins")
    lightgbm.cut(learnt, present_rows(encoded(learnt), target[train], facts)[0]).save_binary(str(bins))
    return made | {"bins": bins.absolute()}
