"""Every candidate fitted in full on the training rows, boosters with their best rounds; the best is fitted anew on all."""

import json

import numpy as np
from matrices import FOLDER, features, rows, target, tell  # type: ignore[import-not-found]  # beside it

from estimators import estimator, fit_watched, sees, with_rounds  # type: ignore[import-not-found]  # beside it


def main() -> None:
    """Fit them all."""
    matrices, actual = {kind: features(kind) for kind in ("trees", "linear")}, target()
    train, validation = rows("train"), rows("validation")
    plans = json.loads((FOLDER / "candidates.json").read_text())
    parts = {kind: (np.array(matrix[train]), np.array(matrix[validation])) for kind, matrix in matrices.items()}
    losses, rounds = {}, {}
    for plan in plans:
        learnt, held_out = parts[sees(plan["algorithm"])]
        made = estimator(plan["algorithm"], plan["params"])
        found = fit_watched(made, learnt, actual[train], held_out, actual[validation])
        losses[plan["name"]], rounds[plan["name"]] = found
    best = min(plans, key=lambda plan: losses[plan["name"]])
    matrix = matrices[sees(best["algorithm"])]
    both = np.concatenate([train, validation])
    fitted = estimator(best["algorithm"], with_rounds(best["params"], rounds[best["name"]])).fit(
        np.array(matrix[both]), actual[both]
    )
    tell(fitted.predict_proba(np.array(matrix[rows("test")]))[:, 1], winner=best["name"], validation=losses)


if __name__ == "__main__":
    main()
