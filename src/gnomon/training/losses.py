"""How well a candidate answers the validation rows: enough to choose between candidates. Gates are judged elsewhere."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

_SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)


def regression_figures(actual: NDArray[np.float64], predicted: NDArray[np.float64]) -> dict[str, float]:
    """Return rmse, mae and r2; r2 is left out where the target is constant."""
    figures = {
        "rmse": float(metrics.root_mean_squared_error(actual, predicted)),
        "mae": float(metrics.mean_absolute_error(actual, predicted)),
    }
    if np.ptp(actual):
        figures["r2"] = float(metrics.r2_score(actual, predicted))
    return figures


def classification_figures(actual: NDArray[np.int64], probabilities: NDArray[np.float64]) -> dict[str, float]:
    """Return the figures of classes: precision, recall and F1 are means over classes; rocAuc is one against the rest.

    Args:
        actual: Index of the true class, (N,).
        probabilities: (N, classes). rocAuc is left out where no class has rows on both sides.
    """
    answered = probabilities.argmax(axis=1)
    chosen = probabilities[np.arange(len(actual)), actual]
    figures = {
        "logLoss": float(-np.log(np.clip(chosen, _SMALLEST_PROBABILITY, 1 - _SMALLEST_PROBABILITY)).mean()),
        "accuracy": float(metrics.accuracy_score(actual, answered)),
        "f1": float(metrics.f1_score(actual, answered, average="macro", zero_division=0)),
        "precision": float(metrics.precision_score(actual, answered, average="macro", zero_division=0)),
        "recall": float(metrics.recall_score(actual, answered, average="macro", zero_division=0)),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="y_pred contains classes not in y_true")
        warnings.filterwarnings("ignore", message="A single label was found")
        figures["balancedAccuracy"] = float(metrics.balanced_accuracy_score(actual, answered))
    asked = [1] if probabilities.shape[1] == 2 else range(probabilities.shape[1])
    areas = [
        metrics.roc_auc_score(actual == k, probabilities[:, k])
        for k in asked
        if 0 < np.count_nonzero(actual == k) < len(actual)
    ]
    if areas:
        figures["rocAuc"] = float(np.mean(areas))
    return figures
