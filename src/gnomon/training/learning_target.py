"""The column that is learnt: whether a task can learn it, the classes in it, and how far it spreads."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.resources.learning import Task
from gnomon.training.matrices import kind_of

MAX_CLASSES = 1000

_LARGEST_TARGET = 1e37
"""A tenth of the largest float32 is left for answers beyond the target."""
_LEAST_RESOLUTION = 0.01
"""Share of a deviation that neighbouring answers may be apart."""

_NUMERIC = frozenset({"float64", "float32", "int64", "int32"})
_NAMEABLE = frozenset({"string", "boolean", "int64", "int32"})
_LABELS = frozenset({"boolean", "int64", "int32"})


def check_target(target: SnapshotColumn, task: Task) -> None:
    """Refuse a target of a type that a task cannot learn.

    Raises:
        TrainingError: It is of such a type.
    """
    if task == "anomaly" and target.type not in _LABELS:
        raise TrainingError(
            f"the target {target.name} is of type {target.type}, and labels of anomalies are booleans, or 0 and 1",
            "name a column of labels, or leave the target out",
        )
    if task in {"regression", "forecasting"} and target.type not in _NUMERIC:
        raise TrainingError(
            f"the target {target.name} is of type {target.type}, which {task} cannot learn",
            "use task: classification, or a target of numbers",
        )
    if task == "classification" and target.type not in _NAMEABLE:
        raise TrainingError(
            f"the target {target.name} is of type {target.type}, which names no classes",
            "use a target of text, booleans or integers - whole numbers can be declared as int64 in the dataset's schema - "
            "or task: regression",
        )


def check_labels(name: str, labels: NDArray[np.float64]) -> None:
    """Refuse labels of anomalies that are neither 1 nor 0; NaN is an unknown one. Some libraries write -1 for anomalous.

    Raises:
        TrainingError: There is another value.
    """
    others = labels[~np.isnan(labels) & (labels != 0) & (labels != 1)]
    if len(others):
        raise TrainingError(
            f"the target {name} has the value {others[0]:g}, and labels of anomalies are 1 for anomalous and 0 for normal",
            "write 1 and 0, or true and false",
        )


def target_expression(target: SnapshotColumn) -> pl.Expr:
    """Return the target with all its digits, null where it is missing: float64, int64, boolean or text."""
    value = pl.col(target.name)
    match kind_of(target.type):
        case "float":
            number = value.cast(pl.Float64)
            return pl.when(number.is_finite()).then(number).alias(target.name)
        case "integer":
            return value.cast(pl.Int64)
        case "boolean":
            return value.cast(pl.Boolean)
        case _:
            return pl.when(value != "").then(value).alias(target.name)


def named_classes(target: pl.Series) -> tuple[NDArray[np.int32], tuple[str, ...]]:
    """Return the class of each row as an index, and the names of the classes: numbers by value, text by code point.

    Raises:
        TrainingError: There is one class, or there are more than ``MAX_CLASSES``.
    """
    distinct = target.unique()
    if not 2 <= len(distinct) <= MAX_CLASSES:
        raise TrainingError(
            f"the target {target.name} has {len(distinct)} class{'' if len(distinct) == 1 else 'es'} in {len(target)} rows",
            f"classification learns 2 to {MAX_CLASSES} classes; use another target, or task: regression for a quantity",
        )
    values = sorted(distinct.to_list())
    codes = target.replace_strict(values, range(len(values)), return_dtype=pl.Int32).to_numpy()
    return codes, tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)


def deviation_of(name: str, values: NDArray[np.float64]) -> float:
    """Return the standard deviation of the target over the training rows.

    Raises:
        TrainingError: It does not vary, or more than the float32 of answers can tell.
    """
    if np.ptp(values.clip(-_LARGEST_TARGET, _LARGEST_TARGET)) == 0:
        raise TrainingError(
            f"the target {name} is {values[0]:g} in all {len(values)} training rows",
            "use a target that varies, or more rows",
        )
    largest = float(np.abs(values).max())
    deviation = float(values.std()) if largest <= _LARGEST_TARGET else 0.0
    if np.spacing(np.float32(min(largest, _LARGEST_TARGET))) > _LEAST_RESOLUTION * deviation:
        raise TrainingError(
            f"the target {name} reaches {largest:.3g}, where the float32 of answers does not tell its values apart",
            "subtract a constant from the target, or give it in another unit",
        )
    return deviation


def group_codes(groups: pl.Series) -> NDArray[np.int64]:
    """Return the group of each row as an index; rows without one are a group of their own."""
    ranks = pl.DataFrame({"group": groups}).select(pl.col("group").rank("dense").fill_null(0).cast(pl.Int64))
    codes: NDArray[np.int64] = ranks.to_series().to_numpy()
    return codes
