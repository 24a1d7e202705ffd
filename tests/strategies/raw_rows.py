"""Rows as a graph takes them: missing values, both zeros, huge and infinite numbers, unseen text, the ends of the calendar."""

import numpy as np
from hypothesis import strategies as st

from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.training.matrices import Matrices

FLOATS = st.one_of(
    st.sampled_from([np.nan, 0.0, -0.0, 1.0, np.inf, -np.inf, 3.4e38, -3.4e38, 1e-40, 16_777_217.0]),
    st.floats(width=32),
    st.integers(-5, 5).map(float),
)
STAMPS = st.one_of(
    st.sampled_from([MISSING_TIMESTAMP, MISSING_TIMESTAMP + 1, 2**63 - 1, 0, -1, 951_782_400_000_000, 1_709_251_199_999_999]),
    st.integers(-(2**63), 2**63 - 1),
    st.integers(-4_000_000_000_000_000, 4_000_000_000_000_000),
)
TEXTS = st.one_of(st.sampled_from(["", "a", "b", "c", "A", " a"]), st.text(st.characters(codec="utf-8"), max_size=3))


@st.composite
def raw_rows(draw: st.DrawFn, floats: int = 2, ints: int = 1, strings: int = 1, least: int = 1, most: int = 30) -> Matrices:
    """Draw rows with this many columns of each kind."""
    rows = draw(st.integers(least, most))

    def matrix(values: st.SearchStrategy, columns: int) -> list:
        return draw(st.lists(st.lists(values, min_size=columns, max_size=columns), min_size=rows, max_size=rows))

    return Matrices.of(
        np.array(matrix(FLOATS, floats), dtype=np.float32).reshape(rows, floats),
        np.array(matrix(STAMPS, ints), dtype=np.int64).reshape(rows, ints),
        np.array(matrix(TEXTS, strings), dtype=object).reshape(rows, strings),
    )
