import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import TrainingError
from gnomon.features.calendar_parts import PARTS
from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.training.estimator_inputs import fit_for_linear, fit_for_trees
from gnomon.training.matrices import Matrices
from gnomon.training.preprocessing import (
    Block,
    CalendarNumbers,
    CalendarWaves,
    Numbers,
    OneHot,
    OrderedCodes,
    Preprocessing,
    StandardisedNumbers,
)
from tests.strategies.raw_rows import raw_rows
from tests.training.graphs import run_emitted, same_bits

SCALED = StandardisedNumbers((1, 0), fill=(0.5, -2.0), mean=(0.1, 1e9), scale=(3.0, 1e-6), flagged=(0, 1))
BLOCKS: tuple[Block, ...] = (
    Numbers((1, 0)),
    SCALED,
    OrderedCodes(0, {"": 1.0, "a": 0.0, "c": 3.0}, other=2.0),
    OneHot(0, ("", "a", "b")),
    OneHot(0, ("c",)),
    CalendarNumbers(0, PARTS),
    CalendarWaves(0, ("hour", "weekday", "day_of_month", "month")),
)


@settings(max_examples=40, deadline=None)
@given(raw=raw_rows(), blocks=st.lists(st.sampled_from(BLOCKS), min_size=1, unique_by=id))
def test_numpy_and_onnx_give_the_same_bits(raw: Matrices, blocks: list[Block]) -> None:
    preprocessing = Preprocessing(tuple(blocks))
    expected = preprocessing.transform(raw)
    assert same_bits(expected, run_emitted(preprocessing.emit, raw, expected.shape[1]))


@settings(max_examples=25, deadline=None)
@given(train=raw_rows(least=5), seen=raw_rows(), target=st.integers(0, 2**32 - 1), family=st.sampled_from(["linear", "trees"]))
def test_what_is_fitted_on_any_rows_gives_the_same_bits_on_any_others(
    train: Matrices, seen: Matrices, target: int, family: str
) -> None:
    classes = np.random.default_rng(target).integers(3, size=len(train)).astype(np.float64)
    classes[:3] = [0, 1, 2]
    try:
        preprocessing = fit_for_linear(train) if family == "linear" else fit_for_trees(train, classes, 3)
    except TrainingError:
        return
    expected = preprocessing.transform(seen)
    assert same_bits(expected, run_emitted(preprocessing.emit, seen, expected.shape[1]))
    if family == "linear":
        assert np.isfinite(expected).all()


def rows_of_text(*texts: str) -> Matrices:
    count = len(texts)
    strings = np.array(texts, dtype=object).reshape(-1, 1)
    return Matrices.of(np.zeros((count, 0), np.float32), np.zeros((count, 0), np.int64), strings)


def rows_of_numbers(*numbers: float) -> Matrices:
    count = len(numbers)
    floats = np.array(numbers, dtype=np.float32).reshape(-1, 1)
    return Matrices.of(floats, np.zeros((count, 0), np.int64), np.zeros((count, 0), object))


def test_codes_stand_in_the_order_of_the_target_and_rare_levels_share_the_mean() -> None:
    train = rows_of_text(*["high"] * 30, *["low"] * 30, *["middle"] * 30, *[f"rare-{i}" for i in range(10)])
    target = np.array([9.0] * 30 + [1.0] * 30 + [4.0] * 30 + [4.9] * 10)
    codes = fit_for_trees(train, target, 0).transform(rows_of_text("low", "middle", "rare-3", "unseen", "high"))[:, 0]
    assert list(np.argsort(codes, kind="stable")) == [0, 1, 2, 3, 4]
    assert codes[2] == codes[3]


def test_missing_text_has_its_own_code() -> None:
    train = rows_of_text(*["a"] * 30, *[""] * 30, *["b"] * 30)
    codes = fit_for_trees(train, np.repeat([0.0, 5.0, 9.0], 30), 0).transform(rows_of_text("a", "", "b"))[:, 0]
    assert codes[0] < codes[1] < codes[2]


def test_at_most_255_levels_have_codes_of_their_own() -> None:
    train = rows_of_text(*[f"{level:03}" for level in range(400) for _ in range(25 + level)])
    target = np.arange(len(train), dtype=np.float64)
    codes = fit_for_trees(train, target, 0).transform(rows_of_text(*[f"{level:03}" for level in range(400)]))
    assert len(np.unique(codes)) == 256
    assert len(np.unique(codes[:145])) == 1


def test_an_infinite_number_is_a_missing_one() -> None:
    features = Numbers((0,)).transform(rows_of_numbers(np.inf, -np.inf, 3.0))
    assert np.isnan(features[:2]).all()
    assert features[2] == 3


def test_a_missing_number_is_filled_and_flagged_for_linear_models() -> None:
    preprocessing = fit_for_linear(rows_of_numbers(1, 2, 3, np.nan, 10))
    features = preprocessing.transform(rows_of_numbers(np.nan, 2.5))
    assert features.shape == (2, 2)
    assert features[0, 0] == features[1, 0]
    assert features[:, 1].tolist() == [1, 0]


def test_extreme_numbers_stay_finite_for_linear_models() -> None:
    features = fit_for_linear(rows_of_numbers(1e-30, 2e-30, 3e-30)).transform(rows_of_numbers(3e38, -3e38))
    assert features[:, 0].tolist() == [1e6, -1e6]


@pytest.mark.parametrize("raw", [rows_of_numbers(2, 2, 2), rows_of_text("a", "a"), rows_of_numbers(np.nan, np.nan)])
def test_rows_without_any_variation_are_refused(raw: Matrices) -> None:
    for fit in (fit_for_linear, lambda rows: fit_for_trees(rows, np.arange(len(raw), dtype=np.float64), 0)):
        with pytest.raises(TrainingError, match="no feature varies"):
            fit(raw)


def stamped(*days: int) -> Matrices:
    stamps = np.array(days, dtype=np.int64).reshape(-1, 1) * 86_400_000_000
    return Matrices.of(np.zeros((len(days), 0), np.float32), stamps, np.zeros((len(days), 0), object))


def test_the_season_is_used_once_the_rows_cover_a_year() -> None:
    weeks = stamped(*range(60))
    years = stamped(*range(0, 800, 3))
    blocks = [fit_for_trees(rows, np.arange(len(rows), dtype=np.float64), 0).blocks[0] for rows in (weeks, years)]
    assert blocks[0] == CalendarNumbers(0, ("weekday",))
    assert blocks[1] == CalendarNumbers(0, ("weekday", "day_of_month", "day_of_year"))


def test_a_missing_timestamp_is_missing_for_trees_and_flagged_for_linear_models() -> None:
    missing = stamped(0)
    missing.ints[:] = MISSING_TIMESTAMP
    assert np.isnan(CalendarNumbers(0, ("hour", "month")).transform(missing)).all()
    assert CalendarWaves(0, ("hour",)).transform(missing).tolist() == [[0, 0, 0, 0, 1]]
