import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import SVC

from gnomon.errors import TrainingError
from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.algorithms.svm import MAX_CLASSES, fit
from gnomon.training.calibration import FOLDS
from gnomon.training.matrices import Matrices
from gnomon.training.parameters import parameters_for
from tests.training.graphs import numbers, run_emitted
from tests.training.tables import real_table

PARAMS = {name: parameter.default for name, parameter in parameters_for("svm", "classification").items()}


def table(name: str) -> TrainingRows:
    frame = real_table(name).frame
    points = frame.drop("target").to_numpy().astype(np.float32)
    raw = Matrices.of(points, np.zeros((len(points), 0), np.int64), np.zeros((len(points), 0), object))
    target = frame["target"].to_numpy().astype(np.float64)
    return TrainingRows(raw, target, len(np.unique(target)), ordered=False, seed=4)


@pytest.mark.parametrize("name", ["breast-cancer", "wine"])
@pytest.mark.parametrize("kernel", ["rbf", "linear"])
def test_probabilities_are_scikit_learns_calibrated_ones(name: str, kernel: str) -> None:
    rows = table(name)
    fitted = fit(rows, PARAMS | {"kernel": kernel})
    design = fitted.preprocessing.transform(rows.raw).astype(np.float64)
    cv = StratifiedKFold(FOLDS, shuffle=True, random_state=rows.seed)
    theirs = CalibratedClassifierCV(SVC(kernel=kernel), cv=cv, ensemble=False).fit(design, rows.target)
    np.testing.assert_allclose(fitted.predict(rows.raw), theirs.predict_proba(design), atol=1e-9)
    np.testing.assert_allclose(run_emitted(fitted.emit, rows.raw, rows.classes), theirs.predict_proba(design), atol=1e-6)


def test_a_row_far_from_every_other_still_has_an_answer() -> None:
    rows = table("wine")
    fitted = fit(rows, PARAMS | {"kernel": "poly"})
    far = numbers(rows.raw.floats[[0, 50, 150]])
    far.floats[:] = np.float32(3e38) * np.sign(far.floats - far.floats.mean(axis=0))
    answers = fitted.predict(far)
    np.testing.assert_allclose(answers.sum(axis=1), 1)
    np.testing.assert_allclose(run_emitted(fitted.emit, far, 3), answers, atol=1e-6)


def test_rows_that_are_left_out_and_a_solver_that_stops_early_are_told() -> None:
    found = fit(table("wine"), PARAMS | {"max_rows": 60, "max_iter": 2}).found()
    assert (found["rowsGiven"], found["rowsUsed"], found["converged"]) == (178, 60, False)


def test_too_many_classes_are_refused_with_an_alternative() -> None:
    rows = table("wine")
    with pytest.raises(TrainingError, match="the target has 101") as refused:
        fit(TrainingRows(rows.raw, rows.target, MAX_CLASSES + 1, ordered=False, seed=1), PARAMS)
    assert "linear-svm" in refused.value.mend
