"""Clusters around centres, of scikit-learn: ``k-means``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.distances import emit_squared_distances, require_rows
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing


def fit(rows: TrainingRows, preprocessing: Preprocessing, params: Mapping[str, Any]) -> "FittedKMeans":
    """Fit on the rows. The largest cluster is number 0; of equally large ones, that with the smaller centre comes first."""
    features = preprocessing.transform(rows.raw).astype(np.float64)
    require_rows(features, params["n_clusters"], "clusters", "n_clusters")
    estimator = KMeans(
        n_clusters=params["n_clusters"], n_init=params["n_init"], max_iter=params["max_iter"], random_state=rows.seed
    )
    estimator.fit(features)
    sizes = np.bincount(estimator.labels_, minlength=params["n_clusters"])
    order = np.lexsort((*estimator.cluster_centers_.T[::-1], -sizes))
    return FittedKMeans(preprocessing, estimator, order, sizes[order])


@dataclass(frozen=True, eq=False)
class FittedKMeans:
    """Fitted centres; ``order`` holds their indices by cluster number, ``sizes`` the training rows of each."""

    preprocessing: Preprocessing
    estimator: KMeans
    order: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's distance to every centre, (N, clusters), in deviations."""
        return np.asarray(self.estimator.transform(self.preprocessing.transform(raw).astype(np.float64))[:, self.order])

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the same."""
        features = cast(graph, self.preprocessing.emit(graph), DOUBLE)
        centres = self.estimator.cluster_centers_[self.order].astype(np.float64)
        return cast(graph, graph.node("Sqrt", emit_squared_distances(graph, features, centres)), FLOAT)

    def found(self) -> dict[str, float]:
        """Return the sum of squared distances to the centres, and the sizes of the largest and the smallest cluster."""
        return {"inertia": float(self.estimator.inertia_), "largest": int(self.sizes[0]), "smallest": int(self.sizes[-1])}
