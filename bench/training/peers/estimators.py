"""The candidates as estimators of their libraries, with one thread and the same parameters."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from lightgbm import LGBMClassifier
from matrices import log_loss  # type: ignore[import-not-found]  # beside it
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


def fit_watched(made: Any, learnt: Any, classes: Any, held_out: Any, actual: Any) -> tuple[float, int | None]:
    """Fit in full, and return the log loss on the rows held out; of a booster, of its best round, which comes with it."""
    match made:
        case LGBMClassifier():
            made.fit(learnt, classes, eval_set=[(held_out, actual)])
            losses = np.array(made.evals_result_["valid_0"]["binary_logloss"])
        case XGBClassifier():
            made.fit(learnt, classes, eval_set=[(held_out, actual)], verbose=False)
            losses = np.array(made.evals_result()["validation_0"]["logloss"])
        case HistGradientBoostingClassifier():
            made.fit(learnt, classes)
            losses = np.array([log_loss(actual, shares[:, 1]) for shares in made.staged_predict_proba(held_out)])
        case _:
            return log_loss(actual, made.fit(learnt, classes).predict_proba(held_out)[:, 1]), None
    best = int(losses.argmin())
    return float(losses[best]), best + 1


def with_rounds(params: Mapping[str, Any], rounds: int | None) -> Mapping[str, Any]:
    """Return the parameters of the same estimator with so many rounds."""
    name = "max_iter" if "max_leaf_nodes" in params else "n_estimators"
    return params if rounds is None else {**params, name: rounds}


def sees(algorithm: str) -> str:
    """Return which features an algorithm learns from."""
    return "linear" if algorithm in {"logistic", "naive-bayes", "neural-network"} else "trees"


def _some(params: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: params[name] for name in names}
