"""Principal components, of scikit-learn: ``pca``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.decomposition import PCA

from gnomon.errors import TrainingError
from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.resources.learning import Task
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing


def fit(rows: TrainingRows, preprocessing: Preprocessing, params: Mapping[str, Any], task: Task) -> "FittedPca":
    """Fit on the rows; the sign of a component makes its largest weight positive."""
    features = preprocessing.transform(rows.raw).astype(np.float64)
    wanted = params["n_components"]
    most = min(features.shape) - (task == "anomaly")
    if wanted > most:
        left = ", one of which must be left to tell what is unusual" if task == "anomaly" else ""
        raise TrainingError(
            f"{wanted} components are asked of {features.shape[1]} features in {len(features)} rows{left}",
            f"set n_components to at most {most}" if most else "add features",
        )
    estimator = PCA(n_components=wanted, svd_solver="full").fit(features)
    return FittedPca(preprocessing, estimator, task)


@dataclass(frozen=True, eq=False)
class FittedPca:
    """Fitted components, and what is asked of them: the components, or how far a row is from what they can tell."""

    preprocessing: Preprocessing
    estimator: PCA
    task: Task

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's components, (N, components); for anomalies the distance to what they bring back, (N,)."""
        features = self.preprocessing.transform(raw).astype(np.float64)
        components = self.estimator.transform(features)
        if self.task != "anomaly":
            return np.asarray(components)
        return np.asarray(np.sqrt(np.square(features - self.estimator.inverse_transform(components)).sum(axis=1)))

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same, in float64."""
        features = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        weights = np.ascontiguousarray(self.estimator.components_, dtype=np.float64)
        centred = graph.node("Sub", features, graph.constant(self.estimator.mean_.astype(np.float64)))
        components = graph.node("MatMul", centred, graph.constant(np.ascontiguousarray(weights.T)))
        if self.task != "anomaly":
            return cast(graph, components, FLOAT)
        lost = graph.node("Sub", centred, graph.node("MatMul", components, graph.constant(weights)))
        return cast(graph, graph.node("ReduceL2", lost, graph.integers(1), keepdims=1), FLOAT)

    def found(self) -> dict[str, float]:
        """Return the share of the training rows' variance that the components hold."""
        return {"explainedVariance": float(self.estimator.explained_variance_ratio_.sum())}
