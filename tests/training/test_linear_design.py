import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import ElasticNet, LinearRegression, LogisticRegression, Ridge

from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.estimator_inputs import fit_for_linear
from gnomon.training.linear_design import Design
from gnomon.training.linear_solvers import elastic_net, least_squares, logistic
from gnomon.training.matrices import Matrices, matrices_of
from gnomon.training.preparation import target_values
from tests.training.tables import real_table


def learnt(name: str, rows: int = 3000) -> tuple[TrainingRows, NDArray[np.float64], Design]:
    prepared = real_table(name).prepared()
    facts = prepared.facts
    chosen = prepared.parts.train[:rows]
    raw: Matrices = matrices_of(prepared.table, facts.features).take(chosen)
    target = target_values(prepared.table, facts)[chosen]
    preprocessing = fit_for_linear(raw)
    written = preprocessing.transform(raw).astype(np.float64)
    return TrainingRows(raw, target, len(facts.classes), facts.ordered, 1), written, Design(preprocessing, raw)


@pytest.mark.parametrize("block", [7, 65_536])
def test_products_are_those_of_the_design_written_out(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gnomon.training.linear_design.BLOCK_ROWS", block)
    rows, written, design = learnt("delays", 300)
    draw = np.random.default_rng(1)
    weights, values = draw.normal(size=(design.width, 2)), draw.normal(size=(len(rows.target), 3))
    assert written.shape == (len(design), design.width)
    np.testing.assert_allclose(design.times(weights), written @ weights, atol=1e-9)
    np.testing.assert_allclose(design.transposed_times(values), written.T @ values, atol=1e-9)
    np.testing.assert_allclose(design.gram(), written.T @ written, atol=1e-8)


@pytest.mark.parametrize("name", ["delays", "diabetes", "body-mass"])
@pytest.mark.parametrize("alpha", [0.0, 0.01, 10.0])
def test_least_squares_answers_as_scikit_learn_does(name: str, alpha: float) -> None:
    rows, written, design = learnt(name)
    theirs = (Ridge(alpha=alpha) if alpha else LinearRegression()).fit(written, rows.target)
    ours = least_squares(design, rows.target, alpha).of(written.astype(np.float32))[:, 0]
    np.testing.assert_allclose(ours, theirs.predict(written), atol=1e-6 * rows.target.std())


@pytest.mark.parametrize("name", ["delays", "diabetes"])
@pytest.mark.parametrize(("alpha", "share"), [(0.01, 1.0), (0.1, 0.5), (0.02, 0.0), (5.0, 1.0)])
def test_an_elastic_net_answers_as_scikit_learn_does(name: str, alpha: float, share: float) -> None:
    rows, written, design = learnt(name)
    target = (rows.target - rows.target.mean()) / rows.target.std()
    theirs = (ElasticNet(alpha=alpha, l1_ratio=share, tol=1e-6) if share else Ridge(alpha * len(target))).fit(written, target)
    ours, converged = elastic_net(design, target, alpha, share, 1000)
    assert converged
    np.testing.assert_allclose(ours.of(written.astype(np.float32))[:, 0], theirs.predict(written), atol=0.01)
    assert np.count_nonzero(ours.weights) == np.count_nonzero(theirs.coef_) or alpha < 1
    assert elastic_net(design, target, 1e-6, 1.0, 1)[1] is False


@pytest.mark.parametrize("name", ["late", "species", "wine"])
def test_logistic_regression_answers_as_scikit_learn_does(name: str) -> None:
    rows, written, design = learnt(name)
    counts = np.bincount(rows.target.astype(np.int64))
    weights = (len(rows.target) / (len(counts) * counts))[rows.target.astype(np.int64)]
    theirs = LogisticRegression(C=0.5, max_iter=1000).fit(written, rows.target, sample_weight=weights)
    ours, converged = logistic(design, rows.target.astype(np.int64), rows.classes, weights, 0.5, 1000)
    assert converged
    np.testing.assert_allclose(
        ours.of(written.astype(np.float32)), theirs.decision_function(written).reshape(len(written), -1), atol=0.02
    )
    stopped, converged = logistic(design, rows.target.astype(np.int64), rows.classes, weights, 0.5, 2)
    assert not converged
    assert stopped.weights.shape == ours.weights.shape
