from dataclasses import replace

import msgspec
import numpy as np
import polars as pl
import pytest

from gnomon.errors import TrainingError
from gnomon.inference.session import Predictor
from gnomon.resources.learning import TASKS_BY_ALGORITHM, Algorithm, Task
from gnomon.resources.model import Candidate, ModelSpec
from gnomon.training import steps
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.fitting import export, fit_model
from gnomon.training.matrices import Matrices, matrices_of
from gnomon.training.parameters import PARAMETERS
from gnomon.training.parity import compared, edge_rows
from gnomon.training.preparation import Facts, Prepared, target_values
from tests.training.documented import exports
from tests.training.tables import CLASSIFICATION, REGRESSION, RealTable, real_table

SMALL: dict[str, dict[str, float]] = {
    "random-forest": {"n_estimators": 20},
    "extra-trees": {"n_estimators": 20},
    "lightgbm": {"n_estimators": 20},
    "xgboost": {"n_estimators": 20},
    "hist-gradient-boosting": {"max_iter": 20},
    "svm": {"max_rows": 1500},
    "nearest-neighbors": {"max_rows": 1500},
}
"""Fewer trees and rows than the defaults: parity does not depend on their number."""

SUPERVISED: dict[Algorithm, tuple[Task, ...]] = {
    algorithm: supervised
    for algorithm, tasks in TASKS_BY_ALGORITHM.items()
    if not algorithm.startswith("torch-")
    if (supervised := tuple(task for task in tasks if task in {"regression", "classification"}))
}
"""What can be learnt here; what needs PyTorch is tested where that is."""
CLASSIFIERS = [algorithm for algorithm, tasks in SUPERVISED.items() if "classification" in tasks]
REGRESSORS = [algorithm for algorithm, tasks in SUPERVISED.items() if "regression" in tasks]

CASES = [(name, algorithm) for name in REGRESSION for algorithm in REGRESSORS] + [
    (name, algorithm) for name in CLASSIFICATION for algorithm in CLASSIFIERS
]


def plan(task: Task, algorithm: str, **params: float | str | tuple[int, ...]) -> CandidatePlan:
    chosen = SMALL.get(algorithm, {})
    candidate = {"algorithm": algorithm, "params": chosen | params}
    spec = ModelSpec(task=task, dataset="d", target="t", candidates=(Candidate.model_validate(candidate),))
    return expand(spec)[0]


def fit(prepared: Prepared, candidate: CandidatePlan) -> dict:
    facts = msgspec.to_builtins(prepared.facts)
    parts = prepared.parts
    report: dict = steps.fit_candidate(
        table=prepared.table, train=parts.train, validation=parts.validation, facts=facts, candidate=candidate.to_json()
    )["report"]
    return report


@pytest.mark.parametrize(("name", "algorithm"), CASES)
def test_the_graph_agrees_with_the_native_model_and_beats_a_constant(name: str, algorithm: str) -> None:
    table = real_table(name)
    report = fit(table.prepared(), plan(table.task, algorithm))
    promised = exports()[algorithm]
    assert report["parity"]["verdict"] == promised.verdict
    assert report["parity"]["maxDifference"] <= promised.largest_difference
    assert report["parity"]["rows"] > 250
    if table.task == "regression":
        assert report["metrics"]["r2"] > 0.2
    else:
        assert report["metrics"]["rocAuc"] > (0.6 if name == "late" else 0.93)


@pytest.mark.parametrize(
    ("name", "algorithm"),
    [
        ("delays", "ridge"),
        ("delays", "svm"),
        ("delays", "nearest-neighbors"),
        ("delays", "lightgbm"),
        ("digits", "random-forest"),
    ],
)
def test_a_row_alone_is_answered_like_the_row_in_a_batch(name: str, algorithm: str) -> None:
    table = real_table(name)
    prepared = table.prepared()
    facts = prepared.facts
    predictor = Predictor(exported(prepared, plan(table.task, algorithm)), facts.signature)
    rows = edge_rows(facts.inputs, matrices_of(prepared.table, facts.inputs), 1)
    output = "prediction" if table.task == "regression" else "probabilities"
    batch = predictor.predict(rows.feed)[output]
    alone = np.concatenate([predictor.predict(rows.take(np.array([row])).feed)[output] for row in range(0, len(rows), 5)])
    assert compared(batch[::5].astype(np.float64), alone.astype(np.float64), facts.deviation).verdict == "exact"


@pytest.mark.parametrize("algorithm", CLASSIFIERS)
def test_a_class_that_only_other_rows_have_gets_no_probability(algorithm: str) -> None:
    table = real_table("wine")
    prepared = table.prepared()
    facts = prepared.facts
    raw, target = matrices_of(prepared.table, facts.inputs), target_values(prepared.table, facts)
    seen = np.flatnonzero(target != 1)
    model = fit_model(plan("classification", algorithm), TrainingRows(raw.take(seen), target[seen], 3, ordered=False, seed=1))
    answers = Predictor(export(model, raw, facts.signature), facts.signature).predict(raw.feed)
    assert answers["probabilities"].shape == (len(raw), 3)
    assert not answers["probabilities"][:, 1].any()
    assert set(answers["prediction"]) == {"0", "2"}
    np.testing.assert_allclose(answers["probabilities"], model.predict(raw), atol=1e-6)


@pytest.mark.parametrize("algorithm", [name for name in CLASSIFIERS if "class_weight" in PARAMETERS[name]])
def test_balanced_weights_find_more_of_the_rare_class(algorithm: str) -> None:
    prepared = real_table("late").prepared()
    plain = fit(prepared, plan("classification", algorithm))["metrics"]["balancedAccuracy"]
    balanced = fit(prepared, plan("classification", algorithm, class_weight="balanced"))["metrics"]["balancedAccuracy"]
    assert balanced > plain


@pytest.mark.parametrize(
    ("algorithm", "params"),
    [
        ("lightgbm", {"objective": "regression_l1", "subsample": 0.7, "colsample_bytree": 0.5}),
        ("lightgbm", {"objective": "huber", "max_depth": 3, "reg_lambda": 1.0}),
        ("hist-gradient-boosting", {"loss": "absolute_error", "max_features": 0.5}),
        ("xgboost", {"objective": "reg:absoluteerror", "subsample": 0.7, "colsample_bytree": 0.5}),
        ("xgboost", {"objective": "reg:pseudohubererror", "gamma": 0.1, "reg_alpha": 0.1, "min_child_weight": 5}),
        ("linear-svm", {"loss": "epsilon_insensitive", "epsilon": 0.1, "max_iter": 100_000}),
        ("svm", {"kernel": "poly", "degree": 2, "coef0": 1.0, "max_rows": 500}),
        ("svm", {"kernel": "sigmoid", "gamma": 0.01, "max_rows": 500}),
        ("svm", {"kernel": "linear", "C": 0.1, "max_rows": 500}),
        ("nearest-neighbors", {"weights": "distance", "n_neighbors": 4}),
        ("decision-tree", {"ccp_alpha": 0.5, "max_depth": 20}),
        ("elastic-net", {"l1_ratio": 0.1, "alpha": 0.1}),
    ],
)
def test_other_losses_agree_too(algorithm: str, params: dict) -> None:
    report = fit(real_table("delays").prepared(), plan("regression", algorithm, **params))
    assert report["parity"]["verdict"] == "exact"


@pytest.mark.parametrize(
    ("algorithm", "params"),
    [
        ("svm", {"kernel": "poly", "max_rows": 500}),
        ("svm", {"kernel": "sigmoid", "gamma": "auto", "max_rows": 500}),
        ("svm", {"kernel": "linear", "max_rows": 500}),
        ("nearest-neighbors", {"weights": "distance", "max_rows": 500}),
        ("naive-bayes", {"var_smoothing": 1e-9, "alpha": 0.1}),
    ],
)
@pytest.mark.parametrize("name", ["late", "digits"])
def test_other_kernels_and_weights_of_classes_agree_too(algorithm: str, params: dict, name: str) -> None:
    report = fit(real_table(name).prepared(), plan("classification", algorithm, **params))
    assert report["parity"]["verdict"] == "exact"


@pytest.mark.parametrize("algorithm", REGRESSORS)
def test_a_target_far_from_zero_keeps_its_digits(algorithm: str) -> None:
    table = real_table("diabetes")
    far = replace(table, frame=table.frame.with_columns(pl.col("target") + 1e6))
    report = fit(far.prepared(), plan("regression", algorithm))
    near = fit(table.prepared(), plan("regression", algorithm))
    assert report["metrics"]["rmse"] == pytest.approx(near["metrics"]["rmse"], rel=0.05)


@pytest.mark.parametrize(("algorithm", "tasks"), SUPERVISED.items())
@pytest.mark.parametrize("known_from", [0.5, 0.7])
def test_a_column_that_only_newer_rows_have_is_borne(algorithm: str, tasks: tuple[Task, ...], known_from: float) -> None:
    rows = 400
    index = pl.int_range(rows)
    frame = pl.select(
        late=pl.when(index >= known_from * rows).then(index.cast(pl.Float64)),
        number=(index % 7).cast(pl.Float64),
        at=pl.from_epoch(index * 3600).dt.cast_time_unit("us").dt.replace_time_zone("UTC"),
    )
    task = tasks[0]
    target = pl.col("number") * 2 if task == "regression" else pl.format("k{}", pl.col("number") // 3)
    table = RealTable(frame.with_columns(target=target), task, "target", "at")
    assert fit(table.prepared(), plan(task, algorithm))["parity"]["verdict"] == "exact"


@pytest.mark.parametrize(("algorithm", "tasks"), SUPERVISED.items())
def test_ten_training_rows_are_enough(algorithm: str, tasks: tuple[Task, ...]) -> None:
    table = real_table("body-mass" if tasks[0] == "regression" else "breast-cancer")
    few = replace(table, frame=table.frame.drop_nulls().sample(16, seed=1))
    assert fit(few.prepared(by="random"), plan(tasks[0], algorithm))["parity"]["verdict"] == "exact"


@pytest.mark.parametrize("algorithm", ["linear", "lightgbm"])
def test_a_matrix_that_teaches_nothing_is_still_taken(algorithm: str) -> None:
    table = real_table("diabetes")
    idle = table.frame.with_columns(text=pl.lit("same"), day=pl.lit(0).cast(pl.Date))
    assert fit(replace(table, frame=idle).prepared(), plan("regression", algorithm))["parity"]["verdict"] == "exact"


def test_text_that_names_rows_teaches_nothing() -> None:
    table = real_table("delays")
    named = table.frame.with_columns(pl.format("id-{}", pl.int_range(table.frame.height)).alias("id"))
    without = fit(table.prepared(), plan("regression", "lightgbm"))["metrics"]["rmse"]
    with_ids = fit(replace(table, frame=named).prepared(), plan("regression", "lightgbm"))["metrics"]["rmse"]
    assert with_ids == pytest.approx(without, rel=0.01)


def exported(prepared: Prepared, candidate: CandidatePlan) -> bytes:
    facts: Facts = prepared.facts
    raw, target = matrices_of(prepared.table, facts.inputs), target_values(prepared.table, facts)
    rows = TrainingRows(
        raw.take(prepared.parts.train), target[prepared.parts.train], len(facts.classes), ordered=facts.ordered, seed=facts.seed
    )
    return export(fit_model(candidate, rows), raw, facts.signature)


def test_what_a_library_refuses_is_told_as_a_training_error() -> None:
    raw = Matrices.of(np.array([[1.0], [2.0], [3.0]], np.float32), np.zeros((3, 0), np.int64), np.zeros((3, 0), object))
    rows = TrainingRows(raw, np.array([1.0, np.nan, 3.0]), 0, ordered=False, seed=1)
    with pytest.raises(TrainingError, match="candidate ridge cannot be fitted: array must not contain infs or NaNs"):
        fit_model(plan("regression", "ridge"), rows)
