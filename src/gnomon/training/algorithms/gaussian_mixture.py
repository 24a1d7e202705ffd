"""Mixtures of normal distributions, of scikit-learn: ``gaussian-mixture``."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.mixture import GaussianMixture

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.resources.learning import Task
from gnomon.training.algorithms.convergence import with_convergence
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.distances import require_rows
from gnomon.training.links import emit_log_sum_exp
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing


def fit(rows: TrainingRows, preprocessing: Preprocessing, params: Mapping[str, Any], task: Task) -> "FittedMixture":
    """Fit on the rows. The heaviest component is number 0; of equally heavy ones, that with the smaller mean comes first."""
    features = preprocessing.transform(rows.raw).astype(np.float64)
    require_rows(features, params["n_components"], "components", "n_components")
    estimator = GaussianMixture(
        n_components=params["n_components"],
        covariance_type=params["covariance_type"],
        reg_covar=params["reg_covar"],
        max_iter=params["max_iter"],
        n_init=params["n_init"],
        random_state=rows.seed,
    )
    _, notes = with_convergence(lambda: estimator.fit(features))
    order = np.lexsort((*estimator.means_.T[::-1], -estimator.weights_))
    return FittedMixture(preprocessing, estimator, order, task, notes)


@dataclass(frozen=True, eq=False)
class FittedMixture:
    """A fitted mixture, and what is asked of it: components for clustering, the density, or how unusual a row is."""

    preprocessing: Preprocessing
    estimator: GaussianMixture
    order: NDArray[np.int64]
    task: Task
    notes: Mapping[str, int | bool]

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers: (N, components) probabilities, or (N,) log-densities, negated for anomalies."""
        features = self.preprocessing.transform(raw).astype(np.float64)
        if self.task == "clustering":
            return np.asarray(self.estimator.predict_proba(features)[:, self.order])
        density = self.estimator.score_samples(features) + self.preprocessing.log_scale
        return np.asarray(-density if self.task == "anomaly" else density)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same: the weighted log-densities of all components in float64, then their shares or their sum."""
        features = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        weighted = graph.node(
            "Sub", graph.constant(self._constants()), graph.node("Mul", self._emit_distances(graph, features), _half(graph))
        )
        if self.task == "clustering":
            return cast(graph, graph.node("Softmax", weighted, axis=1), FLOAT)
        density = emit_log_sum_exp(graph, weighted)
        return cast(graph, graph.node("Neg", density) if self.task == "anomaly" else density, FLOAT)

    def _constants(self) -> Floats:
        """Return what every component's log-density has besides the distance, and its weight's logarithm, (components,)."""
        dimensions = self.estimator.means_.shape[1]
        roots = self.estimator.precisions_cholesky_
        match self.estimator.covariance_type:
            case "full":
                log_roots = np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
            case "tied":
                log_roots = np.full(len(self.order), np.log(np.diagonal(roots)).sum())
            case "diag":
                log_roots = np.log(roots).sum(axis=1)
            case _:
                log_roots = dimensions * np.log(roots)
        constants = np.log(self.estimator.weights_) + log_roots - dimensions / 2 * math.log(2 * math.pi)
        shift = 0.0 if self.task == "clustering" else self.preprocessing.log_scale
        return np.asarray(constants[self.order] + shift, dtype=np.float64)

    def _emit_distances(self, graph: GraphBuilder, features: str) -> str:
        """Emit the squared Mahalanobis distance to every component, float64 (N, components)."""
        means, roots = self.estimator.means_[self.order], self.estimator.precisions_cholesky_
        components, dimensions = means.shape
        if self.estimator.covariance_type in {"full", "tied"}:
            each = roots[self.order] if self.estimator.covariance_type == "full" else np.repeat(roots[None], components, axis=0)
            side_by_side = np.ascontiguousarray(each.transpose(1, 0, 2).reshape(dimensions, components * dimensions))
            turned_means = np.einsum("kd,kde->ke", means, each).reshape(1, -1)
            turned = graph.node("MatMul", features, graph.constant(side_by_side))
            apart = graph.node("Sub", turned, graph.constant(turned_means))
            apart = graph.node("Reshape", apart, graph.integers(-1, components, dimensions))
        else:
            each = np.repeat(roots[:, None], dimensions, axis=1) if roots.ndim == 1 else roots
            centred = graph.node("Sub", graph.node("Unsqueeze", features, graph.integers(1)), graph.constant(means))
            apart = graph.node("Mul", centred, graph.constant(np.ascontiguousarray(each[self.order])))
        return graph.node("ReduceSumSquare", apart, graph.integers(2), keepdims=0)

    def found(self) -> dict[str, float]:
        """Return whether the fit converged, and the weights of the heaviest and the lightest component."""
        weights = self.estimator.weights_[self.order]
        return {**self.notes, "heaviest": float(weights[0]), "lightest": float(weights[-1])}


def _half(graph: GraphBuilder) -> str:
    return graph.constant(np.array(0.5))
