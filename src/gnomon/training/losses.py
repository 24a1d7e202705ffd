"""How well a candidate answers the validation rows: enough to choose between candidates. Gates are judged elsewhere."""

import warnings

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics

from gnomon.training.structure import (
    calinski_harabasz,
    davies_bouldin,
    kept_neighbours,
    losses_of,
    silhouettes,
    way_back,
)

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


def forecasting_figures(actual: NDArray[np.float64], predicted: NDArray[np.float64], naive_error: float) -> dict[str, float]:
    """Return the figures of a regression, and mape, smape and mase; NaN where one is undefined.

    Args:
        actual: What came, (N,).
        predicted: What was forecast, (N,).
        naive_error: Mean absolute error of the naive forecast on the training rows.
    """
    sizes, errors = np.abs(actual), np.abs(predicted - actual)
    both = sizes + np.abs(predicted)
    return {
        **regression_figures(actual, predicted),
        "mape": float(np.mean(errors / sizes)) if sizes.all() else float("nan"),
        "smape": float(np.mean(np.divide(2 * errors, both, out=np.zeros_like(both), where=both > 0))),
        "mase": float(errors.mean() / naive_error) if naive_error else float("nan"),
    }


def clustering_figures(points: NDArray[np.float64], clusters: NDArray[np.int64], seed: int) -> dict[str, float]:
    """Return silhouette, daviesBouldin and calinskiHarabasz; NaN where there is one cluster.

    Args:
        points: The rows in the space that clusters are measured in, (N, dimensions).
        clusters: The cluster of each, (N,).
        seed: Draws the rows whose silhouette is taken.
    """
    counts = np.ones((1, len(points)))
    return {
        "silhouette": _known_mean(silhouettes(points, clusters, seed)),
        "daviesBouldin": float(davies_bouldin(points, clusters, counts)[0]),
        "calinskiHarabasz": float(calinski_harabasz(points, clusters, counts)[0]),
    }


def density_figures(log_density: NDArray[np.float64]) -> dict[str, float]:
    """Return the mean log-density of the rows, in nats."""
    return {"logLikelihood": float(log_density.mean())}


def reduction_figures(
    learnt: NDArray[np.float64],
    learnt_points: NDArray[np.float64],
    components: NDArray[np.float64],
    points: NDArray[np.float64],
    seed: int,
) -> dict[str, float]:
    """Return explainedVariance, reconstructionError and trustworthiness.

    Args:
        learnt: Components of training rows, (M, components), from which the way back is learnt.
        learnt_points: The same rows in the space, (M, dimensions).
        components: Components of the rows to measure, (N, components).
        points: The same rows in the space.
        seed: Draws the rows whose neighbours are looked at.
    """
    lost = losses_of(components, points, way_back(learnt, learnt_points)).mean()
    whole = np.square(points - learnt_points.mean(axis=0)).sum(axis=1).mean()
    return {
        "explainedVariance": float(1 - lost / whole) if whole else float("nan"),
        "reconstructionError": float(np.sqrt(lost)),
        "trustworthiness": _known_mean(kept_neighbours(points, components, seed)),
    }


def anomaly_figures(
    labels: NDArray[np.float64], flagged: NDArray[np.int64], score: NDArray[np.float64], contamination: float
) -> dict[str, float]:
    """Return anomalyShare and shareError, and where labels tell both kinds of rows, the figures of finding the anomalous ones.

    Args:
        labels: 1 for an anomalous row, 0 for another, NaN where unknown, (N,).
        flagged: What was answered, 1 or 0.
        score: How unusual each row is.
        contamination: The share of rows that is taken to be anomalous.
    """
    share = float(flagged.mean())
    figures = {"anomalyShare": share, "shareError": abs(share - contamination)}
    known = np.isfinite(labels)
    actual, answered = labels[known] > 0, flagged[known] > 0
    if actual.any() and not actual.all():
        figures |= {
            "rocAuc": float(metrics.roc_auc_score(actual, score[known])),
            "averagePrecision": float(metrics.average_precision_score(actual, score[known])),
        }
    if actual.any() or answered.any():
        figures |= {
            "f1": float(metrics.f1_score(actual, answered, zero_division=0)),
            "precision": float(metrics.precision_score(actual, answered, zero_division=0)),
            "recall": float(metrics.recall_score(actual, answered, zero_division=0)),
        }
    return figures


def _known_mean(figures: NDArray[np.float64]) -> float:
    known = figures[np.isfinite(figures)]
    return float(known.mean()) if known.size else float("nan")


def _calibration_error(actual: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the mean, over ten bins of probability and weighted by their rows, of |given - true share|."""
    binary = probabilities.shape[1] == 2
    score = probabilities[:, 1] if binary else probabilities.max(axis=1)
    happened = actual == (1 if binary else probabilities.argmax(axis=1))
    bins = np.clip((score * 10).astype(np.int64), 0, 9)
    return float(np.abs(np.bincount(bins, happened - score, 10)).sum() / len(actual))


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
        "brier": float(np.mean(np.square(probabilities).sum(axis=1) - 2 * chosen + 1)),
        "calibrationError": _calibration_error(actual, probabilities),
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
