"""What every way to compute a feature shares."""

from collections.abc import Mapping
from typing import Any

from gnomon.errors import ManifestError
from gnomon.features.calendar_parts import Part
from gnomon.resources.expressions.nodes import Node, Pairing

CALENDAR_PARTS: Mapping[Any, Part] = {
    "year": "year",
    "month": "month",
    "day": "day_of_month",
    "weekday": "iso_weekday",
    "dayofyear": "ordinal_day",
    "hour": "hour",
    "minute": "minute",
}
"""The parts of the calendar by the names that expressions call them."""


def pairing_of(node: Node) -> Pairing:
    """Return what a ``map`` puts in the place of what."""
    if not isinstance(node.value, Pairing):
        raise TypeError(node.op)
    return node.value


def refused_batch(node: Node) -> ManifestError:
    """Return the error of a batch function where one row is computed."""
    return ManifestError(
        f"{node.op} needs other rows, and one row alone is given", "send the feature as a column under its own name"
    )
