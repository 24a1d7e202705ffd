"""A snapshot's rows become a training table: needed columns, normalised types, known targets, divided rows, facts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from difflib import get_close_matches

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.inference.signature import MISSING_TIMESTAMP, InputColumn, Output, Signature
from gnomon.resources.model import DEFAULT_CONTAMINATION, TARGET_TASKS, Split, Task
from gnomon.training.forecasting import Forecast, Past, naive_error, with_past
from gnomon.training.matrices import input_columns, kind_of
from gnomon.training.outputs import Meaning
from gnomon.training.split import SplitRows, kind_of_split, split_rows

MAX_CLASSES = 1000

_LARGEST_TARGET = 1e37
"""A tenth of the largest float32 is left for answers beyond the target."""
_LEAST_RESOLUTION = 0.01
"""Share of a deviation that neighbouring answers may be apart."""

_NUMERIC = frozenset({"float64", "float32", "int64", "int32"})
_NAMEABLE = frozenset({"string", "boolean", "int64", "int32"})
_LABELS = frozenset({"boolean", "int64", "int32"})


class Facts(msgspec.Struct, frozen=True, rename="camel"):
    """What later steps need to know of a prepared table.

    ``deviation`` is the standard deviation of the target over the training rows, 1 for classification. ``ordered`` says
    that the indices of the parts stand in the order of ``time``, the dataset's time column, which the table has whether or
    not it is a feature. ``dropped`` counts the rows left out, by reason.

    ``target`` is empty where there is none. Of forecasts, ``naive`` is the column that is the naive forecast, ``naive_error``
    its mean absolute error on the training rows; ``horizon`` and ``season`` are in steps. ``contamination`` is the share of
    rows that are taken to be anomalous.
    """

    task: Task
    target: str
    time: str | None
    inputs: tuple[InputColumn, ...]
    classes: tuple[str, ...]
    deviation: float
    ordered: bool
    seed: int
    rows: int
    parts: dict[str, int]
    dropped: dict[str, int]
    contamination: float = DEFAULT_CONTAMINATION
    naive: str = ""
    naive_error: float = 0.0
    horizon: int = 0
    season: int = 0

    @property
    def signature(self) -> Signature:
        """The signature of a model that learns the target of the table."""
        return self.signature_of(Meaning(self.task, max(1, len(self.classes))).outputs)

    def signature_of(self, outputs: tuple[Output, ...]) -> Signature:
        """Return the signature of a model with these outputs. Labels of anomalies are no target: they are not predicted."""
        target = self.target if self.task in TARGET_TASKS else ""
        return Signature(task=self.task, target=target, inputs=self.inputs, outputs=outputs, classes=self.classes)


@dataclass(frozen=True)
class Wanted:
    """What a model asks of a snapshot's columns. ``features`` empty means every column but the target.

    ``carried`` columns are in the table without being features: those that the champion reads and the model does not, so
    that both can be held against each other on the same rows. One that the snapshot no longer has is left out.
    """

    task: Task
    target: str | None
    features: tuple[str, ...]
    split: Split
    time: str | None
    carried: tuple[str, ...] = ()
    forecast: Forecast | None = None
    contamination: float = DEFAULT_CONTAMINATION


@dataclass(frozen=True, eq=False)
class Prepared:
    """A training table, its divided rows and its facts."""

    table: pa.Table
    parts: SplitRows
    facts: Facts


def prepare_rows(rows: pl.LazyFrame, columns: Sequence[SnapshotColumn], wanted: Wanted) -> Prepared:
    """Return the training table of a model.

    Raises:
        TrainingError: A column is unknown or empty, the target does not fit the task, or rows do not suffice.
    """
    known = {column.name: column for column in columns}
    target = _column(known, wanted.target, "target") if wanted.target is not None else None
    features = _features(known, wanted)
    if target is not None:
        _check_target(target, wanted.task)
    by = kind_of_split(wanted.split, wanted.task, wanted.time)
    stamp = _column(known, wanted.time, "time") if wanted.time else None
    carried = [known[name] for name in wanted.carried if name in known]
    needed = {column.name: column for column in [*features, target, stamp, *carried] if column is not None}
    frame = rows.select(_normalised(column) for column in needed.values()).collect()
    past = None
    if wanted.forecast is not None and target is not None and stamp is not None:
        frame, _ = _without_missing(frame, {"time": stamp})
        past = with_past(frame, target.name, stamp.name, wanted.forecast)
        frame = past.frame
        features += [SnapshotColumn(name, "float64", nullable=True) for name in past.columns]
    learns = target if wanted.task in TARGET_TASKS else None
    history = SnapshotColumn(past.naive, "float64", nullable=False) if past else None
    required = {"target": learns, "time": stamp if by == "time" else None, "history": history}
    frame, dropped = _without_missing(frame, {role: column for role, column in required.items() if column is not None})
    _check_features(frame, features)
    frame, classes = _named_classes(frame, target) if target and wanted.task == "classification" else (frame, ())
    codes = _codes(frame[target.name], classes) if target and classes else None
    time = frame[stamp.name].dt.epoch("us").to_numpy() if stamp and by == "time" else None
    parts = split_rows(_split_ahead(wanted.split, past), by, frame.height, time=time, classes=codes)
    facts = Facts(
        task=wanted.task,
        target=target.name if target else "",
        time=wanted.time,
        # An infinite number of the source is a missing one here, also in a column that has no null.
        inputs=input_columns(
            (column.name, column.type, column.nullable or frame[column.name].null_count() > 0) for column in features
        ),
        classes=classes,
        deviation=_deviation(frame[learns.name], parts) if learns and not classes else 1.0,
        ordered=by == "time",
        seed=wanted.split.seed,
        rows=frame.height,
        parts={name: len(getattr(parts, name)) for name in ("train", "validation", "test")},
        dropped=dropped,
        contamination=wanted.contamination,
        naive=past.naive if past else "",
        naive_error=naive_error(frame[target.name], frame[past.naive], parts.train) if target and past else 0.0,
        horizon=past.horizon if past else 0,
        season=past.season if past else 0,
    )
    return Prepared(frame.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()), parts, facts)


def target_values(table: pa.Table, facts: Facts) -> NDArray[np.float64]:
    """Return the target of every row, float64: the value, or the index of the class in ``facts.classes``.

    Labels of anomalies are 1 and 0, and NaN where unknown; without a target, every row has NaN.
    """
    if not facts.target:
        return np.full(table.num_rows, np.nan)
    column = pl.Series(table.column(facts.target))
    if facts.task == "anomaly":
        return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return _codes(column, facts.classes).astype(np.float64) if facts.classes else column.to_numpy().astype(np.float64)


def _features(known: dict[str, SnapshotColumn], wanted: Wanted) -> list[SnapshotColumn]:
    """Return the columns that the model reads; those of the past of a target are not among them yet."""
    names: Sequence[str] = wanted.features or list(known)
    if wanted.forecast is not None:
        # What is not known ahead must not be learnt from: only what the model names, and what it names of every row.
        names = list(dict.fromkeys((*([wanted.time] if wanted.time else []), *wanted.forecast.series, *wanted.features)))
    features = [_column(known, name, "feature") for name in names if name != wanted.target]
    if wanted.target in wanted.features or not features:
        raise TrainingError(
            f"the target {wanted.target} is among the features" if features else "the model has no features",
            "name the features, without the target",
        )
    if doubled := [name for name, count in Counter(wanted.features).items() if count > 1]:
        raise TrainingError(f"feature {doubled[0]} is declared twice", "name each feature once")
    return features


def _split_ahead(split: Split, past: Past | None) -> Split:
    """Return the split with a gap of at least the horizon: when a forecast is made, no row within it is known."""
    if past is None:
        return split
    return split.model_copy(update={"gap": max(split.gap, past.ahead - timedelta(microseconds=1))})


def _column(known: dict[str, SnapshotColumn], name: str, role: str) -> SnapshotColumn:
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, n=1)
    raise TrainingError(
        f"the dataset has no column {name}, which is declared as {role}",
        f"did you mean {nearest[0]}?" if nearest else f"its columns are {', '.join(known)}",
    )


def _check_target(target: SnapshotColumn, task: Task) -> None:
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


def _normalised(column: SnapshotColumn) -> pl.Expr:
    """Return the column in the one type of its kind, with null wherever a value is missing."""
    value = pl.col(column.name)
    match kind_of(column.type):
        case "float":
            number = value.cast(pl.Float64)
            return pl.when(number.is_finite()).then(number).alias(column.name)
        case "integer":
            return value.cast(pl.Int64)
        case "boolean":
            return value.cast(pl.Boolean)
        case "string":
            return pl.when(value != "").then(value).alias(column.name)
        case "timestamp":
            stamp = value.cast(pl.Datetime("us", "UTC"))
            return pl.when(stamp.dt.epoch("us") != MISSING_TIMESTAMP).then(stamp).alias(column.name)


def _without_missing(frame: pl.DataFrame, required: Mapping[str, SnapshotColumn]) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return the rows that have all ``required`` columns, and how many had not, by role."""
    dropped = {}
    for role, column in required.items():
        kept = frame.filter(pl.col(column.name).is_not_null())
        dropped[role] = frame.height - kept.height
        if not kept.height:
            cause = (
                f"the {role} column {column.name} is missing in all {frame.height} rows"
                if frame.height
                else "there are no rows"
            )
            raise TrainingError(cause, "mend the source, or name another column")
        frame = kept
    return frame, dropped


def _check_features(frame: pl.DataFrame, features: Sequence[SnapshotColumn]) -> None:
    empty = [column.name for column in features if frame[column.name].null_count() == frame.height]
    if empty:
        raise TrainingError(
            f"feature {', '.join(empty)} is missing in all {frame.height} rows that have a target",
            "leave it out of the model's features, or mend the source",
        )


def _named_classes(frame: pl.DataFrame, target: SnapshotColumn) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Return the frame with class names as target, and the names: numbers by value, text by code point."""
    values = sorted(frame[target.name].unique().to_list())
    if not 2 <= len(values) <= MAX_CLASSES:
        raise TrainingError(
            f"the target {target.name} has {len(values)} class{'' if len(values) == 1 else 'es'} in {frame.height} rows",
            f"classification learns 2 to {MAX_CLASSES} classes; use another target, or task: regression for a quantity",
        )
    named = frame.with_columns(pl.col(target.name).cast(pl.String))
    return named, tuple(str(value).lower() if isinstance(value, bool) else str(value) for value in values)


def _codes(names: pl.Series, classes: Sequence[str]) -> NDArray[np.int64]:
    codes: NDArray[np.int64] = names.replace_strict(list(classes), list(range(len(classes))), return_dtype=pl.Int64).to_numpy()
    return codes


def _deviation(target: pl.Series, parts: SplitRows) -> float:
    values = target.to_numpy().astype(np.float64)[parts.train]
    if np.ptp(values.clip(-_LARGEST_TARGET, _LARGEST_TARGET)) == 0:
        raise TrainingError(
            f"the target {target.name} is {values[0]:g} in all {len(values)} training rows",
            "use a target that varies, or more rows",
        )
    largest = float(np.abs(values).max())
    deviation = float(values.std()) if largest <= _LARGEST_TARGET else 0.0
    if np.spacing(np.float32(min(largest, _LARGEST_TARGET))) > _LEAST_RESOLUTION * deviation:
        raise TrainingError(
            f"the target {target.name} reaches {largest:.3g}, where the float32 of answers does not tell its values apart",
            "subtract a constant from the target, or give it in another unit",
        )
    return deviation
