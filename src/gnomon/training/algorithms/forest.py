"""Random forests of scikit-learn: ``random-forest``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import fit_for_trees
from gnomon.training.links import emit_two_classes
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedForest":
    """Fit a forest on the rows; missing numbers go the way that training found best."""
    preprocessing = fit_for_trees(rows.raw, rows.target, rows.classes)
    kind = RandomForestClassifier if rows.classes else RandomForestRegressor
    estimator = kind(
        n_estimators=params["n_estimators"],
        max_depth=params["max_depth"],
        min_samples_leaf=params["min_samples_leaf"],
        max_features=params["max_features"],
        random_state=rows.seed,
        n_jobs=1,
    )
    weights = class_weights(rows, params)
    estimator.fit(preprocessing.transform(rows.raw), rows.target, sample_weight=weights)
    return FittedForest(preprocessing, estimator, rows.classes)


@dataclass(frozen=True, eq=False)
class FittedForest:
    """A fitted forest."""

    preprocessing: Preprocessing
    estimator: RandomForestClassifier | RandomForestRegressor
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers."""
        features = self.preprocessing.transform(raw)
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn looks for NaN by a sum, which may overflow
            answers = self.estimator.predict_proba(features) if self.classes else self.estimator.predict(features)
        return np.asarray(answers, dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the mean of the trees; values are taken from their mean, so that float32 sums keep their digits."""
        values = [estimator.tree_.value[:, 0, :].astype(np.float64) for estimator in self.estimator.estimators_]
        base = np.zeros(values[0].shape[1]) if self.classes else np.mean([value[0] for value in values], axis=0)
        values = [(value - base) / len(values) for value in values]
        if self.classes == 2:
            base, values = base[1:], [value[:, 1:] for value in values]
        trees = [_tree(estimator.tree_, value) for estimator, value in zip(self.estimator.estimators_, values, strict=True)]
        sums = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, base))
        return emit_two_classes(graph, sums) if self.classes == 2 else sums

    def found(self) -> dict[str, int | bool]:
        """Return the number of nodes."""
        return {"nodes": int(sum(estimator.tree_.node_count for estimator in self.estimator.estimators_))}


def _tree(tree: Any, value: Floats) -> DecisionTree:
    return DecisionTree(
        feature=tree.feature.astype(np.int64),
        threshold=tree.threshold,
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(np.bool_),
        value=value,
    )
