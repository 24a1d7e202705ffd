"""Gradient boosting over histograms of scikit-learn: ``hist-gradient-boosting``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor

from gnomon.errors import ExportRefusedError
from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.growth import PIECE, Grown, Plot, Watch, pieces
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.early_stopping import inner_rows
from gnomon.training.estimator_inputs import fit_for_trees
from gnomon.training.links import emit_probabilities, probabilities_of
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedHistGradientBoosting":
    """Fit on the rows: the number of trees is found on inner rows first, then all rows are used."""
    preprocessing = fit_for_trees(rows.raw, rows.target, rows.classes)
    features = preprocessing.transform(rows.raw)
    weights = class_weights(rows, params)
    rounds = params["max_iter"]
    if (inner := inner_rows(rows, params["n_iter_no_change"])) is not None:
        learning, watching = inner
        watched = _estimator(rows, params, rounds, early_stopping=True)
        # scikit-learn cannot bin a column without any value.
        known = np.where(np.isnan(features[learning]).all(axis=0), np.float32(0), features)
        watched.fit(
            known[learning],
            rows.target[learning],
            sample_weight=None if weights is None else weights[learning],
            X_val=known[watching],
            y_val=rows.target[watching],
            sample_weight_val=None if weights is None else weights[watching],
        )
        rounds = max(1, int(np.argmax(watched.validation_score_)))
    estimator = _estimator(rows, params, rounds, early_stopping=False)
    estimator.fit(features, rows.target, sample_weight=weights)
    return FittedHistGradientBoosting(preprocessing, estimator, rows.classes)


def grow(plot: Plot, params: Mapping[str, Any], before: Grown, length: int, watch: Watch) -> Grown:
    """Grow an ensemble on to ``length`` rounds: the same trees as those of one long fit."""
    rows = plot.rows
    estimator = _estimator(rows, params, length, early_stopping=False)
    estimator.set_params(warm_start=True)
    if before.length:
        _restore(estimator, rows.seed, before.state)
    weights = class_weights(rows, params)
    held_out = plot.held_out.floats.astype(np.float64)
    watched = np.array(before.state["watched"]) if before.length else None
    for begin, end in pieces(before.length, length, 2 * PIECE):  # twice, as each begins with cutting all rows anew
        estimator.set_params(max_iter=end)
        with np.errstate(over="ignore", invalid="ignore"):
            estimator.fit(plot.learnt.floats, rows.target, sample_weight=weights)
        base = np.asarray(estimator._baseline_prediction)  # noqa: SLF001
        watched = np.tile(base, (len(plot.held_out), 1)) if watched is None else watched
        for round_, predictors in enumerate(estimator._predictors[begin:], start=begin + 1):  # noqa: SLF001
            for output, predictor in enumerate(predictors):
                watched[:, output] += predictor.predict(held_out, _NO_CATEGORIES, _NO_PLACES, 1)
            if not watch(round_, probabilities_of(watched, rows.classes) if rows.classes else watched[:, 0]):
                return Grown(round_)
    return Grown(length, _state(estimator) | {"watched": np.asarray(watched)})


_NO_CATEGORIES = np.zeros((0, 8), dtype=np.uint32)
_NO_PLACES = np.zeros(0, dtype=np.uint32)
"""What scikit-learn's trees are told of columns of categories, of which there are none."""


def _state(estimator: HistGradientBoostingClassifier | HistGradientBoostingRegressor) -> dict[str, NDArray[Any]]:
    """Return what a warm start needs: nodes of all trees, how many each has, the start value, the state of the draws."""
    # scikit-learn has no public way to this; the test that a stop changes nothing would tell if its meaning changed.
    rounds = estimator._predictors  # noqa: SLF001
    trees = [predictor.nodes for predictors in rounds for predictor in predictors]
    nodes = np.zeros(sum(map(len, trees)), dtype=trees[0].dtype)
    for name in nodes.dtype.names or ():
        nodes[name] = np.concatenate([tree[name] for tree in trees])
    draws = json.dumps(estimator._feature_subsample_rng.bit_generator.state, sort_keys=True)  # noqa: SLF001
    return {
        "nodes": nodes,
        "sizes": np.array([[len(predictor.nodes) for predictor in predictors] for predictors in rounds]),
        "baseline": np.asarray(estimator._baseline_prediction),  # noqa: SLF001
        "draws": np.frombuffer(draws.encode(), dtype=np.uint8),
    }


def _restore(
    estimator: HistGradientBoostingClassifier | HistGradientBoostingRegressor, seed: int, state: Mapping[str, NDArray[Any]]
) -> None:
    """Make a new estimator one that was fitted before, as ``_state`` tells."""
    ends = np.cumsum(state["sizes"])
    trees = iter(np.split(np.array(state["nodes"]), ends[:-1]))
    rounds = [[TreePredictor(next(trees), _NO_CATEGORIES, _NO_CATEGORIES) for _ in sizes] for sizes in state["sizes"]]
    estimator._predictors = rounds  # noqa: SLF001
    estimator._baseline_prediction = np.array(state["baseline"])  # noqa: SLF001
    # As ``fit`` draws it when it begins.
    estimator._random_seed = np.random.RandomState(seed).randint(np.iinfo(np.uint32).max, dtype="u8")  # noqa: SLF001
    estimator._feature_subsample_rng = np.random.default_rng()  # noqa: SLF001
    estimator._feature_subsample_rng.bit_generator.state = json.loads(state["draws"].tobytes())  # noqa: SLF001
    estimator.train_score_ = estimator.validation_score_ = np.zeros(0)


def _estimator(
    rows: TrainingRows, params: Mapping[str, Any], rounds: int, *, early_stopping: bool
) -> HistGradientBoostingClassifier | HistGradientBoostingRegressor:
    shared: dict[str, Any] = {
        "max_iter": rounds,
        "learning_rate": params["learning_rate"],
        "max_leaf_nodes": params["max_leaf_nodes"],
        "min_samples_leaf": params["min_samples_leaf"],
        "l2_regularization": params["l2_regularization"],
        "max_features": params["max_features"],
        "categorical_features": None,
        "early_stopping": early_stopping,
        "n_iter_no_change": max(1, params["n_iter_no_change"]),
        "random_state": rows.seed,
    }
    if rows.classes:
        return HistGradientBoostingClassifier(**shared)
    return HistGradientBoostingRegressor(loss=params["loss"], **shared)


@dataclass(frozen=True, eq=False)
class FittedHistGradientBoosting:
    """A fitted ensemble."""

    preprocessing: Preprocessing
    estimator: HistGradientBoostingClassifier | HistGradientBoostingRegressor
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return scikit-learn's answers."""
        features = self.preprocessing.transform(raw)
        with np.errstate(over="ignore", invalid="ignore"):  # scikit-learn looks for NaN by a sum, which may overflow
            answers = self.estimator.predict_proba(features) if self.classes else self.estimator.predict(features)
        return np.asarray(answers, dtype=np.float64)

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums of the trees, and for classes their probabilities."""
        # scikit-learn has no public way to the trees; the parity check would tell if these changed their meaning.
        rounds = self.estimator._predictors  # noqa: SLF001
        base = np.asarray(self.estimator._baseline_prediction, dtype=np.float64).reshape(-1)  # noqa: SLF001
        trees = [_tree(predictor.nodes) for predictors in rounds for predictor in predictors]
        output = np.tile(np.arange(len(base)), len(rounds))
        sums = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, base, output))
        return emit_probabilities(graph, sums, len(base)) if self.classes else sums

    def found(self) -> dict[str, int | bool]:
        """Return the number of rounds."""
        return {"rounds": int(self.estimator.n_iter_)}


def _tree(nodes: Any) -> DecisionTree:
    if nodes["is_categorical"].any():
        raise ExportRefusedError(
            "a tree divides a column by its categories, which a graph of thresholds cannot do", "give it codes instead"
        )
    leaf = nodes["is_leaf"].astype(np.bool_)
    return DecisionTree(
        feature=nodes["feature_idx"].astype(np.int64),
        threshold=nodes["num_threshold"].astype(np.float64),
        left=np.where(leaf, -1, nodes["left"].astype(np.int64)),
        right=np.where(leaf, -1, nodes["right"].astype(np.int64)),
        missing_left=nodes["missing_go_to_left"].astype(np.bool_),
        value=nodes["value"].astype(np.float64)[:, np.newaxis],
    )
