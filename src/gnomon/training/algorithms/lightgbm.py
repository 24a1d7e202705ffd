"""Gradient boosting of LightGBM: ``lightgbm``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import lightgbm
import numpy as np
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
from gnomon.training.trees import DecisionTree, TreeEnsemble, emit_ensemble, leaf

_DEFAULT_LEFT = 2
_MISSING_TYPE = 12
_MISSING_IS_NAN = 8
_INFINITE = 1e300
"""What LightGBM writes for an infinite threshold."""


def fit(rows: TrainingRows, params: Mapping[str, Any]) -> "FittedLightgbm":
    """Fit on the rows: the number of trees is found on inner rows first, then all rows are used."""
    preprocessing = fit_for_trees(rows.raw, rows.target, rows.classes)
    features = preprocessing.transform(rows.raw)
    target, base = _centred(rows)
    weights = class_weights(rows, params)
    settings = _settings(rows, params)
    rounds = params["n_estimators"]
    if (inner := inner_rows(rows, params["early_stopping_round"])) is not None:
        learning, watching = (
            lightgbm.Dataset(features[part], target[part], weight=None if weights is None else weights[part]) for part in inner
        )
        stop = lightgbm.early_stopping(params["early_stopping_round"], verbose=False)
        watched = lightgbm.train(settings, learning, rounds, valid_sets=[watching], callbacks=[stop])
        rounds = max(1, watched.best_iteration)
    booster = lightgbm.train(settings, lightgbm.Dataset(features, target, weight=weights), rounds)
    return FittedLightgbm(preprocessing, booster, base, rows.classes)


def cut(features: NDArray[np.float32], rows: TrainingRows) -> lightgbm.Dataset:
    """Return the rows cut into histograms, as every booster over them may share them: ``save_binary`` keeps them."""
    target, _ = _centred(rows)
    return lightgbm.Dataset(features, target, params=_CUTTING).construct()


def grow(plot: Plot, params: Mapping[str, Any], before: Grown, length: int, watch: Watch) -> Grown:
    """Grow a booster on to ``length`` rounds: the same trees as those of one long fit.

    Where rows or features are drawn for each tree, the draws begin anew every ``STOP`` rounds, so that stops change nothing.
    """
    draws = params["subsample"] < 1 or params["colsample_bytree"] < 1
    grown = before
    for _, stop in pieces(before.length, length, STOP) if draws else [(before.length, length)]:
        grown = _grown(plot, params, grown, stop, watch)
        if grown.length < stop:
            break
    return grown


def _grown(plot: Plot, params: Mapping[str, Any], before: Grown, length: int, watch: Watch) -> Grown:
    """Grow a booster on as a new one that begins with the scores of the one before."""
    rows = plot.rows
    outputs = rows.classes if rows.classes > 2 else 1
    _, base = _centred(rows)
    dataset = _dataset(plot, params, before, outputs)
    booster = lightgbm.Booster(_settings(rows, params) | {"seed": rows.seed + before.length}, dataset)
    watched = np.array(before.state.get("watched", np.zeros((len(plot.held_out), outputs))))
    for begin, end in pieces(before.length, length, PIECE):
        for _ in range(end - begin):
            booster.update()
        for tree in _trees_from(booster, (begin - before.length) * outputs, plot.held_out.floats):
            watched[:, tree.number % outputs] += tree.values[tree.leaves]
            if tree.number % outputs < outputs - 1:
                continue
            reached = before.length + tree.number // outputs + 1
            if not watch(reached, probabilities_of(watched, rows.classes) if rows.classes else watched[:, 0] + base):
                return Grown(reached)
    learnt = np.array(before.state.get("learnt", np.zeros((len(rows.target), outputs))))
    for first in range(0, len(learnt), _CHUNK):
        part = slice(first, first + _CHUNK)
        for tree in _trees_from(booster, 0, plot.learnt.floats[part]):
            learnt[part, tree.number % outputs] += tree.values[tree.leaves]
    return Grown(length, {"learnt": learnt, "watched": watched})


def _dataset(plot: Plot, params: Mapping[str, Any], before: Grown, outputs: int) -> lightgbm.Dataset:
    """Return the rows in histograms, with the scores that the trees so far give them."""
    bins = plot.learnt.bins
    dataset = lightgbm.Dataset(str(bins), params=_CUTTING).construct() if bins else cut(plot.learnt.floats, plot.rows)
    if (weights := class_weights(plot.rows, params)) is not None:
        dataset.set_weight(weights)
    if before.length:
        learnt = np.array(before.state["learnt"])
        dataset.set_init_score(learnt if outputs > 1 else learnt[:, 0])
    return dataset


@dataclass(frozen=True, eq=False)
class _RowsOfTree:
    """Which leaf each row falls into, and what the leaves add."""

    number: int
    leaves: NDArray[np.int64]
    values: Floats


def _trees_from(booster: lightgbm.Booster, first: int, features: NDArray[np.float32]) -> Iterator[_RowsOfTree]:
    """Yield the trees from the ``first`` on, with the leaves of the rows."""
    each = booster.num_model_per_iteration()
    if booster.num_trees() <= first:
        return
    leaves = booster.predict(features, pred_leaf=True, num_threads=1, start_iteration=first // each)
    columns = np.ascontiguousarray(np.asarray(leaves).reshape(len(features), -1).T.astype(np.int64))
    texts = _texts(booster)[first:]
    for number, (text, column) in enumerate(zip(texts, columns, strict=True), start=first):
        yield _RowsOfTree(number, column, _floats(_fields(text)["leaf_value"]))


def _centred(rows: TrainingRows) -> tuple[Floats, float]:
    """Return the target around its mean, and the mean: LightGBM keeps it in float32. Classes stay as they are."""
    base = 0.0 if rows.classes else float(rows.target.mean())
    return rows.target - base, base


_CUTTING = {"feature_pre_filter": False, "num_threads": 1, "verbosity": -1}
"""Nothing here depends on a candidate."""
_CHUNK = 65_536
"""Rows whose leaves are held at once."""


def _settings(rows: TrainingRows, params: Mapping[str, Any]) -> dict[str, Any]:
    settings = {name: value for name, value in params.items() if name not in _OURS}
    match rows.classes:
        case 0:
            settings |= {"objective": params["objective"]}
        case 2:
            settings |= {"objective": "binary"}
        case _:
            settings |= {"objective": "multiclass", "num_class": rows.classes}
    return settings | {
        "bagging_freq": int(params["subsample"] < 1),
        "seed": rows.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


_OURS = frozenset({"n_estimators", "early_stopping_round", "class_weight", "objective"})
"""Parameters that are not handed on as they are."""


@dataclass(frozen=True, eq=False)
class FittedLightgbm:
    """A fitted booster; ``base`` is added to its answers."""

    preprocessing: Preprocessing
    booster: lightgbm.Booster
    base: float
    classes: int

    def predict(self, raw: Matrices) -> Floats:
        """Return LightGBM's answers."""
        answers = np.asarray(self.booster.predict(self.preprocessing.transform(raw), num_threads=1), dtype=np.float64)
        return np.stack([1 - answers, answers], axis=1) if self.classes == 2 else answers + self.base

    def emit(self, graph: GraphBuilder) -> str:
        """Emit the sums of the trees, and for classes their probabilities."""
        outputs = self.classes if self.classes > 2 else 1
        trees = [_tree(text) for text in _texts(self.booster)]
        output = np.arange(len(trees)) % outputs
        sums = emit_ensemble(graph, self.preprocessing.emit(graph), TreeEnsemble(trees, np.full(outputs, self.base), output))
        return emit_probabilities(graph, sums, outputs) if self.classes else sums

    def found(self) -> dict[str, int | bool]:
        """Return the number of rounds."""
        return {"rounds": int(self.booster.current_iteration())}


def _texts(booster: lightgbm.Booster) -> list[str]:
    text: str = booster.model_to_string()
    return text.split("\nTree=")[1:]


def _fields(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.split("\n\n", 1)[0].splitlines()[1:])


def _tree(text: str) -> DecisionTree:
    """Return one tree of LightGBM's text format (version 4): inner nodes first, then leaves, numbered -1, -2 and so on."""
    fields = _fields(text)
    value = _floats(fields["leaf_value"])
    if len(value) == 1:
        return leaf(value)
    inner = len(value) - 1
    decision = _integers(fields["decision_type"])
    threshold = _floats(fields["threshold"])
    threshold = np.where(threshold >= _INFINITE, np.inf, threshold)
    missing_is_nan = decision & _MISSING_TYPE == _MISSING_IS_NAN
    # Where training saw no missing value, LightGBM takes a missing one for zero.
    missing_left = np.where(missing_is_nan, decision & _DEFAULT_LEFT > 0, threshold >= 0)
    left, right = (_children(fields[name], inner) for name in ("left_child", "right_child"))
    leaves = np.full(len(value), -1)
    return DecisionTree(
        feature=np.concatenate([_integers(fields["split_feature"]), np.zeros_like(leaves)]),
        threshold=np.concatenate([threshold, np.zeros(len(value))]),
        left=np.concatenate([left, leaves]),
        right=np.concatenate([right, leaves]),
        missing_left=np.concatenate([missing_left, np.zeros(len(value), dtype=np.bool_)]),
        value=np.concatenate([np.zeros(inner), value])[:, np.newaxis],
    )


def _children(text: str, inner: int) -> NDArray[np.int64]:
    children = _integers(text)
    return np.where(children < 0, inner + ~children, children)


def _integers(text: str) -> NDArray[np.int64]:
    return np.array(text.split(), dtype=np.int64)


def _floats(text: str) -> Floats:
    return np.array(text.split(), dtype=np.float64)
