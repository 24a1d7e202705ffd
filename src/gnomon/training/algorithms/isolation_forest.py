"""Isolation forests of scikit-learn: ``isolation-forest``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import IsolationForest

from gnomon.features.graph import DOUBLE, FLOAT, GraphBuilder, cast
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble


def fit(rows: TrainingRows, preprocessing: Preprocessing, params: Mapping[str, Any]) -> "FittedIsolationForest":
    """Fit a forest, each of whose trees separates ``max_samples`` rows, drawn by the seed, at random."""
    estimator = IsolationForest(
        n_estimators=params["n_estimators"],
        max_samples=min(params["max_samples"], len(rows.target)),
        max_features=params["max_features"],
        random_state=rows.seed,
        n_jobs=1,
    )
    estimator.fit(preprocessing.transform(rows.raw))
    return FittedIsolationForest(preprocessing, estimator)


@dataclass(frozen=True, eq=False)
class FittedIsolationForest:
    """A fitted forest."""

    preprocessing: Preprocessing
    estimator: IsolationForest

    def predict(self, raw: Matrices) -> Floats:
        """Return how unusual each row is, (N,), in (0, 1]: scikit-learn's score, negated, so that more is more unusual."""
        return np.asarray(-self.estimator.score_samples(self.preprocessing.transform(raw)), dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit 2 to the power of -(mean path length) / c(rows of a tree), the path lengths as one tree ensemble.

        Source: Liu, Ting & Zhou (2008), Isolation Forest, ICDM, equations 1 and 2.
        """
        estimators = self.estimator.estimators_
        lengths = [path_lengths(estimator.tree_) for estimator in estimators]
        base = float(np.mean([length.mean() for length in lengths]))
        trees = [
            _tree(estimator.tree_, features, (length - base) / len(estimators))
            for estimator, features, length in zip(estimators, self.estimator.estimators_features_, lengths, strict=True)
        ]
        mean = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, np.array([base])))
        usual = float(average_path_length(np.array([self.estimator.max_samples_]))[0])
        exponent = graph.node("Mul", cast(graph, mean, DOUBLE), graph.constant(np.array(-np.log(2) / usual)))
        return cast(graph, graph.node("Exp", exponent), FLOAT)

    def found(self) -> dict[str, float]:
        """Return the number of nodes."""
        return {"nodes": int(sum(estimator.tree_.node_count for estimator in self.estimator.estimators_))}


def average_path_length(rows: NDArray[np.int64]) -> Floats:
    """Return the mean number of edges that isolate one of so many rows: 2 H(n - 1) - 2 (n - 1) / n, 1 for 2, 0 for fewer.

    H(i) is ln(i) + Euler's constant, as scikit-learn and Liu, Ting & Zhou (2008) have it.
    """
    many = np.maximum(rows, 3).astype(np.float64)
    length = 2 * (np.log(many - 1) + np.euler_gamma) - 2 * (many - 1) / many
    return np.where(rows > 2, length, (rows == 2).astype(np.float64))


def path_lengths(tree: Any) -> Floats:
    """Return the path length at every node: its depth, and what its rows would still take if the tree grew on."""
    depth = np.zeros(tree.node_count)
    for node in range(tree.node_count):  # parents come before their children
        if (left := tree.children_left[node]) >= 0:
            depth[left] = depth[tree.children_right[node]] = depth[node] + 1
    return depth + average_path_length(tree.n_node_samples)


def _tree(tree: Any, features: NDArray[np.int64], value: Floats) -> DecisionTree:
    inner = tree.children_left >= 0
    return DecisionTree(
        feature=np.where(inner, features[np.where(inner, tree.feature, 0)], 0).astype(np.int64),
        threshold=tree.threshold,
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(np.bool_),
        value=value[:, np.newaxis],
    )
