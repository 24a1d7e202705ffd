"""The rows of a snapshot, and what a model asks of them: the columns, what they are to it, and how they are divided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches

import polars as pl

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.resources.expressions.definitions import reached, resolved
from gnomon.resources.learning import DEFAULT_CONTAMINATION, TARGET_TASKS, Task
from gnomon.resources.model import Split
from gnomon.training.feature_plan import FeaturePlan, planned_features
from gnomon.training.forecasting import Forecast, Past, tells_past, with_past
from gnomon.training.learning_target import check_target, target_expression
from gnomon.training.made_columns import snapshot_columns
from gnomon.training.matrices import kind_of
from gnomon.training.prepared_table import normalised
from gnomon.training.split import SplitKind, kind_of_split

TARGET, TIME, HISTORY = "target", "time", "history"
"""Roles of columns that a row may have to have."""


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
class RowSource:
    """The rows and what is asked of them.

    Args:
        rows: The rows; of a forecast, with the past of its target.
        known: Their columns, and those that functions made.
        target: What is learnt, or labels that only measure.
        stamp: The dataset's column of event time.
        group: What names the groups that stay on one side of the split.
        past: Of a forecast: the past of its target.
        plan: The features.
        by: How rows are divided.
        required: Columns that must have a value, by their role.
        made: Columns that functions made, in the order of the rows.
    """

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


def row_source(rows: pl.LazyFrame, columns: Sequence[SnapshotColumn], wanted: Wanted, made: pl.DataFrame | None) -> RowSource:
    """Return the rows with what is asked of them.

    Raises:
        TrainingError: A column is unknown, or the target, a feature or the split does not fit.
    """
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
        names = [*_known_ahead(wanted, wanted.forecast), *(made.columns if made is not None else ())]
        past = with_past(_history(rows, known, stamp, made), target.name, stamp.name, wanted.forecast)
        rows, made = past.frame.lazy(), None
        known |= {name: SnapshotColumn(name, "float64", nullable=True) for name in past.columns}
        nodes, _ = resolved(reached(names, wanted.definitions), {name: column.type for name, column in known.items()})
        if not tells_past(names, nodes, target.name, past.horizon, wanted.forecast.series):
            names = [*names, *past.columns]
    required = {
        TARGET: target if wanted.task in TARGET_TASKS else None,
        TIME: stamp if by == "time" else None,
        HISTORY: known[past.naive] if past else None,
    }
    return RowSource(
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


def _history(
    rows: pl.LazyFrame, known: Mapping[str, SnapshotColumn], stamp: SnapshotColumn, made: pl.DataFrame | None
) -> pl.DataFrame:
    """Return all rows that have a time, in memory."""
    whole = rows if made is None else rows.collect(engine="streaming").hstack(made).lazy()
    frame = whole.select(own_expression(column) for column in known.values()).collect(engine="streaming")
    timed = frame.filter(pl.col(stamp.name).is_not_null())
    if not timed.height:
        cause = f"the time column {stamp.name} is missing in all {frame.height} rows" if frame.height else "there are no rows"
        raise TrainingError(cause, "mend the source, or name another column")
    return timed


def _column(known: Mapping[str, SnapshotColumn], name: str, role: str) -> SnapshotColumn:
    if name in known:
        return known[name]
    nearest = get_close_matches(name, known, n=1)
    raise TrainingError(
        f"the dataset has no column {name}, which is declared as {role}",
        f"did you mean {nearest[0]}?" if nearest else f"its columns are {', '.join(known)}",
    )


def own_expression(column: SnapshotColumn) -> pl.Expr:
    """Return a column with all its digits, null where it is missing."""
    return normalised(column.name, "timestamp") if kind_of(column.type) == "timestamp" else target_expression(column)
