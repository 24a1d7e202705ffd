"""HalvingGridSearchCV over the same candidates: rows are what it gives out; it fits the winner anew on all it was given."""

import json
from typing import Any

import numpy as np
from matrices import FOLDER, features, rows, target, tell  # type: ignore[import-not-found]  # beside it
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.experimental import enable_halving_search_cv  # noqa: F401 - this import switches it on
from sklearn.model_selection import HalvingGridSearchCV, ShuffleSplit

from estimators import estimator, sees  # type: ignore[import-not-found]  # beside it

_PLANS = json.loads((FOLDER / "candidates.json").read_text())
_MATRICES = {kind: features(kind) for kind in ("trees", "linear")}


class Candidate(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """One of the candidates by its number; rows come as their indices."""

    def __init__(self, number: int = 0) -> None:
        self.number = number

    def fit(self, X: Any, y: Any) -> "Candidate":  # noqa: N803 - scikit-learn's name
        """Fit it."""
        plan = _PLANS[self.number]
        self.classes_ = np.array([0, 1])
        self.fitted_ = estimator(plan["algorithm"], plan["params"]).fit(self._features(X), y)
        return self

    def predict_proba(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        """Answer."""
        return self.fitted_.predict_proba(self._features(X))

    def _features(self, X: Any) -> Any:  # noqa: N803 - scikit-learn's name
        return np.array(_MATRICES[sees(_PLANS[self.number]["algorithm"])][X[:, 0]])


def main() -> None:
    """Search."""
    train, validation, actual = rows("train"), rows("validation"), target()
    both = np.concatenate([train, validation])
    search = HalvingGridSearchCV(
        Candidate(),
        {"number": list(range(len(_PLANS)))},
        factor=3,
        min_resources=len(train) // 27,
        cv=ShuffleSplit(1, test_size=len(validation) / len(both), random_state=0),
        scoring="neg_log_loss",
        n_jobs=1,
        random_state=0,
    ).fit(both.reshape(-1, 1), actual[both])
    winner = _PLANS[search.best_params_["number"]]["name"]
    tell(search.predict_proba(rows("test").reshape(-1, 1))[:, 1], winner=winner)


if __name__ == "__main__":
    main()
