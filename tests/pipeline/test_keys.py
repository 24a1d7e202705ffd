"""A step's key covers what its result depends on, and nothing else."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.pipeline.keys import canonical_json, step_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=3)


@given(
    st.tuples(st.text(max_size=3), OBJECTS, OBJECTS, st.integers()),
    st.tuples(st.text(max_size=3), OBJECTS, OBJECTS, st.integers()),
)
def test_keys_are_equal_exactly_when_everything_in_them_is(
    one: tuple[str, dict[str, Any], dict[str, Any], int], two: tuple[str, dict[str, Any], dict[str, Any], int]
) -> None:
    def encoded(parts: tuple[str, dict[str, Any], dict[str, Any], int]) -> tuple[str, bytes, bytes, int]:
        return parts[0], canonical_json(parts[1]), canonical_json(parts[2]), parts[3]

    assert (step_key(*one) == step_key(*two)) == (encoded(one) == encoded(two))


@given(OBJECTS)
def test_the_order_of_parameters_does_not_matter(params: dict[str, Any]) -> None:
    assert step_key("c", params, {}, 0) == step_key("c", dict(reversed(params.items())), {}, 0)


def test_parts_cannot_flow_into_each_other() -> None:
    assert step_key("ab", {}, {}, 0) != step_key("a", {"b": 1}, {}, 0)
    assert step_key("c", {"a": 1}, {}, 0) != step_key("c", {}, {"a": 1}, 0)
    assert step_key("c", {"a": 1}, {}, 0) != step_key("c", {"a": 1.0}, {}, 0)
    assert step_key("c", {"a": 1}, {}, 0) != step_key("c", {"a": True}, {}, 0)
    assert step_key("c", {}, {}, 1) != step_key("c", {}, {}, 11)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_parameter(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        step_key("c", {"a": value}, {}, 0)
