"""A snapshot's rows become a training table: needed columns, normalised types, known targets, divided rows, facts."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.resources.learning import DEFAULT_CONTAMINATION, TARGET_TASKS, Task
from gnomon.training.feature_plan import FeatureGraph
from gnomon.training.matrices import input_columns
from gnomon.training.outputs import Meaning
from gnomon.training.row_passes import divided_rows, filled_table, side_by_side
from gnomon.training.row_source import Wanted, row_source
from gnomon.training.split import SplitRows


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
    source = row_source(rows, columns, wanted, made)
    divided = divided_rows(source, wanted)
    table, missing = filled_table(source, divided, wanted)
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
    return Prepared(table, side_by_side(parts), facts)


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
