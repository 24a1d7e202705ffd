import numpy as np
from sklearn.datasets import load_wine
from sklearn.naive_bayes import CategoricalNB, GaussianNB

from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.algorithms.naive_bayes import FittedNaiveBayes, fit
from gnomon.training.matrices import Matrices
from tests.training.graphs import numbers, run_emitted

PARAMS = {"var_smoothing": 1e-3, "alpha": 0.5, "class_weight": "none"}


def fitted_on(
    floats: np.ndarray, strings: np.ndarray, target: np.ndarray, class_weight: str = "none"
) -> tuple[FittedNaiveBayes, Matrices]:
    raw = Matrices.of(floats.astype(np.float32), np.zeros((len(target), 0), np.int64), strings.astype(object))
    rows = TrainingRows(raw, target.astype(np.float64), len(np.unique(target)), ordered=False, seed=1)
    return fit(rows, PARAMS | {"class_weight": class_weight}), raw


def nothing(rows: int) -> np.ndarray:
    return np.zeros((rows, 0))


def test_numbers_alone_are_scikit_learns_gaussian() -> None:
    bunch = load_wine()
    fitted, raw = fitted_on(bunch.data, nothing(len(bunch.data)), bunch.target)
    standard = (bunch.data - bunch.data.mean(axis=0)) / bunch.data.std(axis=0)
    theirs = GaussianNB(var_smoothing=1e-3).fit(standard, bunch.target)
    np.testing.assert_allclose(fitted.predict(raw), theirs.predict_proba(standard), atol=1e-5)
    assert fitted.found() == {"numbers": 13, "categories": 0}


def test_text_alone_is_counted_as_scikit_learn_counts() -> None:
    draw = np.random.default_rng(1)
    codes = draw.integers(0, 3, size=(300, 2))
    target = (codes[:, 0] + draw.integers(0, 2, size=300)) % 3
    fitted, raw = fitted_on(nothing(300), np.array(["a", "b", "c"])[codes], target)
    # Besides the three there are missing text, any other text, and the missing number that other categories have.
    theirs = CategoricalNB(alpha=0.5, min_categories=6).fit(codes, target)
    np.testing.assert_allclose(fitted.predict(raw), theirs.predict_proba(codes), atol=1e-12)


def test_numbers_that_are_only_0_or_1_and_missing_ones_are_categories() -> None:
    draw = np.random.default_rng(2)
    target = draw.integers(0, 2, size=400)
    flag = np.where(draw.random(400) < 0.9, target, 1 - target).astype(float)
    number = np.where(draw.random(400) < 0.2 + 0.6 * target, np.nan, draw.normal(size=400))
    fitted, raw = fitted_on(np.stack([flag, number], axis=1), nothing(400), target)
    assert fitted.found() == {"numbers": 1, "categories": 2}
    answers = fitted.predict(raw)[:, 1]
    sure = answers[(flag == 1) & np.isnan(number)]
    doubtful = answers[(flag == 1) & ~np.isnan(number)]
    assert sure.min() > 0.9
    assert doubtful.mean() < sure.mean()


def test_a_wild_value_does_not_outweigh_everything_else() -> None:
    bunch = load_wine()
    fitted, raw = fitted_on(bunch.data, nothing(len(bunch.data)), bunch.target)
    wild, held = numbers(raw.floats), numbers(raw.floats)
    wild.floats[:, 0] = 3e38
    held.floats[:, 0] = bunch.data[:, 0].mean() + 16 * bunch.data[:, 0].std()
    np.testing.assert_allclose(fitted.predict(wild), fitted.predict(held), atol=1e-4)
    np.testing.assert_allclose(run_emitted(fitted.emit, wild, 3), fitted.predict(wild), atol=1e-6)


def test_balanced_classes_have_equal_priors() -> None:
    draw = np.random.default_rng(3)
    target = (draw.random(500) < 0.05).astype(int)
    strings = np.array(["same", "other"])[draw.integers(0, 2, size=(500, 1))]
    plain, raw = fitted_on(nothing(500), strings, target)
    balanced, _ = fitted_on(nothing(500), strings, target, "balanced")
    assert plain.predict(raw)[:, 1].mean() < 0.1
    assert 0.4 < balanced.predict(raw)[:, 1].mean() < 0.6
