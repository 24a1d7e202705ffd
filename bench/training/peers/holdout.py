"""Every candidate fitted in full on the training rows; the best on the validation rows is fitted anew on both."""

import json

import numpy as np
from matrices import FOLDER, features, log_loss, rows, target, tell  # type: ignore[import-not-found]  # beside it

from estimators import estimator, sees  # type: ignore[import-not-found]  # beside it


def main() -> None:
    """Fit them all."""
    matrices, actual = {kind: features(kind) for kind in ("trees", "linear")}, target()
    train, validation = rows("train"), rows("validation")
    plans = json.loads((FOLDER / "candidates.json").read_text())
    parts = {kind: (np.array(matrix[train]), np.array(matrix[validation])) for kind, matrix in matrices.items()}
    losses = {}
    for plan in plans:
        learnt, held_out = parts[sees(plan["algorithm"])]
        fitted = estimator(plan["algorithm"], plan["params"]).fit(learnt, actual[train])
        losses[plan["name"]] = log_loss(actual[validation], fitted.predict_proba(held_out)[:, 1])
    best = min(plans, key=lambda plan: losses[plan["name"]])
    matrix = matrices[sees(best["algorithm"])]
    both = np.concatenate([train, validation])
    fitted = estimator(best["algorithm"], best["params"]).fit(np.array(matrix[both]), actual[both])
    tell(fitted.predict_proba(np.array(matrix[rows("test")]))[:, 1], winner=best["name"], validation=losses)


if __name__ == "__main__":
    main()
