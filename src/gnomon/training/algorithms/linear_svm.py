"""Linear support vector machines of scikit-learn (liblinear): ``linear-svm``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.svm import LinearSVC, LinearSVR

from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.convergence import with_convergence
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.algorithms.linear import emit_sums
from gnomon.training.calibration import Sigmoids, fit_calibrated
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.target_scale import TargetScale, scale_of


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedLinearSvm":
    """Fit on the rows. Values are learnt in deviations of the target; scores of classes are calibrated."""
    preprocessing = fit_for_linear(rows.raw)
    design = preprocessing.transform(rows.raw).astype(np.float64)
    shared: dict[str, Any] = {"C": params["C"], "max_iter": params["max_iter"], "dual": "auto", "random_state": rows.seed}
    if rows.classes:
        classifier = LinearSVC(**shared)
        weights = class_weights(rows, params)
        (estimator, link), notes = with_convergence(lambda: fit_calibrated(classifier, design, rows.target, weights, rows.seed))
        return FittedLinearSvm(preprocessing, estimator, link, notes)
    scale = scale_of(rows.target)
    regressor = LinearSVR(loss=params["loss"], epsilon=params["epsilon"], **shared)
    estimator, notes = with_convergence(lambda: regressor.fit(design, scale.standard(rows.target)))
    return FittedLinearSvm(preprocessing, estimator, scale, notes)


@dataclass(frozen=True, eq=False)
class FittedLinearSvm:
    """A fitted machine; ``link`` makes answers of its scores."""

    preprocessing: Preprocessing
    estimator: LinearSVC | LinearSVR
    link: Sigmoids | TargetScale
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return the answers to liblinear's scores."""
        design = self.preprocessing.transform(raw).astype(np.float64)
        if isinstance(self.link, TargetScale):
            return self.link.restored(np.asarray(self.estimator.predict(design), dtype=np.float64))
        scores = np.asarray(self.estimator.decision_function(design), dtype=np.float64)
        return self.link.probabilities(scores.reshape(len(design), -1))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the scores in float64, and what the link makes of them."""
        scores = emit_sums(graph, self.preprocessing.emit(graph), self.estimator.coef_, self.estimator.intercept_)
        return self.link.emit_restored(graph, scores) if isinstance(self.link, TargetScale) else self.link.emit(graph, scores)

    def found(self) -> dict[str, int | bool]:
        """Return whether the solver converged."""
        return dict(self.notes)
