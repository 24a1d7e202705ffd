"""Our own network as a candidate: exact in every form, calm at every extreme."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest

from gnomon.errors import ManifestError, TrainingError
from gnomon.resources.model import Candidate, ModelSpec
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.candidates import expand
from gnomon.training.fitting import fit_model
from gnomon.training.matrices import Matrices
from tests.training.tables import real_table
from tests.training.test_algorithms import fit, plan

QUICK: dict[str, Any] = {"epochs": 3, "hidden": (8, 8)}
FORMS = list(itertools.product(["relu", "tanh", "sigmoid"], ["adam", "sgd"], ["one-cycle", "constant"]))


@pytest.mark.parametrize("name", ["body-mass", "species"])
@pytest.mark.parametrize(("activation", "optimizer", "schedule"), FORMS)
def test_every_form_is_exact(name: str, activation: str, optimizer: str, schedule: str) -> None:
    table = real_table(name)
    loss = "absolute_error" if schedule == "constant" else plan(table.task, "neural-network").params["loss"]
    params = {"activation": activation, "optimizer": optimizer, "schedule": schedule, "loss": loss, "l1_ratio": 0.5}
    assert fit(table.prepared(), plan(table.task, "neural-network", **QUICK, **params))["parity"]["verdict"] == "exact"


@pytest.mark.parametrize("hidden", [(), (1,), (5, 4, 3, 2)])
def test_any_number_of_layers_is_exact(hidden: tuple[int, ...]) -> None:
    report = fit(real_table("species").prepared(), plan("classification", "neural-network", epochs=2, hidden=hidden))
    assert report["parity"]["verdict"] == "exact"


def test_digits_are_read_with_97_percent_accuracy_by_the_defaults() -> None:
    report = fit(real_table("digits").prepared(), plan("classification", "neural-network"))
    assert report["metrics"]["accuracy"] >= 0.97


def test_a_target_far_from_zero_keeps_its_digits() -> None:
    table = real_table("diabetes")
    far = replace(table, frame=table.frame.with_columns(pl.col("target") + 1e6))
    rmse = [fit(each.prepared(), plan("regression", "neural-network"))["metrics"]["rmse"] for each in (table, far)]
    assert rmse[1] == pytest.approx(rmse[0], rel=0.05)


def _rows(column: list[float], target: list[float]) -> TrainingRows:
    floats = np.stack([np.array(column), np.arange(len(column)) % 5], axis=1).astype(np.float32)
    raw = Matrices.of(floats, np.zeros((len(column), 0), np.int64), np.zeros((len(column), 0), object))
    return TrainingRows(raw, np.array(target), 0, ordered=False, seed=1)


@pytest.mark.parametrize("extreme", [3.4e38, -3.4e38, 1e30, np.inf, np.nan, 1e-40])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
def test_extreme_values_leave_the_network_finite(extreme: float, optimizer: str) -> None:
    rows = _rows([extreme, 0.5, 1.0, 2.0, -extreme] * 20, [1e9, 1.0, -1e9, 2.0, 0.0] * 20)
    answers = fit_model(plan("regression", "neural-network", optimizer=optimizer, learning_rate=0.01), rows).predict(rows.raw)
    assert np.isfinite(answers).all()


def test_what_lies_far_outside_of_the_training_rows_is_answered_like_their_edge() -> None:
    rows = _rows([float(value) for value in range(100)], [3.0 * value for value in range(100)])
    model = fit_model(plan("regression", "neural-network"), rows)
    far = Matrices.of(np.array([[1e4, 1.0], [1e30, 1.0]], np.float32), rows.raw.ints[:2], rows.raw.strings[:2])
    answers = model.predict(far)
    assert answers[0] == answers[1]


def test_steps_that_are_too_large_are_told_with_their_mend() -> None:
    rows = _rows([float(value) for value in range(100)], [3.0 * value for value in range(100)])
    with pytest.raises(TrainingError, match="learning_rate of 10 is too large") as refused:
        fit_model(plan("regression", "neural-network", optimizer="sgd", learning_rate=10, epochs=200), rows)
    assert "lower learning_rate" in refused.value.mend


def test_watched_rows_find_the_number_of_epochs() -> None:
    report = fit(real_table("diabetes").prepared(), plan("regression", "neural-network", n_iter_no_change=3, epochs=200))
    assert 1 <= report["found"]["epochs"] < 200


def _plans(**declared: object) -> list[dict]:
    candidate = Candidate.model_validate({"algorithm": "neural-network", **declared}, strict=False)
    spec = ModelSpec(task="regression", dataset="d", target="t", candidates=(candidate,))
    return [dict(made.params) for made in expand(spec)]


def test_lists_of_widths_are_searched_one_after_the_other() -> None:
    made = _plans(search={"hidden": [[64, 32], [16], 8, []]})
    assert [params["hidden"] for params in made] == [(64, 32), (16,), (8,), ()]


@pytest.mark.parametrize("hidden", [[0], [64, -1], "64", [1] * 17, [9000], 1.5])
def test_widths_that_make_no_network_are_refused(hidden: object) -> None:
    with pytest.raises((ManifestError, ValueError), match="hidden"):
        _plans(params={"hidden": hidden})


def test_the_loss_is_one_of_the_task() -> None:
    assert _plans()[0]["loss"] == "squared_error"
    with pytest.raises(ManifestError, match="loss is 'cross_entropy'"):
        _plans(params={"loss": "cross_entropy"})
