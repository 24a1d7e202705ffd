from typing import Literal, get_args, get_origin

import pytest

from gnomon.resources.base import Strict
from gnomon.resources.complaints import types_within
from gnomon.resources.kinds import KINDS
from gnomon.resources.planned import PLANNED_KEYS, PLANNED_KINDS, PLANNED_VALUES


def test_what_is_built_is_no_longer_planned() -> None:
    assert not PLANNED_KINDS & KINDS.keys()
    for model, keys in PLANNED_KEYS.items():
        assert not keys & {field.alias for field in model.model_fields.values()}, model


@pytest.mark.parametrize(
    ("place", "values"), PLANNED_VALUES.items(), ids=[f"{model.__name__}.{key}" for model, key in PLANNED_VALUES]
)
def test_planned_values_belong_to_keys_that_exist(place: tuple[type[Strict], str], values: frozenset[str]) -> None:
    model, key = place
    field = next(field for field in model.model_fields.values() if field.alias == key)
    choices = {
        choice
        for outer in types_within(field.annotation)
        for inner in (outer, *get_args(outer))
        if get_origin(inner) is Literal
        for choice in get_args(inner)
    }
    assert choices
    assert not values & choices
