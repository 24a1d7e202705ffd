from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from gnomon.errors import GoldenRowsError
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Predictor
from gnomon.inference.signature import ColumnKind
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.fitting import export, fit_model
from gnomon.training.golden_rows import golden_rows
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import target_values
from tests.training.tables import RealTable, prepare, real_table
from tests.training.test_algorithms import plan

EDGES: dict[ColumnKind, set[float | str | None]] = {
    "string": {None, "x" * 1000},
    "timestamp": {None, 0, -1, 2**63 - 1},
    "boolean": {None, True, False},
    "integer": {None, 2**31, -(2**53)},
    "float": {None, 0.0, float(np.finfo(np.float32).max)},
}


def golden_of(table: RealTable, algorithm: str = "lightgbm", *, nullable: bool = True) -> tuple[Predictor, GoldenRows]:
    facts = table.prepared().facts
    prepared = prepare(table.frame, table.task, table.target, time=table.time)
    if not nullable:
        inputs = tuple(msgspec.structs.replace(column, nullable=False) for column in facts.inputs)
        facts = msgspec.structs.replace(facts, inputs=inputs)
    raw, target = matrices_of(prepared.table, facts.inputs), target_values(prepared.table, facts)
    rows = TrainingRows(raw, target, len(facts.classes), ordered=False, seed=1)
    model = fit_model(plan(table.task, algorithm), rows)
    predictor = Predictor(export(model, raw, facts.signature), facts.signature)
    return predictor, golden_rows(predictor, raw.take(prepared.parts.test), facts.deviation, 1)


@pytest.mark.parametrize("name", ["delays", "species"])
def test_every_edge_of_every_column_is_among_few_rows(name: str) -> None:
    predictor, golden = golden_of(real_table(name))
    assert len(golden.prediction) == 64
    for column in predictor.signature.inputs:
        assert EDGES[column.kind] <= set(golden.columns[column.name])


def test_a_column_that_is_not_nullable_misses_nothing_even_where_text_is_empty() -> None:
    frame = real_table("species").frame.with_columns(pl.col("sex").fill_null(""))
    predictor, golden = golden_of(replace(real_table("species"), frame=frame), nullable=False)
    assert not any(None in values for values in golden.columns.values())
    replay(predictor, golden)


def test_another_model_does_not_reproduce_the_rows() -> None:
    _, golden = golden_of(real_table("diabetes"), "lightgbm")
    other, _ = golden_of(real_table("diabetes"), "random-forest")
    with pytest.raises(GoldenRowsError, match="golden rows differ in prediction"):
        replay(other, golden)


def test_classes_that_are_as_likely_everywhere_still_give_rows() -> None:
    count = 40
    frame = pl.DataFrame({"x": [float(i // 2) for i in range(count)], "label": ["a", "b"] * (count // 2)})
    predictor, golden = golden_of(RealTable(frame, "classification", "label"))
    assert golden.prediction
    replay(predictor, golden)
