"""Gradient boosting of XGBoost: ``xgboost``, for installations with ``gnomon[xgboost]``."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from gnomon.features.graph import GraphBuilder
from gnomon.training.algorithms.growth import PIECE, Grown, Plot, Watch, pieces
from gnomon.training.algorithms.interface import Floats, TrainingRows, class_weights
from gnomon.training.early_stopping import inner_rows
from gnomon.training.estimator_inputs import fit_for_trees
from gnomon.training.links import emit_probabilities, probabilities_of
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import Preprocessing
from gnomon.training.stops import STOP
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble

_OURS = frozenset({"n_estimators", "early_stopping_rounds", "class_weight", "objective"})
"""Parameters that are not handed on as they are."""
_DRAWING = ("subsample", "colsample_bytree")
"""Shares of the rows and features that each tree is given."""
_SURE = 1e-6
"""The start of two classes is held this far from certainty."""


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedXgboost":
    """Fit on the rows: the number of trees is found on inner rows first, then all rows are used."""
    preprocessing = fit_for_trees(rows.raw, rows.target, rows.classes)
    features = preprocessing.transform(rows.raw)
    # XGBoost keeps targets and sums in float32: around the mean, that is enough.
    mean = 0.0 if rows.classes else float(rows.target.mean())
    target = rows.target - mean
    weights = class_weights(rows, params)
    start = _start(rows, weights)
    settings = _settings(rows, params) | {"base_score": start}
    rounds = params["n_estimators"]
    if (inner := inner_rows(rows, params["early_stopping_rounds"])) is not None:
        learning, watching = (_data(features, target, weights, part) for part in inner)
        watched = xgboost.train(
            settings,
            learning,
            rounds,
            evals=[(watching, "watched")],
            early_stopping_rounds=params["early_stopping_rounds"],
            verbose_eval=False,
        )
        rounds = watched.best_iteration + 1
    booster = xgboost.train(settings, _data(features, target, weights, np.arange(len(target))), rounds)
    base = float(np.log(start / (1 - start))) if rows.classes == 2 else mean
    return FittedXgboost(preprocessing, booster, base, rows.classes)


def grow(plot: Plot, params: Mapping[str, Any], before: Grown, length: int, watch: Watch) -> Grown:
    """Grow a booster on to ``length`` rounds: the same trees as those of one long fit.

    Where rows or features are drawn for each tree, the draws begin anew every ``STOP`` rounds, so that stops change nothing.
    """
    rows, features = plot.rows, plot.learnt.floats
    mean = 0.0 if rows.classes else float(rows.target.mean())
    weights = class_weights(rows, params)
    start = _start(rows, weights)
    settings = _settings(rows, params) | {"base_score": start}
    booster: Any = xgboost.Booster(model_file=bytearray(before.state["model"].tobytes())) if before.length else None
    everything = _data(features, rows.target - mean, weights, np.arange(len(rows.target)))
    held_out = xgboost.DMatrix(plot.held_out.floats, nthread=1)
    base = float(np.log(start / (1 - start))) if rows.classes == 2 else start
    empty = np.full((len(plot.held_out), rows.classes if rows.classes > 2 else 1), base)
    watched = np.array(before.state.get("watched", empty))
    draws = any(params[name] < 1 for name in _DRAWING)
    for begin, end in pieces(before.length, length, STOP if draws else PIECE):
        booster = xgboost.train(settings | {"seed": rows.seed + draws * begin}, everything, end - begin, xgb_model=booster)
        for round_ in range(begin, end):
            added = booster.predict(held_out, output_margin=True, iteration_range=(round_, round_ + 1))
            watched += np.asarray(added, dtype=np.float64).reshape(empty.shape) - base
            if not watch(round_ + 1, probabilities_of(watched, rows.classes) if rows.classes else watched[:, 0] + mean):
                return Grown(round_ + 1)
    model = np.frombuffer(bytes(booster.save_raw("ubj")), dtype=np.uint8)
    return Grown(length, {"model": model, "watched": watched})


def _data(features: NDArray[np.float32], target: Floats, weights: Floats | None, part: NDArray[np.int64]) -> xgboost.DMatrix:
    return xgboost.DMatrix(features[part], label=target[part], weight=None if weights is None else weights[part], nthread=1)


def _start(rows: TrainingRows, weights: Floats | None) -> float:
    """Return what the trees add to, in XGBoost's float32: the share of the second of two classes, else a constant.

    Left to itself, XGBoost estimates it in ways that change with its version.
    """
    if rows.classes != 2:
        return 0.5 if rows.classes else 0.0
    share = float(np.average(rows.target, weights=weights))
    return float(np.float32(np.clip(share, _SURE, 1 - _SURE)))


def _settings(rows: TrainingRows, params: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in params.items() if name not in _OURS}
    match rows.classes:
        case 0:
            settings |= {"objective": params["objective"]}
        case 2:
            settings |= {"objective": "binary:logistic"}
        case _:
            settings |= {"objective": "multi:softprob", "num_class": rows.classes}
    return settings | {"tree_method": "hist", "seed": rows.seed, "nthread": 1, "verbosity": 0}


@dataclass(frozen=True, eq=False)
class FittedXgboost:
    """A fitted booster; ``base`` is the mean of the target, or of two classes the log-odds that the trees add to."""

    preprocessing: Preprocessing
    booster: xgboost.Booster
    base: float
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return XGBoost's answers."""
        rows = xgboost.DMatrix(self.preprocessing.transform(raw), nthread=1)
        answers = np.asarray(self.booster.predict(rows), dtype=np.float64)
        if self.classes == 2:
            return np.stack([1 - answers, answers], axis=1)
        return answers if self.classes else answers + self.base

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums of the trees, and for classes their probabilities."""
        model = json.loads(self.booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        outputs = self.classes if self.classes > 2 else 1
        trees = [_tree(tree) for tree in model["trees"]]
        output = np.array(model["tree_info"], dtype=np.int64)
        base = np.full(outputs, 0.0 if outputs > 1 else self.base)
        sums = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, base, output))
        return emit_probabilities(graph, sums, outputs) if self.classes else sums

    def found(self) -> dict[str, int | bool]:
        """Return the number of rounds."""
        return {"rounds": int(self.booster.num_boosted_rounds())}


def _tree(tree: Mapping[str, Any]) -> DecisionTree:
    """Return one tree of XGBoost's JSON; a leaf keeps its value where an inner node keeps its threshold."""
    left = np.array(tree["left_children"], dtype=np.int64)
    condition = np.array(tree["split_conditions"], dtype=np.float32)
    return DecisionTree(
        feature=np.array(tree["split_indices"], dtype=np.int64),
        threshold=_below(condition).astype(np.float64),
        left=left,
        right=np.array(tree["right_children"], dtype=np.int64),
        missing_left=np.array(tree["default_left"], dtype=np.bool_),
        value=np.where(left < 0, condition, 0).astype(np.float64)[:, np.newaxis],
    )


def _below(threshold: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the next float32 below: XGBoost goes left where x < threshold, the graph where x <= threshold."""
    return np.nextafter(threshold, np.float32(-np.inf))
