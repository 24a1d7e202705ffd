"""Scores of a classifier that knows no probabilities become probabilities: one sigmoid for each score.

The sigmoids are fitted on scores of rows that the scoring model had not seen (J. Platt, 1999, "Probabilistic outputs for
support vector machines"); the scoring model itself then learns all rows. Of several classes, each has its own sigmoid, and
their values are divided by their sum. The sum is taken of logarithms, so that a row far from all classes still has an answer.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.calibration import CalibratedClassifierCV
from sklearn.model_selection import StratifiedKFold

from gnomon.features.graph import DOUBLE, GraphBuilder, cast
from gnomon.training.links import emit_probabilities

Floats = NDArray[np.float64]

FOLDS = 3
"""Each fold costs one more fit."""


@dataclass(frozen=True, eq=False)
class Sigmoids:
    """The log-odds of each score: ``slope * score + offset``, both float64 (scores,). Two classes have one score."""

    slope: Floats
    offset: Floats

    def probabilities(self, scores: Floats) -> Floats:
        """Return (N, classes) probabilities of (N, scores) scores."""
        odds = scores * self.slope + self.offset
        if len(self.slope) == 1:
            odds = np.concatenate([-odds, odds], axis=1)
            return np.exp(-np.logaddexp(0, -odds))
        logs = -np.logaddexp(0, -odds)
        shares = np.exp(logs - logs.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def emit(self, graph: GraphBuilder, scores: str) -> str:
        """Emit the same: float64 (N, scores) in, float32 (N, classes) out."""
        stretched = graph.node("Mul", cast(graph, scores, DOUBLE), graph.constant(self.slope))
        odds = graph.node("Add", stretched, graph.constant(self.offset))
        if len(self.slope) == 1:
            return emit_probabilities(graph, odds, 1)
        # log sigmoid(x) = min(x, 0) - log(1 + exp(-|x|)): neither term overflows, and none loses its digits.
        small = graph.node("Exp", graph.node("Neg", graph.node("Abs", odds)))
        rest = graph.node("Log", graph.node("Add", small, graph.constant(np.ones(1))))
        logs = graph.node("Sub", graph.node("Min", odds, graph.constant(np.zeros(1))), rest)
        return emit_probabilities(graph, logs, len(self.slope))


def fit_calibrated(estimator: Any, design: Floats, target: Floats, weights: Floats | None, seed: int) -> tuple[Any, Sigmoids]:
    """Return ``estimator`` fitted on all rows, and the sigmoids of its scores.

    A class with a single row cannot be left out of a fold: then the scores of the learnt rows themselves are used.

    Args:
        estimator: An unfitted classifier of scikit-learn with a ``decision_function``.
        design: Features, (N, F).
        target: Index of the class, (N,).
        weights: Weight of each row, (N,), or None.
        seed: Start of the division into folds.
    """
    folds = min(FOLDS, int(np.bincount(target.astype(np.int64)).min()))
    every = np.arange(len(target))
    cv = StratifiedKFold(folds, shuffle=True, random_state=seed) if folds > 1 else [(every, every)]
    calibrated = CalibratedClassifierCV(estimator, method="sigmoid", cv=cv, ensemble=False)
    calibrated.fit(design, target, sample_weight=weights)
    (fitted,) = calibrated.calibrated_classifiers_
    slope = np.array([-sigmoid.a_ for sigmoid in fitted.calibrators])
    offset = np.array([-sigmoid.b_ for sigmoid in fitted.calibrators])
    return fitted.estimator, Sigmoids(slope, offset)
