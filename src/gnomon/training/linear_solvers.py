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
"""When a search ends: the largest entry of the gradient of a mean loss; the duality gap beside the target's variation."""


@dataclass(frozen=True, eq=False)
class LinearScores:
    """Weights (W, scores) and intercepts (scores,), float64."""

    weights: Floats
    intercepts: Floats

    def of(self, features: NDArray[np.float32]) -> Floats:
        """Return the scores of rows of features, (N, W): (N, scores)."""
        return np.asarray(features.astype(np.float64) @ self.weights + self.intercepts)


@dataclass(frozen=True, eq=False)
class _Moments:
    """What squared errors need to know of the rows: products of the centred features and of the centred target."""

    gram: Floats
    moments: Floats
    means: Floats
    middle: float
    variation: float
    """Sum of the squares of the centred target."""

    def scores(self, weights: Floats) -> LinearScores:
        return LinearScores(weights[:, np.newaxis], np.array([self.middle - self.means @ weights]))


def _moments(design: Design, target: Floats) -> _Moments:
    rows = len(design)
    means = design.transposed_times(np.ones((rows, 1)))[:, 0] / rows
    middle = float(target.mean())
    centred = (target - middle)[:, np.newaxis]
    gram = design.gram() - rows * np.outer(means, means)
    return _Moments(gram, design.transposed_times(centred)[:, 0], means, middle, float((centred**2).sum()))


def least_squares(design: Design, target: Floats, penalty: float) -> LinearScores:
    """Return the weights of least squares, with ``penalty`` times the sum of their squares added to the squared errors.

    Solved by the normal equations of the centred design. Without a penalty the solution is the shortest of all that fit
    alike, as features that double each other have no other one.
    """
    known = _moments(design, target)
    if penalty > 0:
        known.gram[np.diag_indices_from(known.gram)] += penalty
        return known.scores(linalg.solve(known.gram, known.moments, assume_a="pos"))
    values, vectors = linalg.eigh(known.gram)
    wide = values > _LEAST_EIGENVALUE * values[-1]
    return known.scores(vectors[:, wide] @ (vectors[:, wide].T @ known.moments / values[wide]))


def elastic_net(design: Design, target: Floats, strength: float, share: float, most_rounds: int) -> tuple[LinearScores, bool]:
    """Return the weights of an elastic net, and whether they are as good as they should be.

    Minimised is half the mean of the squared errors, plus ``strength`` times (``share`` times the sum of the absolute weights
    plus half of the rest times the sum of the squared ones), by coordinate descent (J. Friedman, T. Hastie, R. Tibshirani,
    2010, Journal of Statistical Software 33:1) until the duality gap is a ten thousandth of the target's variation.
    """
    lasso, ridge = strength * share * len(design), strength * (1 - share) * len(design)
    if not lasso:
        return least_squares(design, target, ridge), True
    known = _moments(design, target)
    gram, diagonal = known.gram, known.gram.diagonal().copy()
    weights, answered = np.zeros(design.width), np.zeros(design.width)
    for _ in range(most_rounds):
        furthest = 0.0
        for place in np.flatnonzero(diagonal > 0):
            before = weights[place]
            pull = known.moments[place] - answered[place] + diagonal[place] * before
            after = np.sign(pull) * max(abs(pull) - lasso, 0) / (diagonal[place] + ridge)
            if after != before:
                weights[place] = after
                answered += gram[place] * (after - before)
                furthest = max(furthest, abs(after - before))
        is_still = furthest <= _TOLERANCE * np.abs(weights).max(initial=0)
        if is_still and _duality_gap(known, weights, answered, lasso, ridge) <= _TOLERANCE * known.variation:
            return known.scores(weights), True
    return known.scores(weights), False


def _duality_gap(known: _Moments, weights: Floats, answered: Floats, lasso: float, ridge: float) -> float:
    """Return by how much the weights miss the least loss, at most; ``answered`` is the Gram matrix times the weights."""
    reached = float(known.moments @ weights)
    errors = known.variation - 2 * reached + float(weights @ answered)
    squared = errors + ridge * float(weights @ weights)
    pull = float(np.abs(known.moments - answered - ridge * weights).max(initial=0))
    feasible = min(1.0, lasso / pull) if pull else 1.0
    loss = 0.5 * squared + lasso * float(np.abs(weights).sum())
    return loss - feasible * (known.variation - reached) + 0.5 * feasible**2 * squared


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
