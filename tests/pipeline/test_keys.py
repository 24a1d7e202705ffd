"""A step's key covers what its result depends on, and nothing else."""

import hashlib
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.pipeline.keys import KeyParts, canonical_json, environment, step_key

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text(max_size=3), JSON, max_size=3)


def key(*parts: Any) -> str:
    return step_key(KeyParts(*parts))


@given(
    st.tuples(st.text(max_size=3), OBJECTS, OBJECTS, st.integers()),
    st.tuples(st.text(max_size=3), OBJECTS, OBJECTS, st.integers()),
)
def test_keys_are_equal_exactly_when_everything_in_them_is(
    one: tuple[str, dict[str, Any], dict[str, Any], int], two: tuple[str, dict[str, Any], dict[str, Any], int]
) -> None:
    def encoded(parts: tuple[str, dict[str, Any], dict[str, Any], int]) -> tuple[str, bytes, bytes, int]:
        return parts[0], canonical_json(parts[1]), canonical_json(parts[2]), parts[3]

    assert (step_key(KeyParts(*one)) == step_key(KeyParts(*two))) == (encoded(one) == encoded(two))


@given(OBJECTS)
def test_the_order_of_parameters_does_not_matter(params: dict[str, Any]) -> None:
    assert key("c", params, {}, 0) == key("c", dict(reversed(params.items())), {}, 0)


def test_parts_cannot_flow_into_each_other() -> None:
    assert key("ab", {}, {}, 0) != key("a", {"b": 1}, {}, 0)
    assert key("c", {"a": 1}, {}, 0) != key("c", {}, {"a": 1}, 0)
    assert key("c", {"a": 1}, {}, 0) != key("c", {"a": 1.0}, {}, 0)
    assert key("c", {"a": 1}, {}, 0) != key("c", {"a": True}, {}, 0)
    assert key("c", {}, {}, 1) != key("c", {}, {}, 11)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_no_parameter(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        key("c", {"a": value}, {}, 0)


def test_what_few_steps_have_is_no_part_of_the_keys_of_others() -> None:
    # The key of a plain step, as the first version made it: results that were kept then are found again.
    plain = key("c", {"a": 1}, {"x": {"codec": "json", "digest": "sha256:1"}}, 7)
    fields = (
        b"gnomon-step-1",
        b"c",
        b'{"a":1}',
        b'{"x":{"codec":"json","digest":"sha256:1"}}',
        environment().encode(),
        b"7",
    )
    assert plain == hashlib.sha256(b"".join(len(field).to_bytes(8, "big") + field for field in fields)).hexdigest()
    others = [key("c", {}, {}, 0, more) for more in ({}, {"gpu": 1}, {"gpu": 2}, {"secrets": ["TOKEN"]}, {"environment": "1"})]
    assert len(set(others)) == len(others)


def test_a_long_parameter_is_noted_by_its_digest() -> None:
    parts = KeyParts("c", {"short": [1], "long": "x" * 1000}, {"x": {"codec": "json", "digest": "sha256:1"}}, 0)
    noted = parts.noted({"x": "before"})
    assert noted["params"]["short"] == [1]
    assert set(noted["params"]["long"]) == {"digest"}
    assert noted["inputs"] == {"x": {"digest": "sha256:1", "step": "before"}}
