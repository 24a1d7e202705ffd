"""Trees of scikit-learn: ``decision-tree``, and the forests ``random-forest`` and ``extra-trees``."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.growth import Grown, Plot, Watch
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.estimator_inputs import fit_for_trees
from gnomon.training.links import emit_two_classes
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble


def fit(rows: TrainingRows, algorithm: str, params: Mapping[str, Any]) -> "FittedForest":
    """Fit ``algorithm`` on the rows; missing numbers go the way that training found best."""
    preprocessing = fit_for_trees(rows.raw, rows.target, rows.classes)
    kind = _KINDS[algorithm][1 if rows.classes else 0]
    shared = {name: value for name, value in params.items() if name != "class_weight"} | {"random_state": rows.seed}
    estimator = kind(**shared) if algorithm == "decision-tree" else kind(**shared, n_jobs=1)
    weights = class_weights(rows, params)
    estimator.fit(preprocessing.transform(rows.raw), rows.target, sample_weight=weights)
    return FittedForest(preprocessing, estimator, rows.classes)


def grow(plot: Plot, algorithm: str, params: Mapping[str, Any], before: Grown, length: int, watch: Watch) -> Grown:
    """Grow a forest on to ``length`` trees: the same trees as those of one long fit.

    Of the trees themselves nothing is kept: what they answer is added up, and squared, for the held-out rows.
    """
    rows = plot.rows
    draws = np.random.RandomState(rows.seed)
    draws.randint(np.iinfo(np.int32).max, size=before.length)
    kind = _KINDS[algorithm][1 if rows.classes else 0]
    shared = {name: value for name, value in params.items() if name not in {"class_weight", "n_estimators"}}
    estimator = kind(**shared, n_estimators=length - before.length, random_state=draws, n_jobs=1)
    with np.errstate(over="ignore", invalid="ignore"):
        # A copy: scikit-learn cannot look for missing values in memory that it may not write to.
        estimator.fit(np.array(plot.learnt.floats), rows.target, sample_weight=class_weights(rows, params))
        empty = np.zeros((len(plot.held_out), max(rows.classes, 1)))
        sums, squares = (np.array(before.state.get(name, empty)) for name in ("sums", "squares"))
        for tree in estimator.estimators_:
            answers = tree.predict_proba(plot.held_out.floats) if rows.classes else tree.predict(plot.held_out.floats)
            answers = np.asarray(answers, dtype=np.float64).reshape(sums.shape)
            sums += answers
            squares += answers**2
    watch(length, sums / length if rows.classes else sums[:, 0] / length)
    return Grown(length, {"sums": sums, "squares": squares})


_KINDS: Mapping[str, tuple[Any, Any]] = {
    "decision-tree": (DecisionTreeRegressor, DecisionTreeClassifier),
    "random-forest": (RandomForestRegressor, RandomForestClassifier),
    "extra-trees": (ExtraTreesRegressor, ExtraTreesClassifier),
}


@dataclass(frozen=True, eq=False)
class FittedForest:
    """A fitted forest; a single tree is a forest of one."""

    preprocessing: Preprocessing
    estimator: Any
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers."""
        features = self.preprocessing.transform(raw)
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn looks for NaN by a sum, which may overflow
            answers = self.estimator.predict_proba(features) if self.classes else self.estimator.predict(features)
        return np.asarray(answers, dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the mean of the trees; values are taken from their mean, so that float32 sums keep their digits."""
        values = [tree.value[:, 0, :].astype(np.float64) for tree in self._trees()]
        base = np.zeros(values[0].shape[1]) if self.classes else np.mean([value[0] for value in values], axis=0)
        values = [(value - base) / len(values) for value in values]
        if self.classes == 2:
            base, values = base[1:], [value[:, 1:] for value in values]
        trees = [_tree(tree, value) for tree, value in zip(self._trees(), values, strict=True)]
        sums = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, base))
        return emit_two_classes(graph, sums) if self.classes == 2 else sums

    def found(self) -> dict[str, int | bool]:
        """Return the number of nodes."""
        return {"nodes": int(sum(tree.node_count for tree in self._trees()))}

    def _trees(self) -> list[Any]:
        return [estimator.tree_ for estimator in getattr(self.estimator, "estimators_", [self.estimator])]


def _tree(tree: Any, value: Floats) -> DecisionTree:
    return DecisionTree(
        feature=tree.feature.astype(np.int64),
        threshold=tree.threshold,
        left=tree.children_left.astype(np.int64),
        right=tree.children_right.astype(np.int64),
        missing_left=tree.missing_go_to_left.astype(np.bool_),
        value=value,
    )
