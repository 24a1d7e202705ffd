"""What can be learnt, by which algorithm, and how well it is measured: the tables that manifests are held against."""

from collections.abc import Mapping
from typing import Literal, get_args

Task = Literal["regression", "classification", "clustering", "density", "reduction", "anomaly", "forecasting"]
Algorithm = Literal[
    "linear",
    "ridge",
    "lasso",
    "elastic-net",
    "logistic",
    "linear-svm",
    "svm",
    "nearest-neighbors",
    "naive-bayes",
    "decision-tree",
    "random-forest",
    "extra-trees",
    "hist-gradient-boosting",
    "lightgbm",
    "xgboost",
    "neural-network",
    "torch-mlp",
    "torch-cnn",
    "torch-rnn",
    "torch-lstm",
    "k-means",
    "gaussian-mixture",
    "kernel-density",
    "pca",
    "isolation-forest",
    "python",
]
Metric = Literal[
    "rmse",
    "mae",
    "r2",
    "mape",
    "smape",
    "mase",
    "accuracy",
    "balancedAccuracy",
    "f1",
    "precision",
    "recall",
    "logLoss",
    "brier",
    "calibrationError",
    "rocAuc",
    "averagePrecision",
    "silhouette",
    "daviesBouldin",
    "calinskiHarabasz",
    "logLikelihood",
    "explainedVariance",
    "reconstructionError",
    "trustworthiness",
    "shareError",
    "anomalyShare",
    "latencyP99",
    "size",
]
_REGRESSORS: tuple[Algorithm, ...] = (
    "linear",
    "ridge",
    "lasso",
    "elastic-net",
    "linear-svm",
    "svm",
    "nearest-neighbors",
    "decision-tree",
    "random-forest",
    "extra-trees",
    "hist-gradient-boosting",
    "lightgbm",
    "xgboost",
    "neural-network",
)

_TORCH_NETWORKS: tuple[Algorithm, ...] = ("torch-mlp", "torch-cnn", "torch-rnn", "torch-lstm")

ALGORITHMS_BY_TASK: Mapping[Task, tuple[Algorithm, ...]] = {
    "regression": (*_REGRESSORS, *_TORCH_NETWORKS),
    "classification": (
        "logistic",
        "linear-svm",
        "svm",
        "nearest-neighbors",
        "naive-bayes",
        "decision-tree",
        "random-forest",
        "extra-trees",
        "hist-gradient-boosting",
        "lightgbm",
        "xgboost",
        "neural-network",
        *_TORCH_NETWORKS,
    ),
    "clustering": ("k-means", "gaussian-mixture"),
    "density": ("gaussian-mixture", "kernel-density"),
    "reduction": ("pca",),
    "anomaly": ("isolation-forest", "gaussian-mixture", "kernel-density", "pca"),
    "forecasting": _REGRESSORS,
}
PYTHON_TASKS: frozenset[Task] = frozenset({"regression", "classification"})
"""What a function of the repository can learn."""
TASKS_BY_ALGORITHM: Mapping[Algorithm, tuple[Task, ...]] = {
    algorithm: tuple(task for task in get_args(Task) if algorithm in ALGORITHMS_BY_TASK.get(task, ()))
    for algorithm in get_args(Algorithm)
}
"""What each algorithm can learn."""
METRICS_BY_TASK: Mapping[Task, tuple[Metric, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "classification": (
        "accuracy",
        "balancedAccuracy",
        "f1",
        "precision",
        "recall",
        "logLoss",
        "brier",
        "calibrationError",
        "rocAuc",
    ),
    "clustering": ("silhouette", "daviesBouldin", "calinskiHarabasz"),
    "density": ("logLikelihood",),
    "reduction": ("explainedVariance", "reconstructionError", "trustworthiness"),
    "anomaly": ("f1", "precision", "recall", "rocAuc", "averagePrecision", "shareError", "anomalyShare"),
    "forecasting": ("rmse", "mae", "r2", "mape", "smape", "mase"),
}
LABEL_METRICS: frozenset[Metric] = frozenset({"rocAuc", "averagePrecision", "f1", "precision", "recall"})
"""Those of anomalies that need a target: a column that says which rows are anomalous."""
TARGET_TASKS: frozenset[Task] = frozenset({"regression", "classification", "forecasting"})
"""Tasks that learn a target. ``anomaly`` may have one, to be measured by; the others have none."""
DEFAULT_METRICS: Mapping[Task, Metric] = {
    "regression": "rmse",
    "classification": "logLoss",
    "clustering": "silhouette",
    "density": "logLikelihood",
    "reduction": "explainedVariance",
    "anomaly": "averagePrecision",
    "forecasting": "rmse",
}
"""What chooses between candidates where the model does not say; of anomalies without labels it is ``shareError``."""
DEFAULT_CONTAMINATION = 0.05
DEFAULT_SLICE_ROWS = 100
"""What a slice must hold for a gate to look at it, where the gate does not say."""
BASELINE_TASKS: frozenset[Task] = frozenset({"regression", "classification", "forecasting", "reduction", "anomaly"})
"""Tasks in which something can be answered without a model; ``anomaly`` where a target tells which rows are anomalous."""
METRICS_WITHOUT_BASELINE: frozenset[Metric] = frozenset({"calibrationError", "trustworthiness", "shareError", "anomalyShare"})
"""Metrics that tell nothing of what needs no model."""
PACKED_METRICS: frozenset[Metric] = frozenset({"latencyP99", "size"})
"""Measured on the packed artifact alone: they fit every task, and gate only."""
SHARE_METRICS: frozenset[Metric] = frozenset(
    {
        "accuracy",
        "balancedAccuracy",
        "f1",
        "precision",
        "recall",
        "rocAuc",
        "averagePrecision",
        "calibrationError",
        "trustworthiness",
        "shareError",
        "anomalyShare",
    }
)
"""Between 0 and 1."""
