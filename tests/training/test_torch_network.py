"""Networks of PyTorch: learn, and come out as graphs that answer alike. Without PyTorch, how that is told."""

import subprocess
import sys
from typing import Any

import numpy as np
import polars as pl
import pytest

from gnomon.errors import TrainingError
from gnomon.training import algorithms
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.fitting import fit_model
from gnomon.training.matrices import Matrices
from gnomon.training.neural_network.learning import DivergedError
from tests.training.tables import RealTable, real_table
from tests.training.test_algorithms import exported, fit, plan

KINDS = ("torch-mlp", "torch-cnn", "torch-rnn", "torch-lstm")
QUICK: dict[str, Any] = {"epochs": 2}
NUMBERS = ("diabetes", "digits", "breast-cancer")


@pytest.fixture
def torch() -> Any:
    return pytest.importorskip("torch")


def _params(kind: str, name: str) -> dict[str, Any]:
    return (
        {"shape": {"diabetes": (1, 2, 5), "digits": (1, 8, 8), "breast-cancer": (3, 2, 5)}[name]} if kind == "torch-cnn" else {}
    )


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_agrees_with_pytorch(kind: str, name: str) -> None:
    table = real_table(name)
    report = fit(table.prepared(), plan(table.task, kind, **QUICK, **_params(kind, name)))
    assert report["parity"]["verdict"] == "exact"
    assert report["found"] == {"epochs": 2, "gpu": False}


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("name", ["delays", "species"])
def test_dense_networks_read_text_and_times_too(name: str) -> None:
    table = real_table(name)
    report = fit(table.prepared(), plan(table.task, "torch-mlp", **QUICK, hidden=(16, 8), activation="tanh", dropout=0.2))
    assert report["parity"]["verdict"] == "exact"


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    ("kind", "params"),
    [
        ("torch-mlp", {}),
        ("torch-cnn", {"epochs": 20}),
        ("torch-rnn", {"steps": 8, "learning_rate": 0.005}),
        ("torch-lstm", {"steps": 8, "layers": 2, "units": 32, "learning_rate": 0.02, "epochs": 20}),
    ],
)
def test_digits_are_read(kind: str, params: dict[str, Any]) -> None:
    report = fit(real_table("digits").prepared(), plan("classification", kind, **params))
    assert report["metrics"]["accuracy"] > 0.95
    assert report["parity"]["verdict"] == "exact"


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("kind", KINDS)
def test_equal_rows_give_equal_bytes(kind: str) -> None:
    prepared = real_table("digits").prepared()
    candidate = plan("classification", kind, epochs=1, dropout=0.3)
    assert exported(prepared, candidate) == exported(prepared, candidate)


@pytest.mark.usefixtures("torch")
def test_a_series_is_learnt_by_its_order() -> None:
    """The target is how the last step differs from the one before: nothing that a single column tells."""
    draw = np.random.default_rng(0)
    steps = draw.normal(size=(600, 6))
    frame = pl.DataFrame({f"t{i}": steps[:, i] for i in range(6)}).with_columns(target=pl.col("t5") - pl.col("t4"))
    report = fit(RealTable(frame, "regression", "target").prepared(), plan("regression", "torch-lstm", units=32))
    assert report["metrics"]["r2"] > 0.9


@pytest.mark.usefixtures("torch")
def test_watched_rows_find_the_number_of_epochs_and_losses_and_weights_are_taken() -> None:
    report = fit(
        real_table("diabetes").prepared(), plan("regression", "torch-mlp", loss="absolute_error", n_iter_no_change=2, epochs=60)
    )
    assert report["found"]["epochs"] < 60
    late = real_table("late").prepared()
    plain, balanced = (
        fit(late, plan("classification", "torch-mlp", epochs=4, class_weight=weight))["metrics"]["balancedAccuracy"]
        for weight in ("none", "balanced")
    )
    assert balanced > plain


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize(
    ("kind", "params", "cause"),
    [
        ("torch-cnn", {"shape": (1, 8, 9)}, "64 columns make no picture of 1 by 8 by 9"),
        ("torch-rnn", {"steps": 7}, "64 columns make no 7 equal steps"),
    ],
)
def test_columns_that_make_no_picture_or_sequence_are_told(kind: str, params: dict[str, Any], cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        fit(real_table("digits").prepared(), plan("classification", kind, **params))


@pytest.mark.usefixtures("torch")
def test_text_among_the_columns_of_a_picture_is_told() -> None:
    with pytest.raises(TrainingError, match="columns of text or time among the features") as refused:
        fit(real_table("species").prepared(), plan("classification", "torch-cnn"))
    assert "torch-mlp" in refused.value.mend


@pytest.mark.usefixtures("torch")
def test_weights_that_leave_the_finite_numbers_are_told() -> None:
    from gnomon.training.torch_network.layers import Plan, Straight  # noqa: PLC0415 - with PyTorch alone
    from gnomon.training.torch_network.learning import TorchCourse, examples_of, learnt  # noqa: PLC0415

    examples = examples_of(np.full((20, 2), 3e38, np.float32), np.zeros((20, 1), np.float32), None, "cpu")
    plan = Plan(Straight(2), (4,), 1, "relu", 0.0)
    with pytest.raises(DivergedError, match="lower learning_rate"):
        learnt(plan, TorchCourse(2, 10, 0.1, "constant", "squared_error", 0.0, 1), examples)


@pytest.mark.parametrize("kind", KINDS)
def test_a_machine_without_pytorch_says_what_to_install(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "gnomon.training.algorithms.torch_network", raising=False)
    monkeypatch.delattr(algorithms, "torch_network", raising=False)
    for module in ("layers", "learning"):
        monkeypatch.delitem(sys.modules, f"gnomon.training.torch_network.{module}", raising=False)
    raw = Matrices.of(np.zeros((20, 4), np.float32), np.zeros((20, 0), np.int64), np.zeros((20, 0), object))
    rows = TrainingRows(raw, np.arange(20.0), 0, ordered=False, seed=1)
    with pytest.raises(TrainingError, match="needs PyTorch") as refused:
        fit_model(plan("regression", kind), rows)
    assert "gnomon[torch]" in refused.value.mend


def test_nobody_else_imports_pytorch() -> None:
    code = "import sys, gnomon.training.steps; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
