"""Rows pass through twice, a batch after the other, and become a divided table.

First for the target and what divides the rows, then for all columns, each row straight to its place. Memory holds a batch and
a few numbers of each row; but forecasts, and features that look at other rows, take the columns that they need as a whole.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.features.in_polars import polars_expression
from gnomon.inference.signature import ColumnKind
from gnomon.resources.model import Split
from gnomon.training.feature_plan import FeaturePlan
from gnomon.training.forecasting import Past, naive_error
from gnomon.training.learning_target import check_labels, deviation_of, group_codes, named_classes
from gnomon.training.made_columns import snapshot_columns
from gnomon.training.matrices import kind_of
from gnomon.training.prepared_table import StoredColumn, TableWriter, normalised
from gnomon.training.row_source import HISTORY, TARGET, TIME, RowSource, Wanted, own_expression
from gnomon.training.split import SplitRows, split_rows

BATCH_ROWS = 65_536
"""Rows that are read at once."""

_AFTER_NUMBERS: Mapping[ColumnKind, int] = {"timestamp": 1, "string": 2}
_GROUP = "group"
_ROW = "\0row"
"""No column of a file is called so."""


@dataclass(frozen=True, eq=False)
class Divided:
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


def divided_rows(source: RowSource, wanted: Wanted) -> Divided:
    """Pass through the rows for the few columns that say what becomes of each.

    Raises:
        TrainingError: The target does not fit, or rows do not suffice.
    """
    few = source.rows.select(_few(source)).collect(engine="streaming")
    few, kept, dropped = _without_missing(few, source.required)
    truth: NDArray[Any] | None = None
    classes: tuple[str, ...] = ()
    if source.target is not None and wanted.task == "classification":
        truth, classes = named_classes(few[TARGET].alias(source.target.name))
    elif source.target is not None:
        truth = few[TARGET].to_numpy().astype(np.float64)
        if wanted.task == "anomaly":
            check_labels(source.target.name, truth)
    parts = split_rows(
        _split_ahead(wanted.split, source.past),
        source.by,
        few.height,
        time=few[TIME].to_numpy() if source.by == "time" else None,
        classes=truth if classes else None,
        groups=group_codes(few[_GROUP]) if source.group else None,
    )
    deviation = 1.0
    if truth is not None and not classes and TARGET in source.required:
        deviation = deviation_of(source.required[TARGET].name, truth[parts.train])
    return Divided(
        kept=kept,
        parts=parts,
        rows=few.height,
        truth=truth,
        classes=classes,
        deviation=deviation,
        naive_error=naive_error(few[TARGET], few[HISTORY], parts.train) if source.past else 0.0,
        dropped=dropped,
    )


def _each_row(source: RowSource) -> pl.Expr:
    """Return something of every row, where nothing else is asked of it."""
    made = source.made.columns if source.made is not None else ()
    return pl.col(next(name for name in source.known if name not in made)).is_null().alias(_ROW)


def _few(source: RowSource) -> list[pl.Expr]:
    columns = {TARGET: source.target, _GROUP: source.group, HISTORY: source.required.get(HISTORY)}
    few = [own_expression(column).alias(name) for name, column in columns.items() if column is not None]
    if (stamp := source.required.get(TIME)) is not None:
        few.append(normalised(stamp.name, "timestamp").dt.epoch("us").alias(TIME))
    return few or [_each_row(source)]


def _split_ahead(split: Split, past: Past | None) -> Split:
    """Return the split with a gap of at least the horizon: when a forecast is made, no row within it is known."""
    if past is None:
        return split
    return split.model_copy(update={"gap": max(split.gap, past.ahead - timedelta(microseconds=1))})


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


def filled_table(source: RowSource, divided: Divided, wanted: Wanted) -> tuple[pa.Table, Mapping[str, int]]:
    """Pass through the rows for all columns, and return the table and how many rows miss a value, by column.

    Raises:
        TrainingError: A feature is missing in every row.
    """
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
        rows = rows.filter(own_expression(column).is_not_null() for column in source.required.values())
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


def _stored(source: RowSource, wanted: Wanted) -> list[StoredColumn]:
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


def side_by_side(parts: SplitRows) -> SplitRows:
    """Return where the parts are once their rows stand one after the other."""
    ends = np.cumsum([len(parts.train), len(parts.validation), len(parts.test)])
    train, validation, test = (
        np.arange(end - len(part), end) for end, part in zip(ends, (parts.train, parts.validation, parts.test), strict=True)
    )
    return SplitRows(train, validation, test)


def _target_array(divided: Divided, order: NDArray[np.int64]) -> Any:
    """Return the target in the order of the table: classes by name, numbers as they are, unknown labels as null."""
    assert divided.truth is not None  # noqa: S101 - the caller looked
    ordered = divided.truth[order]
    if divided.classes:
        return pa.DictionaryArray.from_arrays(pa.array(ordered, pa.int32()), pa.array(divided.classes))
    return pa.array(ordered, from_pandas=True)


def _beside(source: RowSource) -> pl.DataFrame | None:
    """Return the columns that are not made of one row at a time, for all rows in their order; they are held in memory."""
    frames = []
    if source.made is not None:
        kinds = {column.name: kind_of(column.type) for column in snapshot_columns(source.made)}
        frames.append(source.made.select(normalised(name, kind).alias(name) for name, kind in kinds.items()))
    if source.plan.batch:
        frames.append(_looking_back(source, frames[0] if frames else None))
    return pl.concat(frames, how="horizontal") if frames else None


def _looking_back(source: RowSource, made: pl.DataFrame | None) -> pl.DataFrame:
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
        normalised(stamp.name, "timestamp").alias(TIME),
    ).collect(engine="streaming")
    whole = needed if made is None else needed.hstack(made.select(given))
    ordered = whole.with_row_index(_ROW).sort(TIME, maintain_order=True, nulls_last=True)
    values = ordered.select(_ROW, *(polars_expression(node).alias(name) for name, node in batch.items()))
    return values.sort(_ROW).drop(_ROW)


def _check_features(plan: FeaturePlan, missing: Mapping[str, int], rows: int) -> None:
    empty = [name for name in plan.features if missing[name] == rows]
    if empty:
        raise TrainingError(
            f"feature {', '.join(empty)} is missing in all {rows} rows that have a target",
            "leave it out of the model's features, or mend the source",
        )
