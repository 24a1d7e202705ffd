"""The candidates as estimators of their libraries, with one thread and the same parameters."""

from collections.abc import Mapping
from typing import Any

from lightgbm import LGBMClassifier
from sklearn.ensemble import ExtraTreesClassifier, HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.tree import DecisionTreeClassifier
from xgboost import XGBClassifier


def estimator(algorithm: str, params: Mapping[str, Any]) -> Any:
    """Return an estimator of the library, with one thread."""
    match algorithm:
        case "logistic":
            return LogisticRegression(C=params["C"], max_iter=params["max_iter"])
        case "naive-bayes":
            return GaussianNB(var_smoothing=params["var_smoothing"])
        case "decision-tree":
            return DecisionTreeClassifier(random_state=7, **_some(params, "max_depth", "min_samples_leaf"))
        case "random-forest" | "extra-trees":
            kind = RandomForestClassifier if algorithm == "random-forest" else ExtraTreesClassifier
            wanted = _some(params, "n_estimators", "max_depth", "max_features", "min_samples_leaf")
            return kind(random_state=7, n_jobs=1, **wanted)
        case "hist-gradient-boosting":
            wanted = _some(params, "max_iter", "learning_rate", "max_leaf_nodes", "min_samples_leaf")
            return HistGradientBoostingClassifier(random_state=7, early_stopping=False, **wanted)
        case "lightgbm":
            wanted = _some(params, "n_estimators", "learning_rate", "num_leaves", "min_child_samples")
            return LGBMClassifier(random_state=7, n_jobs=1, verbosity=-1, **wanted)
        case "xgboost":
            wanted = _some(params, "n_estimators", "learning_rate", "max_depth")
            return XGBClassifier(random_state=7, n_jobs=1, tree_method="hist", **wanted)
        case _:
            return MLPClassifier(params["hidden"], batch_size=512, max_iter=params["epochs"], random_state=7)


def sees(algorithm: str) -> str:
    """Return which features an algorithm learns from."""
    return "linear" if algorithm in {"logistic", "naive-bayes", "neural-network"} else "trees"


def _some(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: params[name] for name in names}
