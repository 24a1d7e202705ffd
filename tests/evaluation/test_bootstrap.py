from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.blocks import block_length
from gnomon.evaluation.bootstrap import (
    GAIN_BOUND,
    distributions,
    draws,
    interval,
    measured,
    relative_gain,
    resamples_for,
)
from gnomon.evaluation.metrics import METRICS, metrics_of

REGRESSION = metrics_of("regression")


def regression(seed: int, rows: int, noise: float = 1.0) -> Answers:
    rng = np.random.default_rng(seed)
    actual = rng.normal(size=rows)
    return Answers(actual, actual + noise * rng.normal(size=rows))


@given(st.integers(1, 300), st.integers(1, 50), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_every_resample_draws_as_many_rows_as_there_are(rows: int, resamples: int, seed: int) -> None:
    counts = np.concatenate(list(draws(rows, resamples, seed)))
    assert counts.shape == (resamples, rows)
    assert (counts.sum(axis=1) == rows).all()
    assert counts.min() >= 0


def test_the_same_seed_draws_the_same_rows() -> None:
    first, again, other = (distributions([regression(1, 200)], REGRESSION, 50, seed) for seed in (7, 7, 8))
    assert (first == again).all()
    assert (first != other).any()


def test_chunks_do_not_change_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = distributions([regression(1, 100)], REGRESSION, 50, 7)
    monkeypatch.setattr("gnomon.evaluation.bootstrap._CELLS_AT_ONCE", 700)
    in_chunks = distributions([regression(1, 100)], REGRESSION, 50, 7)
    # Sums are taken in another order of rows there, so the last bit may differ.
    assert in_chunks == pytest.approx(whole, rel=1e-12)


def test_fewer_resamples_are_drawn_of_many_rows() -> None:
    assert [resamples_for(rows) for rows in (1, 20_000, 50_000, 10**7)] == [1000, 1000, 400, 200]


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    """The true RMSE is 1; of 200 samples of 80 rows, 95 % intervals hold it in 190 or so; fewer than 170 happens never."""
    held = 0
    for seed in range(200):
        answers = regression(seed, 80)
        value = measured(answers, REGRESSION)[0]
        bounds = interval(float(value), distributions([answers], REGRESSION[:1], 200, seed)[0, 0])
        assert bounds.low <= value <= bounds.high
        held += bounds.low <= 1.0 <= bounds.high
    assert held >= 170


def test_an_undefined_figure_has_no_interval() -> None:
    bounds = interval(float("nan"), np.array([np.nan, 1.0]))
    assert np.isnan(bounds.low)
    assert np.isnan(bounds.high)


def test_resamples_where_a_figure_is_undefined_are_left_out_of_its_interval() -> None:
    bounds = interval(1.0, np.array([np.nan, 0.9, 1.1]))
    assert 0.9 <= bounds.low <= bounds.high <= 1.1


def test_gains_are_relative_and_positive_where_the_candidate_is_better() -> None:
    nine, ten, eleven, zero = (np.array([value]) for value in (9.0, 10.0, 11.0, 0.0))
    assert relative_gain("loss", nine, ten) == pytest.approx([0.1])
    assert relative_gain("score", eleven, ten) == pytest.approx([0.1])
    assert relative_gain("score", -nine, -ten) == pytest.approx([0.1])
    assert relative_gain("loss", zero, zero) == [0.0]
    assert relative_gain("loss", nine, zero) == [-GAIN_BOUND]
    assert np.isnan(relative_gain("loss", np.array([np.nan]), ten)[0])


def test_pairing_sees_a_small_difference_that_unpaired_intervals_hide() -> None:
    rng = np.random.default_rng(3)
    actual, hard = rng.normal(size=2000), rng.normal(size=2000) * rng.exponential(3, 2000)
    champion = Answers(actual, actual + hard)
    candidate = Answers(actual, actual + 0.98 * hard)
    rmse = (METRICS["rmse"],)
    ours, theirs = distributions([candidate, champion], rmse, 400, 7)[:, 0]
    assert interval(1.0, ours).high > interval(1.0, theirs).low
    assert (relative_gain("loss", ours, theirs) > 0.015).all()


def autoregressive(seed: int, rows: int, memory: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return a series in which each value remembers a share of the last one."""
    noise = np.random.default_rng(seed).normal(size=rows)
    series = np.empty(rows)
    series[0] = noise[0] / np.sqrt(1 - memory**2)
    for k in range(1, rows):
        series[k] = memory * series[k - 1] + noise[k]
    return series


def test_blocks_are_as_long_as_neighbours_resemble_each_other() -> None:
    lengths = [np.mean([block_length(autoregressive(seed, 1000, memory)) for seed in range(5)]) for memory in (0, 0.5, 0.9)]
    assert lengths[0] < 5 < lengths[1] < lengths[2] <= 3 * np.sqrt(1000)
    assert block_length(np.zeros(100)) == block_length(np.arange(5.0)) == block_length(np.full(100, np.nan)) == 1


def test_blocks_draw_as_many_rows_and_every_row_as_often() -> None:
    counts = np.concatenate(list(draws(30, 4000, 7, block=7)))
    assert set(counts.sum(axis=1)) == {30.0}
    assert counts.mean(axis=0) == pytest.approx(np.ones(30), abs=0.15)


def test_intervals_of_a_series_with_memory_cover_only_with_blocks() -> None:
    """Of 95% intervals of a mean whose truth is 0, drawn row by row about 60% cover at a memory of 0.7."""
    covered = dict.fromkeys((True, False), 0)
    for seed in range(40):
        series = autoregressive(seed, 600, 0.7)
        for whole in covered:
            block = block_length(series) if whole else 1
            means = np.concatenate([counts @ series for counts in draws(600, 200, seed, block)]) / 600
            low, high = np.quantile(means, [0.025, 0.975])
            covered[whole] += bool(low <= 0 <= high)
    assert covered[True] >= 33
    assert covered[False] <= 32
