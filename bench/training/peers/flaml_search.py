"""``flaml_search.py SECONDS``: FLAML over its own space, with its processor time as its budget."""

import sys

import numpy as np
from cpu_clock import count_cpu  # type: ignore[import-not-found]  # beside it
from flaml import AutoML  # type: ignore[import-not-found]  # its own environment
from matrices import features, rows, target, tell  # type: ignore[import-not-found]  # beside it


def main() -> None:
    """Search."""
    trees, actual = features("trees"), target()
    train, validation = rows("train"), rows("validation")
    count_cpu()
    search = AutoML()
    search.fit(
        np.array(trees[train]),
        actual[train],
        X_val=np.array(trees[validation]),
        y_val=actual[validation],
        task="classification",
        metric="log_loss",
        time_budget=float(sys.argv[1]),
        estimator_list=["lgbm", "xgboost", "rf", "extra_tree"],
        eval_method="holdout",
        n_jobs=1,
        seed=0,
        early_stop=False,
        verbose=0,
    )
    tell(search.predict_proba(np.array(trees[rows("test")]))[:, 1], winner=str(search.best_estimator))


if __name__ == "__main__":
    main()
