from datetime import timedelta

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gnomon.errors import TrainingError
from gnomon.resources.model import Split
from gnomon.training.split import SplitKind, SplitRows, kind_of_split, split_rows

HOUR = 3_600_000_000


def all_of(parts: SplitRows) -> list[int]:
    return sorted(np.concatenate([parts.train, parts.validation, parts.test]).tolist())


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(60, 300),
    by=st.sampled_from(["time", "random", "stratified"]),
    seed=st.integers(0, 99),
    test=st.sampled_from([0.1, 0.2, 0.5]),
)
def test_every_row_is_in_exactly_one_part_and_the_seed_decides(rows: int, by: SplitKind, seed: int, test: float) -> None:
    draw = np.random.default_rng(seed)
    time, classes = draw.permutation(rows) * HOUR, draw.integers(3, size=rows)
    split = Split(test=test, seed=seed)
    parts = split_rows(split, by, rows, time=time, classes=classes)
    assert all_of(parts) == list(range(rows))
    assert len(parts.test) == pytest.approx(test * rows, abs=3)
    again = split_rows(split, by, rows, time=time, classes=classes)
    assert parts.train.tolist() == again.train.tolist()
    assert parts.test.dtype == np.int64


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 40), min_size=50, max_size=200), st.integers(0, 3))
def test_no_older_row_judges_a_newer_one_and_the_gap_is_kept(hours: list[int], gap: int) -> None:
    time = np.array(hours) * HOUR
    try:
        parts = split_rows(Split(gap=timedelta(hours=gap)), "time", len(time), time=time)
    except TrainingError:
        return
    for older, newer in ((parts.train, parts.validation), (parts.validation, parts.test)):
        between = time[newer].min() - time[older].max()
        assert between > 0
        assert between > gap * HOUR or not gap
    assert (np.diff(time[parts.train]) >= 0).all()


def test_each_class_has_its_share_of_every_part() -> None:
    classes = np.repeat([0, 1], [900, 100])
    parts = split_rows(Split(), "stratified", 1000, classes=classes)
    assert [int(classes[part].sum()) for part in (parts.train, parts.validation, parts.test)] == [64, 16, 20]


def test_another_seed_draws_other_rows() -> None:
    first, second = (split_rows(Split(seed=seed), "random", 100) for seed in (1, 2))
    assert first.test.tolist() != second.test.tolist()


def test_the_default_is_by_time_where_there_is_one() -> None:
    assert kind_of_split(Split(), "regression", "at") == "time"
    assert kind_of_split(Split(), "regression", None) == "random"
    assert kind_of_split(Split(), "classification", None) == "stratified"
    assert kind_of_split(Split(by="random"), "classification", "at") == "random"


@pytest.mark.parametrize(
    ("split", "task", "cause"),
    [
        (Split(by="time"), "regression", "declares no time column"),
        (Split(by="stratified"), "regression", "split.by is stratified"),
        (Split(gap=timedelta(days=1)), "regression", "split.gap needs an order of time"),
    ],
)
def test_a_split_that_does_not_fit_is_refused(split: Split, task: str, cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        kind_of_split(split, task, None)  # type: ignore[arg-type]  # a literal in the table above


@pytest.mark.parametrize(
    ("split", "rows", "cause"),
    [
        (Split(test=0.0), 100, "split.test is 0%"),
        (Split(validation=1.0), 100, "split.validation is 100%"),
        (Split(), 1, "1 rows divide into"),
        (Split(), 12, "12 rows divide into 8 training, 2 validation and 2 test rows"),
        (Split(test=0.001), 100, "0 test rows"),
    ],
)
def test_parts_without_enough_rows_are_refused(split: Split, rows: int, cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        split_rows(split, "random", rows)


def test_rows_of_one_moment_cannot_be_divided_by_time() -> None:
    with pytest.raises(TrainingError, match="0 training"):
        split_rows(Split(), "time", 100, time=np.zeros(100, dtype=np.int64))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=9, max_size=20), st.integers(0, 5))
def test_rows_of_a_group_stay_on_one_side(sizes: list[int], seed: int) -> None:
    codes = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    assume(len(codes) > 40)
    parts = split_rows(Split(by="group", column="g", seed=seed), "group", len(codes), groups=codes)
    sides = [set(codes[part].tolist()) for part in (parts.train, parts.validation, parts.test)]
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]
    assert sorted([*parts.train, *parts.validation, *parts.test]) == list(range(len(codes)))
    largest = np.bincount(codes).max()
    assert abs(len(parts.test) - 0.2 * len(codes)) <= largest


def test_one_group_alone_divides_into_nothing() -> None:
    with pytest.raises(TrainingError, match="0 validation and 0 test rows"):
        split_rows(Split(by="group", column="g"), "group", 40, groups=np.zeros(40, dtype=np.int64))
