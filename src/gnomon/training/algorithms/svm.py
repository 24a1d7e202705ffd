"""Support vector machines with kernels, of scikit-learn (libsvm): ``svm``."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.svm import SVC, SVR

from gnomon.errors import TrainingError
from gnomon.features.graph import DOUBLE, GraphBuilder, cast
from gnomon.training.algorithms.convergence import with_convergence
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.algorithms.linear import emit_sums
from gnomon.training.calibration import Sigmoids, fit_calibrated
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.row_cap import capped_rows, told_cap
from gnomon.training.target_scale import TargetScale, scale_of

MAX_CLASSES = 100
"""Every pair of classes has a score of its own; more pairs than 4950 make a slow answer."""


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedSvm":
    """Fit on at most ``max_rows`` rows. Values are learnt in deviations of the target; scores of classes are calibrated.

    Raises:
        TrainingError: There are more than ``MAX_CLASSES`` classes.
    """
    if rows.classes > MAX_CLASSES:
        raise TrainingError(
            f"svm tells at most {MAX_CLASSES} classes apart, and the target has {rows.classes}", "use linear-svm or lightgbm"
        )
    used = capped_rows(rows, params["max_rows"])
    preprocessing = fit_for_linear(used.raw)
    design = preprocessing.transform(used.raw).astype(np.float64)
    names = ("C", "kernel", "gamma", "degree", "coef0", "max_iter")
    shared: dict[str, Any] = {name: params[name] for name in names}
    if rows.classes:
        classifier = SVC(**shared)
        weights = class_weights(used, params)
        (estimator, link), notes = with_convergence(lambda: fit_calibrated(classifier, design, used.target, weights, rows.seed))
        return FittedSvm(preprocessing, estimator, link, notes | told_cap(rows, used))
    scale = scale_of(used.target)
    regressor = SVR(epsilon=params["epsilon"], **shared)
    estimator, notes = with_convergence(lambda: regressor.fit(design, scale.standard(used.target)))
    return FittedSvm(preprocessing, estimator, scale, notes | told_cap(rows, used))


@dataclass(frozen=True, eq=False)
class FittedSvm:
    """A fitted machine; ``link`` makes answers of its scores."""

    preprocessing: Preprocessing
    estimator: SVC | SVR
    link: Sigmoids | TargetScale
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return the answers to libsvm's scores."""
        design = self.preprocessing.transform(raw).astype(np.float64)
        if isinstance(self.link, TargetScale):
            return self.link.restored(np.asarray(self.estimator.predict(design), dtype=np.float64))
        scores = np.asarray(self.estimator.decision_function(design), dtype=np.float64)
        return self.link.probabilities(scores.reshape(len(design), -1))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the scores in float64, and what the link makes of them."""
        features = self.preprocessing.emit(graph)
        if self.estimator.kernel == "linear":
            scores = emit_sums(graph, features, self.estimator.coef_, self.estimator.intercept_)
        else:
            scores = self._emit_kernel_sums(graph, self._emit_kernel(graph, cast(graph, features, DOUBLE)))
        if isinstance(self.link, TargetScale):
            return self.link.emit_restored(graph, scores)
        classes = len(self.link.slope)
        return self.link.emit(graph, scores if classes == 1 else _emit_votes(graph, scores, classes))

    def found(self) -> dict[str, int | bool]:
        """Return the number of support vectors, whether the solver converged, and how many rows were left out."""
        return {"supportVectors": int(self.estimator.n_support_.sum()), **self.notes}

    def _emit_kernel(self, graph: GraphBuilder, design: str) -> str:
        """Emit the kernel of each row with each support vector: float64 (N, features) in, (N, vectors) out."""
        vectors = np.asarray(self.estimator.support_vectors_)
        # scikit-learn tells the width that `scale` comes to under no public name.
        gamma = float(self.estimator._gamma)  # noqa: SLF001
        if self.estimator.kernel == "rbf":
            products = graph.node("MatMul", design, graph.constant(2 * gamma * vectors.T))
            own = graph.node("ReduceSum", graph.node("Mul", design, design), graph.integers(1), keepdims=1)
            away = graph.node("Add", graph.node("Mul", own, graph.constant(np.array([gamma]))), _vector(graph, vectors, gamma))
            return graph.node("Exp", graph.node("Min", graph.node("Sub", products, away), graph.constant(np.zeros(1))))
        products = graph.node("MatMul", design, graph.constant(gamma * vectors.T))
        shifted = graph.node("Add", products, graph.constant(np.array([float(self.estimator.coef0)])))
        if self.estimator.kernel == "sigmoid":
            return graph.node("Tanh", shifted)
        return graph.node("Pow", shifted, graph.constant(np.array([float(self.estimator.degree)])))

    def _emit_kernel_sums(self, graph: GraphBuilder, kernel: str) -> str:
        """Emit the scores from the kernel: of each pair of classes, or the only one."""
        dual, intercept = np.asarray(self.estimator.dual_coef_), np.asarray(self.estimator.intercept_)
        if len(intercept) == 1:
            return graph.node("Add", graph.node("MatMul", kernel, graph.constant(dual.T)), graph.constant(intercept))
        # The vectors of a class weigh differently against each other class: row j - 1 or j of their coefficients is against j.
        ends = np.cumsum(self.estimator.n_support_)
        against = [
            graph.node(
                "MatMul",
                graph.node("Slice", kernel, graph.integers(int(begin)), graph.integers(int(end)), graph.integers(1)),
                graph.constant(dual[:, begin:end].T),
            )
            for begin, end in zip([0, *ends[:-1]], ends, strict=True)
        ]
        joined, width, pairs = graph.node("Concat", *against, axis=1), len(dual), _pairs(len(ends))
        first = graph.node("Gather", joined, graph.integers(*(i * width + j - 1 for i, j in pairs)), axis=1)
        second = graph.node("Gather", joined, graph.integers(*(j * width + i for i, j in pairs)), axis=1)
        return graph.node("Add", graph.node("Add", first, second), graph.constant(intercept))


def _vector(graph: GraphBuilder, vectors: NDArray[np.float64], gamma: float) -> str:
    return graph.constant(gamma * (vectors * vectors).sum(axis=1))


def _pairs(classes: int) -> list[tuple[int, int]]:
    return list(itertools.combinations(range(classes), 2))


def _emit_votes(graph: GraphBuilder, scores: str, classes: int) -> str:
    """Emit scores of classes from those of pairs: the votes of each, and within a third of a vote, how clear they were."""
    places = np.array(_pairs(classes)).T
    wins = np.zeros((2, places.shape[1], classes))
    for side in (0, 1):
        wins[side, np.arange(places.shape[1]), places[side]] = 1
    clear = graph.node("MatMul", scores, graph.constant(wins[0] - wins[1]))
    size = graph.node("Add", graph.node("Abs", clear), graph.constant(np.ones(1)))
    within = graph.node("Div", clear, graph.node("Mul", size, graph.constant(np.array([3.0]))))
    lost = cast(graph, graph.node("Less", scores, graph.constant(np.zeros(1))), DOUBLE)
    won_first = graph.node("MatMul", graph.node("Sub", graph.constant(np.ones(1)), lost), graph.constant(wins[0]))
    won_second = graph.node("MatMul", lost, graph.constant(wins[1]))
    return graph.node("Add", graph.node("Add", won_first, won_second), within)
