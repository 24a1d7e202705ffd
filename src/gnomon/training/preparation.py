"""A snapshot's rows become a training table: needed columns, normalised types, known targets, divided rows, facts.

Rows pass through twice, a batch after the other: first for the target and what divides the rows, then for all columns, each
row straight to its place in the table. Memory holds a batch and a few numbers of each row; but forecasts, and features that
look at other rows, take the columns that they need as a whole.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.features.in_polars import polars_expression
from gnomon.inference.signature import ColumnKind, InputColumn, Output, Signature
from gnomon.resources.expressions.definitions import reached, resolved
from gnomon.resources.model import DEFAULT_CONTAMINATION, TARGET_TASKS, Split, Task
from gnomon.training.feature_plan import FeatureGraph, FeaturePlan, planned_features
from gnomon.training.forecasting import Forecast, Past, naive_error, tells_past, with_past
from gnomon.training.learning_target import (
    check_labels,
    check_target,
    deviation_of,
    group_codes,
    named_classes,
    target_expression,
)
from gnomon.training.made_columns import snapshot_columns
from gnomon.training.matrices import input_columns, kind_of
from gnomon.training.outputs import Meaning
from gnomon.training.prepared_table import StoredColumn, TableWriter, normalised
from gnomon.training.split import SplitKind, SplitRows, kind_of_split, split_rows

BATCH_ROWS = 65_536
"""Rows that are read at once."""


class Facts(msgspec.Struct, frozen=True, rename="camel"):
    """What later steps need to know of a prepared table.

    ``inputs`` are the raw columns that a request carries, ``features`` what an estimator sees of them: the same ones, or what
    ``definitions`` compute of them.

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
    features: tuple[InputColumn, ...]
    definitions: dict[str, str]
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
    def graph(self) -> FeatureGraph:
        """What computes the features from the raw columns, in a graph and of a few rows."""
        return FeatureGraph(self.inputs, self.features, self.definitions)

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
    """What a model asks of a snapshot's columns. ``features`` empty means every column and definition but the target.

    ``definitions`` are expressions by the names of features.

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
    definitions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Prepared:
    """A training table, its divided rows and its facts.

    The rows stand in the order of the parts; those of none come last.
    """

    table: pa.Table
    parts: SplitRows
    facts: Facts


def prepare_rows(
    rows: pl.LazyFrame, columns: Sequence[SnapshotColumn], wanted: Wanted, made: pl.DataFrame | None = None
) -> Prepared:
    """Return the training table of a model.

    Args:
        rows: The rows.
        columns: Their columns, as the snapshot lists them.
        wanted: What the model asks.
        made: Columns that functions made of the rows, in their order: features besides those that are named.

    Raises:
        TrainingError: A column is unknown or empty, the target does not fit the task, or rows do not suffice.
    """
    source = _source(rows, columns, wanted, made)
    divided = _divided(source, wanted)
    table, missing = _filled_table(source, divided, wanted)
    known, parts = source.known, divided.parts
    facts = Facts(
        task=wanted.task,
        target=source.target.name if source.target else "",
        time=wanted.time,
        # An infinite number of the source is a missing one here, also in a column that has no null.
        inputs=input_columns(
            (name, kind, name not in known or known[name].nullable or missing[name] > 0)
            for name, kind in source.plan.inputs.items()
        ),
        features=input_columns((name, kind, True) for name, kind in source.plan.features.items()),
        definitions=dict(source.plan.definitions),
        classes=divided.classes,
        deviation=divided.deviation,
        ordered=source.by == "time",
        seed=wanted.split.seed,
        rows=table.num_rows,
        parts={name: len(getattr(parts, name)) for name in ("train", "validation", "test")},
        dropped=divided.dropped,
        contamination=wanted.contamination,
        naive=source.past.naive if source.past else "",
        naive_error=divided.naive_error,
        horizon=source.past.horizon if source.past else 0,
        season=source.past.season if source.past else 0,
    )
    return Prepared(table, _side_by_side(parts), facts)


def target_values(table: pa.Table, facts: Facts) -> NDArray[np.float64]:
    """Return the target of every row, float64: the value, or the index of the class in ``facts.classes``.

    Labels of anomalies are 1 and 0, and NaN where unknown; without a target, every row has NaN.
    """
    if not facts.target:
        return np.full(table.num_rows, np.nan)
    column = table.column(facts.target).combine_chunks()
    if facts.classes:
        return np.asarray(column.indices.to_numpy(zero_copy_only=False), dtype=np.float64)
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


_TARGET, _TIME, _GROUP, _HISTORY = "target", "time", "group", "history"
_AFTER_NUMBERS: Mapping[ColumnKind, int] = {"timestamp": 1, "string": 2}
_ROW = "\0row"
"""No column of a file is called so."""


@dataclass(frozen=True, eq=False)
class _Source:
    """The rows and what is asked of them. ``required`` columns must have a value, by their role."""

    rows: pl.LazyFrame
    known: Mapping[str, SnapshotColumn]
    target: SnapshotColumn | None
    stamp: SnapshotColumn | None
    group: SnapshotColumn | None
    past: Past | None
    plan: FeaturePlan
    by: SplitKind
    required: Mapping[str, SnapshotColumn]
    made: pl.DataFrame | None


@dataclass(frozen=True, eq=False)
class _Divided:
    """What the first pass found out.

    Args:
        kept: Which rows have all that is required; None for all.
        parts: Indices of the kept rows.
        truth: Of a target of numbers or labels, the values of the kept rows; of classes, their indices.
        dropped: How many rows are left out, by role.
    """

    kept: pl.Series | None
    parts: SplitRows
    rows: int
    truth: NDArray[Any] | None
    classes: tuple[str, ...]
    deviation: float
    naive_error: float
    dropped: dict[str, int]


def _source(rows: pl.LazyFrame, columns: Sequence[SnapshotColumn], wanted: Wanted, made: pl.DataFrame | None) -> _Source:
    known = {column.name: column for column in columns}
    if made is not None:
        added = snapshot_columns(made)
        if clash := [column.name for column in added if column.name in known or column.name in wanted.definitions]:
            raise TrainingError(f"a function makes the column {clash[0]}, which there is already", "give it another name")
        known |= {column.name: column for column in added}
    target = _column(known, wanted.target, "target") if wanted.target is not None else None
    if target is not None:
        check_target(target, wanted.task)
    by = kind_of_split(wanted.split, wanted.task, wanted.time)
    stamp = _column(known, wanted.time, "time") if wanted.time else None
    past = None
    names: Sequence[str] = (*wanted.features, *(made.columns if made is not None else ()))
    if wanted.forecast is not None and target is not None and stamp is not None:
        names = _known_ahead(wanted, wanted.forecast)
        past = with_past(_history(rows, known, stamp), target.name, stamp.name, wanted.forecast)
        rows = past.frame.lazy()
        known |= {name: SnapshotColumn(name, "float64", nullable=True) for name in past.columns}
        nodes, _ = resolved(reached(names, wanted.definitions), {name: column.type for name, column in known.items()})
        if not tells_past(names, nodes, target.name, past.horizon, wanted.forecast.series):
            names = [*names, *past.columns]
    required = {
        _TARGET: target if wanted.task in TARGET_TASKS else None,
        _TIME: stamp if by == "time" else None,
        _HISTORY: known[past.naive] if past else None,
    }
    return _Source(
        rows,
        known,
        target,
        stamp,
        _column(known, wanted.split.column or "", "split.column") if by == "group" else None,
        past,
        planned_features(known, names, wanted.definitions, wanted.target),
        by,
        {role: column for role, column in required.items() if column is not None},
        made,
    )


def _known_ahead(wanted: Wanted, forecast: Forecast) -> list[str]:
    """Return the features of a forecast, but for the past of its target.

    What is not known ahead must not be learnt from: only what the model names, and what it names of every row.
    """
    if wanted.target in wanted.features:
        raise TrainingError(f"the target {wanted.target} is among the features", "name the features, without the target")
    return list(dict.fromkeys((*([wanted.time] if wanted.time else []), *forecast.series, *wanted.features)))


def _history(rows: pl.LazyFrame, known: Mapping[str, SnapshotColumn], stamp: SnapshotColumn) -> pl.DataFrame:
    """Return all rows that have a time, in memory."""
    frame = rows.select(_own_expression(column) for column in known.values()).collect(engine="streaming")
    timed = frame.filter(pl.col(stamp.name).is_not_null())
    if not timed.height:
        cause = f"the time column {stamp.name} is missing in all {frame.height} rows" if frame.height else "there are no rows"
        raise TrainingError(cause, "mend the source, or name another column")
    return timed


def _divided(source: _Source, wanted: Wanted) -> _Divided:
    """Pass through the rows for the few columns that say what becomes of each."""
    few = source.rows.select(_few(source)).collect(engine="streaming")
    few, kept, dropped = _without_missing(few, source.required)
    truth: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    if source.target is not None and wanted.task == "classification":
        truth, classes = named_classes(few[_TARGET].alias(source.target.name))
    elif source.target is not None:
        truth = few[_TARGET].to_numpy().astype(np.float64)
        if wanted.task == "anomaly":
            check_labels(source.target.name, truth)
    parts = split_rows(
        _split_ahead(wanted.split, source.past),
        source.by,
        few.height,
        time=few[_TIME].to_numpy() if source.by == "time" else None,
        classes=truth if classes else None,
        groups=group_codes(few[_GROUP]) if source.group else None,
    )
    deviation = 1.0
    if truth is not None and not classes and _TARGET in source.required:
        deviation = deviation_of(source.required[_TARGET].name, truth[parts.train])
    return _Divided(
        kept=kept,
        parts=parts,
        rows=few.height,
        truth=truth,
        classes=classes,
        deviation=deviation,
        naive_error=naive_error(few[_TARGET], few[_HISTORY], parts.train) if source.past else 0.0,
        dropped=dropped,
    )


def _each_row(source: _Source) -> pl.Expr:
    """Return something of every row, where nothing else is asked of it."""
    made = source.made.columns if source.made is not None else ()
    return pl.col(next(name for name in source.known if name not in made)).is_null().alias(_ROW)


def _few(source: _Source) -> list[pl.Expr]:
    columns = {_TARGET: source.target, _GROUP: source.group, _HISTORY: source.required.get(_HISTORY)}
    few = [_own_expression(column).alias(name) for name, column in columns.items() if column is not None]
    if (stamp := source.required.get(_TIME)) is not None:
        few.append(normalised(stamp.name, "timestamp").dt.epoch("us").alias(_TIME))
    return few or [_each_row(source)]


def _split_ahead(split: Split, past: Past | None) -> Split:
    """Return the split with a gap of at least the horizon: when a forecast is made, no row within it is known."""
    if past is None:
        return split
    return split.model_copy(update={"gap": max(split.gap, past.ahead - timedelta(microseconds=1))})


def _column(known: Mapping[str, SnapshotColumn], name: str, role: str) -> SnapshotColumn:
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, n=1)
    raise TrainingError(
        f"the dataset has no column {name}, which is declared as {role}",
        f"did you mean {nearest[0]}?" if nearest else f"its columns are {', '.join(known)}",
    )


def _own_expression(column: SnapshotColumn) -> pl.Expr:
    """Return a column with all its digits, null where it is missing."""
    return normalised(column.name, "timestamp") if kind_of(column.type) == "timestamp" else target_expression(column)


def _without_missing(
    few: pl.DataFrame, required: Mapping[str, SnapshotColumn]
) -> tuple[pl.DataFrame, pl.Series | None, dict[str, int]]:
    """Return the rows that have all required columns, which rows those are, and how many had not, by role."""
    dropped: dict[str, int] = {}
    kept: pl.Series | None = None
    for role, column in required.items():
        known = few[role].is_not_null()
        kept = known if kept is None else kept & known
        left = int(kept.sum())
        dropped[role] = few.height - sum(dropped.values()) - left
        if not left:
            rows = few.height - sum(dropped.values()) + dropped[role]
            cause = f"the {role} column {column.name} is missing in all {rows} rows" if rows else "there are no rows"
            raise TrainingError(cause, "mend the source, or name another column")
    return (few if kept is None else few.filter(kept)), kept, dropped


def _filled_table(source: _Source, divided: _Divided, wanted: Wanted) -> tuple[pa.Table, Mapping[str, int]]:
    """Pass through the rows for all columns, and return the table and how many rows miss a value, by column."""
    stored = _stored(source, wanted)
    order = _order(divided.parts, divided.rows)
    places = np.empty(divided.rows, dtype=np.int64)
    places[order] = np.arange(divided.rows)
    beside = _beside(source)
    if beside is not None and divided.kept is not None:
        beside = beside.filter(divided.kept)
    writer = TableWriter(stored, places)
    rows = source.rows
    if source.required:
        rows = rows.filter(_own_expression(column).is_not_null() for column in source.required.values())
    ours = {*source.plan.batch, *source.plan.computed, *(source.made.columns if source.made is not None else ())}
    given = [normalised(each.name, each.kind) for each in stored if each.name not in ours]
    raw = rows.select(given or [_each_row(source)])
    computed = [polars_expression(node).alias(name) for name, node in source.plan.computed.items()]
    for batch in raw.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True, lazy=True, engine="streaming"):
        whole = batch if beside is None else batch.hstack(beside.slice(writer.written, batch.height))
        writer.write(whole.with_columns(computed))
    _check_features(source.plan, writer.missing, divided.rows)
    table = writer.table()
    if source.target is not None and divided.truth is not None:
        table = table.append_column(source.target.name, _target_array(divided, order))
    return table, writer.missing


def _stored(source: _Source, wanted: Wanted) -> list[StoredColumn]:
    """Return the columns of the table, each once: those of a kind side by side, features first."""
    carried = [name for name in (*wanted.carried, wanted.time) if name in source.known and name != wanted.target]
    types = {**source.plan.features, **source.plan.inputs, **{name: source.known[name].type for name in carried if name}}
    stored = [StoredColumn(name, kind_of(column_type)) for name, column_type in types.items()]
    return sorted(stored, key=lambda column: _AFTER_NUMBERS.get(column.kind, 0))


def _order(parts: SplitRows, rows: int) -> NDArray[np.int64]:
    """Return the rows part after part; those of no part, which a gap leaves out, come last."""
    chosen = np.concatenate([parts.train, parts.validation, parts.test])
    left = np.ones(rows, dtype=np.bool_)
    left[chosen] = False
    return np.concatenate([chosen, np.flatnonzero(left)])


def _side_by_side(parts: SplitRows) -> SplitRows:
    """Return where the parts are once their rows stand one after the other."""
    ends = np.cumsum([len(parts.train), len(parts.validation), len(parts.test)])
    train, validation, test = (
        np.arange(end - len(part), end) for end, part in zip(ends, (parts.train, parts.validation, parts.test), strict=True)
    )
    return SplitRows(train, validation, test)


def _target_array(divided: _Divided, order: NDArray[np.int64]) -> Any:
    """Return the target in the order of the table: classes by name, numbers as they are, unknown labels as null."""
    assert divided.truth is not None  # noqa: S101 - the caller looked
    ordered = divided.truth[order]
    if divided.classes:
        return pa.DictionaryArray.from_arrays(pa.array(ordered, pa.int32()), pa.array(divided.classes))
    return pa.array(ordered, from_pandas=True)


def _beside(source: _Source) -> pl.DataFrame | None:
    """Return the columns that are not made of one row at a time, for all rows in their order; they are held in memory."""
    frames = []
    if source.made is not None:
        kinds = {column.name: kind_of(column.type) for column in snapshot_columns(source.made)}
        frames.append(source.made.select(normalised(name, kind).alias(name) for name, kind in kinds.items()))
    if source.plan.batch:
        frames.append(_looking_back(source, frames[0] if frames else None))
    return pl.concat(frames, how="horizontal") if frames else None


def _looking_back(source: _Source, made: pl.DataFrame | None) -> pl.DataFrame:
    """Return the features that look at other rows, in the order of the rows."""
    stamp, batch = source.stamp, source.plan.batch
    if stamp is None:
        raise TrainingError(
            f"feature {next(iter(batch))} looks at earlier rows, but the dataset declares no time column",
            "declare spec.time in the dataset",
        )
    read = dict.fromkeys(name for node in batch.values() for name in node.columns())
    given = [name for name in read if made is not None and name in made.columns]
    needed = source.rows.select(
        *(normalised(name, kind_of(source.known[name].type)) for name in read if name not in given),
        normalised(stamp.name, "timestamp").alias(_TIME),
    ).collect(engine="streaming")
    whole = needed if made is None else needed.hstack(made.select(given))
    ordered = whole.with_row_index(_ROW).sort(_TIME, maintain_order=True, nulls_last=True)
    values = ordered.select(_ROW, *(polars_expression(node).alias(name) for name, node in batch.items()))
    return values.sort(_ROW).drop(_ROW)


def _check_features(plan: FeaturePlan, missing: Mapping[str, int], rows: int) -> None:
    empty = [name for name in plan.features if missing[name] == rows]
    if empty:
        raise TrainingError(
            f"feature {', '.join(empty)} is missing in all {rows} rows that have a target",
            "leave it out of the model's features, or mend the source",
        )
