import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.training.texts import Texts, encoded_texts, joined, texts_of
from tests.strategies.raw_rows import TEXTS

MATRICES = st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=12).map(lambda rows: np.array(rows, dtype=object))


@settings(max_examples=50, deadline=None)
@given(MATRICES, MATRICES)
def test_coded_texts_are_the_texts_also_joined_and_counted(first: np.ndarray, second: np.ndarray) -> None:
    one, other = texts_of(first), texts_of(second)
    assert (one.decoded() == first).all()
    both = joined([one, other, one.take(np.array([0]))])
    whole = np.concatenate([first, second, first[:1]])
    assert (both.decoded() == whole).all()
    for column in range(2):
        counts = both.counts(column)
        assert counts.sum() == len(whole)
        assert counts[0] == np.count_nonzero(whole[:, column] == "")
        keys = ["a", "", "never"]
        values = both.replaced(column, keys, np.array([1, 2, 3]), 9)
        assert values.tolist() == [{"a": 1, "": 2, "never": 3}.get(text, 9) for text in whole[:, column]]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["b", None, "", "a", "b"]),
        pa.array(["b", None, "", "a", "b"]).dictionary_encode(),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, None, 2, 1]), pa.array(["", "b", "a"])),
        pa.DictionaryArray.from_arrays(pa.array([1, 0, 0, 2, 1]), pa.array(["", "b", "a"])),
    ],
)
def test_any_column_of_texts_is_coded_with_the_empty_one_first(column: pa.Array) -> None:
    codes, names = encoded_texts(column)
    assert names[0].as_py() == ""
    assert [names[int(code)].as_py() for code in codes] == ["b", "", "", "a", "b"]
    assert len(set(names.to_pylist())) == len(names)


def test_rows_without_text_columns_have_none() -> None:
    assert Texts.none(3).decoded().shape == (3, 0)
