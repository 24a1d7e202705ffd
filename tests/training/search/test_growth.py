"""Stopping and growing on gives what one long fit gives, bit for bit."""

from collections.abc import Callable, Mapping
from typing import Any

import lightgbm as lightgbm_library
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import ExtraTreesRegressor, RandomForestClassifier

from gnomon.resources.learning import Algorithm, Task
from gnomon.resources.model import ModelSpec
from gnomon.training.algorithms import forest, hist_gradient_boosting, lightgbm, xgboost
from gnomon.training.algorithms.growth import Grown, Plot, Watch
from gnomon.training.algorithms.interface import Floats, TrainingRows
from gnomon.training.candidates import expand
from gnomon.training.encoded import encoded

_GROW: Mapping[str, Callable[[Plot, Mapping[str, Any], Grown, int, Watch], Grown]] = {
    "lightgbm": lightgbm.grow,
    "hist-gradient-boosting": hist_gradient_boosting.grow,
    "xgboost": xgboost.grow,
    "random-forest": lambda plot, *rest: forest.grow(plot, "random-forest", *rest),
    "extra-trees": lambda plot, *rest: forest.grow(plot, "extra-trees", *rest),
}


def plot_of(classes: int) -> Plot:
    draw = np.random.default_rng(3)
    features = draw.normal(size=(900, 5)).astype(np.float32)
    features[draw.random(features.shape) < 0.1] = np.nan
    score = np.nan_to_num(features[:, 0]) + np.sin(3 * np.nan_to_num(features[:, 1])) + draw.normal(size=900) / 3
    target = score * 1e5 + 1e6 if not classes else np.digitize(score, [0.0] if classes == 2 else [-0.7, 0.7]).astype(np.float64)
    learnt = encoded(features[:600])
    return Plot(TrainingRows(learnt, target[:600], classes, ordered=True, seed=7), learnt, encoded(features[600:]))


def params_of(algorithm: Algorithm, task: Task, **params: Any) -> Mapping[str, Any]:
    declared = {"task": task, "dataset": "d", "target": "t", "candidates": [{"algorithm": algorithm, "params": params}]}
    return expand(ModelSpec.model_validate(declared, strict=False))[0].params


def watched(algorithm: str, plot: Plot, params: Mapping[str, Any], *stops: int) -> dict[int, Floats]:
    """Return the answers of an ensemble that was stopped there, by its length."""
    seen: dict[int, Floats] = {}
    grown = Grown()
    for stop in stops:
        grown = _GROW[algorithm](plot, params, grown, stop, lambda length, answers: _kept(seen, length, answers))
        # What lies between two processes: arrays, written and read again, which may not be written to.
        grown = Grown(grown.length, {name: _read_only(array) for name, array in grown.state.items()})
    return seen


def _kept(seen: dict[int, Floats], length: int, answers: Floats) -> bool:
    seen[length] = answers.copy()
    return True


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    copy = np.array(array)
    copy.setflags(write=False)
    return copy


@pytest.mark.parametrize("classes", [0, 2, 3])
@pytest.mark.parametrize(
    ("algorithm", "draws"),
    [
        ("lightgbm", {}),
        ("lightgbm", {"subsample": 0.7, "colsample_bytree": 0.6}),
        ("hist-gradient-boosting", {}),
        ("hist-gradient-boosting", {"max_features": 0.5}),
        ("xgboost", {}),
        ("xgboost", {"subsample": 0.7, "colsample_bytree": 0.6}),
        ("random-forest", {"max_depth": 5}),
        ("extra-trees", {"max_depth": 5}),
    ],
)
def test_growing_on_equals_one_long_fit(algorithm: Algorithm, draws: Mapping[str, Any], classes: int) -> None:
    plot = plot_of(classes)
    params = params_of(algorithm, "classification" if classes else "regression", **draws)
    whole, parts = watched(algorithm, plot, params, 25), watched(algorithm, plot, params, 5, 15, 25)
    assert parts.keys() >= whole.keys()
    for length, answers in whole.items():
        np.testing.assert_array_equal(parts[length], answers, err_msg=str(length))


@pytest.mark.parametrize("algorithm", ["lightgbm", "hist-gradient-boosting", "xgboost"])
def test_a_booster_stops_where_its_watch_says_so(algorithm: Algorithm) -> None:
    plot, seen = plot_of(2), list[int]()
    for draws in ({}, {"max_features": 0.5} if algorithm == "hist-gradient-boosting" else {"subsample": 0.7}):
        seen.clear()

        def watch(length: int, _: Floats) -> bool:
            seen.append(length)
            return length < 33

        grown = _GROW[algorithm](plot, params_of(algorithm, "classification", **draws), Grown(), 200, watch)
        assert seen == list(range(1, 34))
        assert grown.length == 33


@pytest.mark.parametrize("classes", [0, 2, 3])
def test_a_booster_that_grew_on_is_the_one_that_the_library_fits(classes: int) -> None:
    plot = plot_of(classes)
    params = params_of("lightgbm", "classification" if classes else "regression", num_leaves=7)
    kinds: dict[int, dict[str, Any]] = {0: {"objective": "regression"}, 2: {"objective": "binary"}}
    objective = kinds.get(classes, {"objective": "multiclass", "num_class": classes})
    settings: dict[str, Any] = {
        "num_leaves": 7,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        "seed": 7,
    }
    base = 0.0 if classes else float(plot.rows.target.mean())
    rows = lightgbm_library.Dataset(plot.learnt.floats, plot.rows.target - base, params={"feature_pre_filter": False})
    booster = lightgbm_library.train(settings | objective, rows, 25)
    answers = np.asarray(booster.predict(plot.held_out.floats)) + base
    grown = watched("lightgbm", plot, params, 10, 25)[25]
    # The trees are the same bit for bit; the exponentials of NumPy and of LightGBM are not.
    np.testing.assert_allclose(grown[:, 1] if classes == 2 else grown, answers, rtol=1e-13 if classes else 0)


def test_a_forest_that_grew_on_is_the_one_that_the_library_fits() -> None:
    for classes, algorithm, kind in ((3, "random-forest", RandomForestClassifier), (0, "extra-trees", ExtraTreesRegressor)):
        plot = plot_of(classes)
        params = params_of(algorithm, "classification" if classes else "regression", n_estimators=20, max_depth=5)  # type: ignore[arg-type]  # both are algorithms
        fitted = kind(random_state=7, **{name: value for name, value in params.items() if name != "class_weight"})
        fitted.fit(np.array(plot.learnt.floats), plot.rows.target)
        answers = fitted.predict_proba(plot.held_out.floats) if classes else fitted.predict(plot.held_out.floats)
        np.testing.assert_array_equal(watched(algorithm, plot, params, 5, 20)[20], answers)


def test_a_booster_without_anything_to_split_grows_on_as_it_is() -> None:
    learnt = encoded(np.zeros((300, 1), dtype=np.float32))
    rows = TrainingRows(learnt, np.arange(300.0), 0, ordered=True, seed=7)
    seen = watched("lightgbm", Plot(rows, learnt, learnt), params_of("lightgbm", "regression"), 5, 10)
    assert {float(answers[0]) for answers in seen.values()} <= {149.5}
