import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.statistics.sketches import ACCURACY, LEAST_HASHES, Buckets, Distinct, RowSample, least_hashes

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=60)
HASHES = st.lists(st.integers(0, 2**64 - 1), max_size=60)


@given(NUMBERS, NUMBERS)
@settings(max_examples=60)
def test_buckets_of_parts_merge_into_those_of_the_whole(one: list[float], other: list[float]) -> None:
    whole = Buckets.of(np.array(one + other, dtype=np.float64))
    assert Buckets.of(np.array(one, dtype=np.float64)).merged(Buckets.of(np.array(other, dtype=np.float64))) == whole
    assert whole.count == len(one) + len(other)


@given(st.lists(st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-12), min_size=1, max_size=80), st.floats(0, 1))
@settings(max_examples=80)
def test_a_quantile_is_within_the_stated_accuracy(values: list[float], share: float) -> None:
    ranked = sorted(values)
    rank = share * (len(ranked) - 1)
    near = {ranked[int(np.floor(rank))], ranked[int(np.ceil(rank))]}
    (found,) = Buckets.of(np.array(values)).quantiles([share])
    assert any(abs(found - value) <= (ACCURACY + 1e-9) * abs(value) for value in near)


@pytest.mark.parametrize("size", [5e-324, 1e-300, 1.0, 1e300, 1.7976931348623157e308])
def test_the_extremes_of_floats_have_a_bucket(size: float) -> None:
    buckets = Buckets.of(np.array([-size, 0.0, size]))
    low, zero, high = buckets.quantiles([0, 0.5, 1])
    assert zero == 0
    assert low == -high
    assert np.isfinite(high)


@given(HASHES, HASHES)
@settings(max_examples=60)
def test_distinct_values_of_parts_merge_into_those_of_the_whole(one: list[int], other: list[int]) -> None:
    parts = [Distinct.of(np.array(values, dtype=np.uint64)) for values in (one, other)]
    assert parts[0].merged(parts[1]) == Distinct.of(np.array(one + other, dtype=np.uint64))
    assert parts[0].merged(parts[1]).count == len({*one, *other})


def test_many_distinct_values_are_estimated_to_a_few_percent() -> None:
    hashes = np.random.default_rng(3).integers(0, 2**64 - 1, 300_000, dtype=np.uint64)
    found = Distinct.of(hashes)
    assert not found.is_exact
    assert len(found.least) == LEAST_HASHES
    assert abs(found.count / 300_000 - 1) < 0.1


def test_the_least_hashes_are_the_same_with_and_without_the_cut() -> None:
    hashes = np.random.default_rng(5).integers(0, 2**64 - 1, 100_000, dtype=np.uint64)
    assert least_hashes(hashes, 100).tolist() == np.unique(hashes)[:100].tolist()
    few = np.repeat(hashes[:50], 2000)
    assert least_hashes(few, 100).tolist() == np.unique(hashes[:50]).tolist()


def test_samples_of_parts_merge_into_that_of_the_whole() -> None:
    def sample(rows: list[int]) -> RowSample:
        kept = sorted(set(rows))[:4]
        return RowSample(kept, [rows.count(row) for row in kept], {"x": [row * 10 for row in kept]}, 4)

    one, other = [1, 1, 5, 9], [2, 5, 7, 9, 9]
    both = sample(one).merged(sample(other))
    assert both == sample(one + other)
    assert not both.is_exact
    assert both.duplicates == pytest.approx(2 / 6)
