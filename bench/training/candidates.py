"""The 48 candidates, as a manifest declares them."""

from collections.abc import Mapping
from typing import Any

ROUNDS, TREES = 200, 50
_EPOCHS = 8

MANIFEST: list[Mapping[str, Any]] = [
    {"algorithm": "logistic", "params": {"max_iter": 200}, "search": {"C": [0.001, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0]}},
    {"algorithm": "naive-bayes", "search": {"var_smoothing": [1e-9, 1e-1]}},
    {"algorithm": "decision-tree", "search": {"max_depth": [6, 10], "min_samples_leaf": [50, 200]}},
    {
        "algorithm": "random-forest",
        "params": {"n_estimators": TREES},
        "search": {"max_depth": [10, 16], "max_features": [0.3, 0.6]},
    },
    {
        "algorithm": "extra-trees",
        "params": {"n_estimators": TREES},
        "search": {"max_depth": [10, 16], "max_features": [0.5, 1.0]},
    },
    {
        "algorithm": "hist-gradient-boosting",
        "params": {"max_iter": ROUNDS},
        "search": {"learning_rate": [0.05, 0.1], "max_leaf_nodes": [15, 31, 63, 127]},
    },
    {
        "algorithm": "lightgbm",
        "params": {"n_estimators": ROUNDS},
        "search": {"learning_rate": [0.05, 0.1], "num_leaves": [15, 31, 63, 127, 255]},
    },
    {
        "algorithm": "xgboost",
        "params": {"n_estimators": ROUNDS},
        "search": {"learning_rate": [0.1, 0.2], "max_depth": [4, 6, 8]},
    },
    {"algorithm": "neural-network", "params": {"epochs": _EPOCHS}, "search": {"hidden": [[32], [64, 32]]}},
]
COUNT = 48
