"""The step that encodes the rows of a search, once for all candidates that learn from the same features."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.training.algorithms import lightgbm
from gnomon.training.encoded import encoded
from gnomon.training.estimator_inputs import fit_for_linear, fit_for_trees
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import Facts, target_values
from gnomon.training.search.ensembles import Encoding
from gnomon.training.search.present import present_rows

Rows = NDArray[np.int64]


def encode(
    *, table: pa.Table, train: Rows, validation: Rows, facts: Mapping[str, Any], encoding: Encoding, cut: bool
) -> dict[str, Any]:
    """Encode the rows once for all candidates that learn from the same features.

    Returns:
        ``learnt`` and ``held_out``: features of the training and the validation rows, float32. ``target`` and ``actual``:
        their targets, float64. With ``cut``, ``bins``: the training rows as LightGBM keeps them.

    Raises:
        TrainingError: No feature varies, or the rows are of one class.
    """
    known = msgspec.convert(facts, Facts)
    raw, target = matrices_of(table, known.inputs), target_values(table, known)
    learning = raw.take(train)
    fitting = fit_for_linear(learning) if encoding == "linear" else fit_for_trees(learning, target[train], len(known.classes))
    learnt = fitting.transform(learning)
    made = {
        "learnt": learnt,
        "held_out": fitting.transform(raw.take(validation)),
        "target": target[train],
        "actual": target[validation],
    }
    if not cut:
        return made
    bins = Path("bins")
    lightgbm.cut(learnt, present_rows(encoded(learnt), target[train], facts)[0]).save_binary(str(bins))
    return made | {"bins": bins.absolute()}
