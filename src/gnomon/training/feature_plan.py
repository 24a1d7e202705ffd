"""The features that a model names become columns: those of a request, those that are computed, those that an estimator sees."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import TrainingError
from gnomon.features.graph import GraphBuilder
from gnomon.features.in_onnx import emit_feature
from gnomon.features.in_polars import polars_expression
from gnomon.inference.signature import MISSING_TIMESTAMP, ColumnKind, InputColumn, Matrix
from gnomon.resources.dataset import ColumnType
from gnomon.resources.expressions.definitions import reached, reads_own_row, resolved
from gnomon.resources.expressions.nodes import Node, ValueType
from gnomon.training.matrices import Matrices

_KINDS: Mapping[ValueType, ColumnKind] = {"number": "float", "truth": "float", "time": "timestamp", "text": "string"}
_TYPES: Mapping[ColumnKind, ColumnType] = {
    "float": "float64",
    "integer": "int64",
    "boolean": "boolean",
    "timestamp": "timestamp",
    "string": "string",
}


@dataclass(frozen=True)
class FeaturePlan:
    """What a model's features come to.

    Args:
        raw: The columns of the dataset that a request carries, each once.
        batch: Features that look at other rows: computed here, and carried by a request under their names.
        computed: Features of one row, computed here in training, and in the artifact's graph after that.
        features: The features by name, in declared order, and their types.
        definitions: The expressions that ``computed`` needs.
    """

    raw: tuple[SnapshotColumn, ...]
    batch: Mapping[str, Node]
    computed: Mapping[str, Node]
    features: Mapping[str, ColumnType]
    definitions: Mapping[str, str]

    @property
    def inputs(self) -> dict[str, ColumnType]:
        """The columns of a request, and their types: those that are features first, in the order of the features."""
        types = {column.name: column.type for column in self.raw}
        types |= {name: _TYPES[_KINDS[node.type]] for name, node in self.batch.items()}
        ordered = [name for name in self.features if name in types]
        return {name: types[name] for name in dict.fromkeys((*ordered, *types))}


def planned_features(
    known: Mapping[str, SnapshotColumn], names: Sequence[str], definitions: Mapping[str, str], target: str | None
) -> FeaturePlan:
    """Return the plan of a model's features.

    Args:
        known: The columns of the dataset.
        names: The features that the model names; none stands for every column and every definition but the target.
        definitions: Expressions by the names of features.
        target: What is learnt.

    Raises:
        TrainingError: A feature is unknown, named twice, or tells the target.
    """
    wanted = list(names or (*known, *definitions))
    if not names and target in wanted:
        wanted.remove(target)
    _check_names(wanted, known, definitions, target)
    needed = reached(wanted, definitions)
    nodes, errors = resolved(needed, {name: column.type for name, column in known.items()})
    for name, error in errors.items():
        raise TrainingError(f"feature {name}: {error.cause}", error.mend)
    for name in wanted:
        if target is not None and name in nodes and reads_own_row(nodes[name], target):
            raise TrainingError(
                f"feature {name} is computed from the target {target} of its own row",
                f"look back with lag({target}, 1), or name the model's features without it",
            )
    computed = {name: nodes[name] for name in wanted if name in nodes and not nodes[name].is_batch}
    read = dict.fromkeys(name for node in computed.values() for name in node.columns())
    batch = {name: node for name, node in nodes.items() if node.is_batch and (name in wanted or name in read)}
    if target in read:
        raise TrainingError(f"the features need the target {target} of their own row", f"look back with lag({target}, 1)")
    raw = dict.fromkeys(name for name in (*wanted, *read) if name in known)
    types = {name: _TYPES[_KINDS[node.type]] for name, node in nodes.items()}
    return FeaturePlan(
        raw=tuple(known[name] for name in raw),
        batch=batch,
        computed=computed,
        features={name: types[name] if name in types else known[name].type for name in wanted},
        definitions=reached(list(computed), {name: text for name, text in needed.items() if not nodes[name].is_batch}),
    )


class FeatureGraph:
    """The features of an estimator, from the raw columns that a request carries.

    Args:
        inputs: The raw columns.
        features: The features.
        definitions: The expressions of those that are no raw column.
    """

    def __init__(self, inputs: Sequence[InputColumn], features: Sequence[InputColumn], definitions: Mapping[str, str]) -> None:
        self._inputs = {column.name: column for column in inputs}
        self.features = tuple(features)
        self._nodes, _ = resolved(definitions, {column.name: _TYPES[column.kind] for column in inputs})
        self.is_plain = tuple((each.name, each.matrix, each.index) for each in inputs) == tuple(
            (each.name, each.matrix, each.index) for each in features
        )

    def of(self, raw: Matrices) -> Matrices:
        """Return the features of some rows; meant for few of them, such as made-up ones."""
        if self.is_plain:
            return raw
        frame = self._frame(raw)
        computed = frame.select(polars_expression(node).alias(name) for name, node in self._nodes.items())
        made: dict[Matrix, list[NDArray[Any]]] = {"floats": [], "ints": [], "strings": []}
        given: dict[Matrix, NDArray[Any]] = {"floats": raw.floats, "ints": raw.ints, "strings": raw.strings}
        for column in self.features:
            source = self._inputs.get(column.name)
            made[column.matrix].append(
                given[source.matrix][:, source.index] if source is not None else _filled(computed[column.name], column.matrix)
            )
        return Matrices.of(
            _stacked(made["floats"], len(raw), np.float32),
            _stacked(made["ints"], len(raw), np.int64),
            _stacked(made["strings"], len(raw), np.object_),
        )

    def emit(self, graph: GraphBuilder) -> None:
        """Put the features in the place of the raw matrices, for all operators that are added from here on."""
        if self.is_plain:
            return
        made: dict[Matrix, list[str]] = {"floats": [], "ints": [], "strings": []}
        for column in self.features:
            made[column.matrix].append(
                emit_feature(graph, self._nodes[column.name], self._inputs)
                if column.name not in self._inputs
                else graph.node("Gather", column.matrix, graph.integers(self._inputs[column.name].index), axis=1)
            )
        joined = {
            name: parts[0] if len(parts) == 1 else graph.node("Concat", *parts, axis=1) for name, parts in made.items() if parts
        }
        for name, value in joined.items():
            graph.stand_in(name, value)

    def _frame(self, raw: Matrices) -> pl.DataFrame:
        columns: dict[str, pl.Series] = {}
        strings = raw.strings
        for name, column in self._inputs.items():
            match column.kind:
                case "timestamp":
                    stamps = pl.Series(raw.ints[:, column.index])
                    known = stamps.set(stamps == MISSING_TIMESTAMP, None)
                    columns[name] = known.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
                case "string":
                    columns[name] = pl.Series(strings[:, column.index].tolist(), dtype=pl.String).replace("", None)
                case kind:
                    numbers = pl.Series(raw.floats[:, column.index]).fill_nan(None)
                    columns[name] = numbers.cast(pl.Boolean) if kind == "boolean" else numbers
        return pl.DataFrame(columns)


def _filled(values: pl.Series, matrix: Matrix) -> NDArray[Any]:
    match matrix:
        case "floats":
            return values.to_numpy()
        case "ints":
            return values.dt.epoch("us").fill_null(MISSING_TIMESTAMP).to_numpy()
        case "strings":
            return np.array(values.fill_null("").to_list(), dtype=np.object_)


def _stacked(columns: Sequence[NDArray[Any]], rows: int, dtype: type) -> NDArray[Any]:
    return np.stack(columns, axis=1).astype(dtype) if columns else np.empty((rows, 0), dtype)


def _check_names(
    wanted: Sequence[str], known: Mapping[str, SnapshotColumn], definitions: Mapping[str, str], target: str | None
) -> None:
    if target in wanted or not wanted:
        raise TrainingError(
            f"the target {target} is among the features" if wanted else "the model has no features",
            "name the features, without the target",
        )
    if doubled := [name for name, count in Counter(wanted).items() if count > 1]:
        raise TrainingError(f"feature {doubled[0]} is declared twice", "name each feature once")
    for name in wanted:
        if name not in known and name not in definitions:
            near = get_close_matches(name, [*known, *definitions], n=1)
            raise TrainingError(
                f"the dataset has no column {name}, which is declared as feature",
                f"did you mean {near[0]}?" if near else f"its columns are {', '.join(known)}",
            )
