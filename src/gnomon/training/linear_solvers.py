"""Weights of linear models from products with a design alone, so that memory does not grow with features times rows."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize, special

from gnomon.training.linear_design import Design

Floats = NDArray[np.float64]

_LEAST_EIGENVALUE = 1e-12
"""Directions in which features vary less than this, beside the widest one, are left out: among them are exact doubles."""
_TOLERANCE = 1e-4
"""Largest entry of the gradient of the mean loss at which a search ends."""


@dataclass(frozen=True, eq=False)
class LinearScores:
    """Weights (W, scores) and intercepts (scores,), float64."""

    weights: Floats
    intercepts: Floats

    def of(self, features: NDArray[np.float32]) -> Floats:
        """Return the scores of rows of features, (N, W): (N, scores)."""
        return np.asarray(features.astype(np.float64) @ self.weights + self.intercepts)


def least_squares(design: Design, target: Floats, penalty: float) -> LinearScores:
    """Return the weights of least squares, with ``penalty`` times the sum of their squares added to the squared errors.

    Solved by the normal equations of the centred design. Without a penalty the solution is the shortest of all that fit
    alike, as features that double each other have no other one.
    """
    rows = len(design)
    means = design.transposed_times(np.ones((rows, 1)))[:, 0] / rows
    middle = float(target.mean())
    gram = design.gram() - rows * np.outer(means, means)
    moments = design.transposed_times((target - middle)[:, np.newaxis])[:, 0]
    if penalty > 0:
        gram[np.diag_indices_from(gram)] += penalty
        weights = linalg.solve(gram, moments, assume_a="pos")
    else:
        values, vectors = linalg.eigh(gram)
        known = values > _LEAST_EIGENVALUE * values[-1]
        weights = vectors[:, known] @ (vectors[:, known].T @ moments / values[known])
    return LinearScores(weights[:, np.newaxis], np.array([middle - means @ weights]))


def logistic(
    design: Design, classes: NDArray[np.int64], count: int, row_weights: Floats | None, strength: float, most_steps: int
) -> tuple[LinearScores, bool]:
    """Return the weights of a logistic regression, and whether the search for them ended where it should.

    Minimised is the mean of the weighted losses plus the sum of squared weights over ``2 * strength * sum(row_weights)``, by
    L-BFGS (D. Liu, J. Nocedal, 1989, Mathematical Programming 45:503). Intercepts are not penalised.

    Args:
        design: The features.
        classes: Index of the class of each row, (N,).
        count: How many classes there are; of two, one score is enough.
        row_weights: Weight of each row, (N,); None for 1.
        strength: How little the weights are penalised: scikit-learn's ``C``.
        most_steps: Steps of the search.
    """
    scores = count if count > 2 else 1
    weights = np.ones(len(design)) if row_weights is None else row_weights
    total = float(weights.sum())
    penalty = 1 / (strength * total)
    shares = weights / total

    def loss(flat: Floats) -> tuple[float, Floats]:
        given = flat.reshape(design.width + 1, scores)
        answers = design.times(given[:-1]) + given[-1]
        if scores == 1:
            truth = (classes == 1)[:, np.newaxis]
            losses = np.logaddexp(0, answers[:, 0]) - np.where(truth[:, 0], answers[:, 0], 0)
            slopes = special.expit(answers) - truth
        else:
            logarithms = special.logsumexp(answers, axis=1)
            losses = logarithms - answers[np.arange(len(answers)), classes]
            slopes = np.exp(answers - logarithms[:, np.newaxis])
            slopes[np.arange(len(slopes)), classes] -= 1
        slopes *= shares[:, np.newaxis]
        gradient = np.concatenate([design.transposed_times(slopes) + penalty * given[:-1], slopes.sum(axis=0)[np.newaxis]])
        return float(losses @ shares) + 0.5 * penalty * float((given[:-1] ** 2).sum()), gradient.ravel()

    options = {"maxiter": most_steps, "maxls": 50, "gtol": _TOLERANCE, "ftol": 64 * np.finfo(np.float64).eps}
    start = np.zeros((design.width + 1) * scores)
    found = optimize.minimize(loss, start, method="L-BFGS-B", jac=True, options=options)
    best = found.x.reshape(design.width + 1, scores)
    return LinearScores(best[:-1], best[-1]), bool(found.status == 0)
