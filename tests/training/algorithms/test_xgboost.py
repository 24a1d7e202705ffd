import sys

import numpy as np
import pytest

from gnomon.errors import TrainingError
from gnomon.training.algorithms import xgboost as ours
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.fitting import fit_model
from gnomon.training.matrices import Matrices
from gnomon.training.parameters import parameters_for
from tests.training.graphs import run_emitted
from tests.training.test_algorithms import plan

PARAMS = {name: parameter.default for name, parameter in parameters_for("xgboost", "regression").items()}


def whole_numbers() -> TrainingRows:
    points = np.tile(np.arange(12, dtype=np.float32), 20)[:, np.newaxis]
    raw = Matrices.of(points, np.zeros((240, 0), np.int64), np.zeros((240, 0), object))
    return TrainingRows(raw, np.sin(points[:, 0]).astype(np.float64), 0, ordered=False, seed=1)


def test_a_value_at_a_threshold_goes_right(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = whole_numbers()
    fitted = ours.fit(rows, PARAMS | {"n_estimators": 10})
    native = fitted.predict(rows.raw)
    np.testing.assert_allclose(run_emitted(fitted.emit, rows.raw, 1)[:, 0], native, atol=1e-6)
    # Thresholds of whole numbers are whole numbers: without the step below, whole branches turn around.
    monkeypatch.setattr(ours, "_below", lambda threshold: threshold)
    turned = run_emitted(fitted.emit, rows.raw, 1)[:, 0]
    assert np.abs(turned - native).max() > 0.1


@pytest.mark.parametrize("share", [0.03, 0.5])
def test_two_classes_start_from_their_shares(share: float) -> None:
    rows = whole_numbers()
    target = (np.arange(240) < 240 * share).astype(np.float64)
    two = TrainingRows(rows.raw, target, 2, ordered=False, seed=1)
    settings = PARAMS | {"n_estimators": 1, "learning_rate": 1e-6, "class_weight": "none"}
    fitted = ours.fit(two, settings)
    np.testing.assert_allclose(fitted.predict(rows.raw)[:, 1], target.mean(), atol=1e-4)
    np.testing.assert_allclose(run_emitted(fitted.emit, rows.raw, 2)[:, 1], target.mean(), atol=1e-4)


def test_an_installation_without_it_is_told_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "gnomon.training.algorithms.xgboost")
    monkeypatch.delattr("gnomon.training.algorithms.xgboost")
    monkeypatch.setitem(sys.modules, "xgboost", None)
    with pytest.raises(TrainingError, match="candidate xgboost needs XGBoost, which is not installed") as refused:
        fit_model(plan("regression", "xgboost"), whole_numbers())
    assert "gnomon[xgboost]" in refused.value.mend
