import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.training.algorithms.interface import TrainingRows
from gnomon.training.matrices import Matrices
from gnomon.training.row_cap import capped_rows, told_cap


def rows_of(target: list[int], classes: int) -> TrainingRows:
    floats = np.arange(len(target), dtype=np.float32)[:, np.newaxis]
    raw = Matrices.of(floats, np.zeros((len(target), 0), np.int64), np.zeros((len(target), 0), object))
    return TrainingRows(raw, np.array(target, dtype=np.float64), classes, ordered=False, seed=3)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=5, max_size=300), st.integers(5, 100))
def test_rows_keep_their_order_and_classes_their_shares(target: list[int], most: int) -> None:
    known, places = np.unique(target, return_inverse=True)
    rows = rows_of(places.tolist(), len(known))
    used = capped_rows(rows, most)
    assert len(used.target) == min(most, len(target))
    kept = used.raw.floats[:, 0].astype(int)
    assert (np.diff(kept) > 0).all()
    np.testing.assert_array_equal(used.target, rows.target[kept])
    before, after = np.bincount(places), np.bincount(used.target.astype(int), minlength=len(known))
    assert (after > 0).all()
    assert np.abs(after - before * len(kept) / len(target)).max() <= len(known) + 1


def test_values_are_drawn_by_the_seed_and_told() -> None:
    rows = rows_of(list(range(1000)), 0)
    used = capped_rows(rows, 100)
    np.testing.assert_array_equal(used.target, capped_rows(rows, 100).target)
    assert 300 < used.target.mean() < 700
    assert told_cap(rows, used) == {"rowsGiven": 1000, "rowsUsed": 100}
    assert told_cap(rows, capped_rows(rows, 1000)) == {}


def test_more_classes_than_rows_keep_a_row_each() -> None:
    assert len(capped_rows(rows_of(list(range(20)) * 2, 20), 10).target) == 20
