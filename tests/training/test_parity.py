from dataclasses import replace

import numpy as np
import pytest

from gnomon.errors import ExportRefusedError
from gnomon.features.graph import GraphBuilder
from gnomon.inference.session import Predictor
from gnomon.training import trees
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.fitting import NativeModel, export, fit_model
from gnomon.training.matrices import Matrices, matrices_of
from gnomon.training.parity import checked_parity, compared, edge_rows
from gnomon.training.preparation import Facts, target_values
from tests.training.tables import real_table
from tests.training.test_algorithms import plan

DRIFTED = pytest.mark.parametrize(
    ("name", "algorithm", "module"),
    [
        ("delays", "lightgbm", "lightgbm"),
        ("delays", "xgboost", "xgboost"),
        ("delays", "random-forest", "forest"),
        ("delays", "decision-tree", "forest"),
        ("delays", "extra-trees", "forest"),
        ("late", "hist-gradient-boosting", "hist_gradient_boosting"),
    ],
)


def fitted(name: str, algorithm: str) -> tuple[NativeModel, Matrices, Facts]:
    table = real_table(name)
    prepared = table.prepared()
    facts = prepared.facts
    raw, target = matrices_of(prepared.table, facts.inputs), target_values(prepared.table, facts)
    rows = TrainingRows(raw, target, len(facts.classes), ordered=False, seed=1)
    return fit_model(plan(table.task, algorithm), rows), raw, facts


@DRIFTED
def test_an_emitter_that_turns_missing_values_around_is_refused_with_the_figures(
    name: str, algorithm: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, raw, facts = fitted(name, algorithm)
    honest = trees.emit_ensemble

    def dishonest(graph: GraphBuilder, features: str, ensemble: trees.TreeEnsemble) -> str:
        turned = [replace(tree, missing_left=~tree.missing_left) for tree in ensemble.trees]
        return honest(graph, features, replace(ensemble, trees=turned))

    rows = raw.take(np.arange(1000))
    native = model.predict(rows)
    assert checked_parity(
        Predictor(export(model, raw, facts.signature), facts.signature), native, rows, facts.deviation, "ours"
    ).verdict == ("exact")
    monkeypatch.setattr(f"gnomon.training.algorithms.{module}.emit_ensemble", dishonest)
    predictor = Predictor(export(model, raw, facts.signature), facts.signature)
    with pytest.raises(ExportRefusedError, match=r"candidate ours differs .* on \d+ of 1000 rows, by up to \d"):
        checked_parity(predictor, native, rows, facts.deviation, "ours")


def test_a_class_name_that_is_not_the_likeliest_is_refused() -> None:
    model, raw, facts = fitted("species", "logistic")
    renamed = replace_classes(facts, ("Chinstrap", "Adelie", "Gentoo"))
    predictor = Predictor(export(model, raw, renamed.signature), facts.signature)
    with pytest.raises(ExportRefusedError):
        checked_parity(predictor, model.predict(raw), raw, 1.0, "ours")


def replace_classes(facts: Facts, classes: tuple[str, ...]) -> Facts:
    return Facts(**{name: getattr(facts, name) for name in facts.__struct_fields__} | {"classes": classes})


def test_verdicts_go_by_the_largest_difference() -> None:
    native = np.array([0.0, 100.0, -5.0])
    assert compared(native, native, 1.0).verdict == "exact"
    near = compared(native, native + np.array([0, 0.05, 0]), 1.0)
    assert (near.verdict, near.rows, near.differing) == ("tolerant", 3, 1)
    far = compared(native, native + np.array([0.01, 0, 0.01]), 1.0)
    assert (far.verdict, far.differing) == ("refused", 2)
    assert far.max_difference == pytest.approx(0.01)


def test_nan_and_infinity_agree_with_no_number() -> None:
    assert compared(np.array([1.0]), np.array([np.nan]), 1.0).verdict == "refused"
    assert compared(np.array([1.0]), np.array([np.inf]), 1.0).verdict == "refused"


def test_what_is_beyond_float32_agrees_with_infinity() -> None:
    assert compared(np.array([1e300]), np.array([np.inf]), 1.0).verdict == "exact"


def test_every_edge_of_every_column_is_among_the_made_up_rows() -> None:
    _, raw, facts = fitted("delays", "linear")
    rows = edge_rows(facts.inputs, raw.take(np.arange(50)), 1)
    for column in facts.inputs:
        values = getattr(rows, column.matrix)[:, column.index]
        match column.kind:
            case "string":
                assert {"", "x" * 1000} < set(values)
            case "timestamp":
                assert {0, -1, -(2**63), 2**63 - 1} < set(values.tolist())
            case _:
                assert np.isnan(values).any()
    missing = np.isnan(rows.floats).all(axis=1) & (rows.strings == "").all(axis=1) & (rows.ints == -(2**63)).all(axis=1)
    assert missing.any()
