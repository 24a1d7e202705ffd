"""One loss for each row, of which the model's metric is a function: what rows are told apart by where a model does badly."""

import numpy as np
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.metrics import SMALLEST_PROBABILITY, brier_losses

Floats = NDArray[np.float64]


def row_losses(answers: Answers, metric: str) -> tuple[str, Floats] | None:
    """Return what the loss of a row is, in words, and the loss of each row; None where the task has none.

    Regression and forecasts: the absolute error for ``mae``, ``mape``, ``smape`` and ``mase``, else the squared error.
    Classification: the log loss for ``logLoss``, the Brier score for ``brier``, else 1 where the answer is wrong. Anomalies
    with labels: 1 where the verdict is wrong. Densities: minus the log-density. Clusters: minus the silhouette. Components:
    what they lose of the row.
    """
    found = _row_losses(answers, metric)
    return found if found is not None and np.isfinite(found[1]).all() else None


def _row_losses(answers: Answers, metric: str) -> tuple[str, Floats] | None:
    match answers.task:
        case "regression" | "forecasting":
            errors = np.asarray(answers.predicted - answers.actual, dtype=np.float64)
            if metric in {"mae", "mape", "smape", "mase"}:
                return "absolute error", np.abs(errors)
            return "squared error", errors**2
        case "classification":
            return _of_classes(answers, metric)
        case "anomaly" if answers.classes:
            return "share of wrong verdicts", np.asarray(answers.predicted != answers.actual, dtype=np.float64)
        case "density":
            return "minus log-density", -np.asarray(answers.predicted, dtype=np.float64)
        case "clustering" if "silhouette" in answers.figures:
            return "minus silhouette", -answers.figures["silhouette"]
        case "reduction" if "lost" in answers.figures:
            return "squared distance lost", answers.figures["lost"]
        case _:
            return None


def _of_classes(answers: Answers, metric: str) -> tuple[str, Floats]:
    if answers.probabilities is None or metric not in {"logLoss", "brier", "calibrationError"}:
        return "share of wrong answers", np.asarray(answers.predicted != answers.actual, dtype=np.float64)
    if metric == "logLoss":
        known = answers.actual < len(answers.classes)
        chosen = answers.probabilities[np.arange(answers.rows), np.where(known, answers.actual, 0)]
        return "log loss", -np.log(np.clip(np.where(known, chosen, 0.0), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY))
    return "Brier score", brier_losses(answers.probabilities, np.asarray(answers.actual, dtype=np.int64))
