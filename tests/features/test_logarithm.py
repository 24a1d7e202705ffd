import math

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.features.logarithm import log1p, log1p_of_number

WIDE = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False, min_value=-1, exclude_min=True),
    st.floats(-1, 3, exclude_min=True),
    st.floats(-1e-6, 1e-6),
)


@settings(max_examples=300, deadline=None)
@given(WIDE)
def test_the_logarithm_is_right_to_the_last_digits(x: float) -> None:
    ours = log1p_of_number(x)
    assert ours is not None
    assert abs(ours - math.log1p(x)) <= 4 * math.ulp(math.log1p(x))
    assert np.float64(ours).tobytes() == log1p(np.array([x])).tobytes()


def test_there_is_no_logarithm_at_and_below_minus_one() -> None:
    assert log1p_of_number(-1.0) is None
    assert log1p_of_number(-2.0) is None
    np.testing.assert_array_equal(log1p(np.array([-1.0, -5.0, np.nan, np.inf, 0.0])), [np.nan] * 4 + [0.0])
