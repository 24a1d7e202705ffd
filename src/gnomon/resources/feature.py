"""What a feature is: a raw column, an expression under a name, or columns that a function of the repository makes."""

from collections.abc import Iterable
from typing import Annotated

from pydantic import Discriminator, StringConstraints, Tag

from gnomon.resources.base import ColumnName, Strict
from gnomon.resources.pipeline import Function


class Feature(Strict):
    """A feature that is computed: a ``name`` and an ``expr``, or ``python``."""

    name: ColumnName | None = None
    """What models call it; no column is called so."""
    expr: Annotated[str, StringConstraints(min_length=1)] | None = None
    """An expression over columns and other features, such as ``distance / air_time``; ``docs/features.md`` has the language."""
    python: Function | None = None
    """A function from the rows as a Polars frame to a frame with the same rows: its other columns are features."""


def _feature_shape(value: object) -> str | None:
    if isinstance(value, (dict, Feature)):
        return "computed"
    return "column" if isinstance(value, str) else None


NamedFeature = Annotated[
    Annotated[ColumnName, Tag("column")] | Annotated[Feature, Tag("computed")],
    Discriminator(
        _feature_shape,
        custom_error_type="feature",
        custom_error_message="write the name of a column or feature, or {name: speed, expr: distance / air_time}",
    ),
]
"""A feature of a model: the name of a column or of a feature of the dataset, or one of the model's own."""


def feature_names(features: Iterable[str | Feature]) -> tuple[str, ...]:
    """Return the names of features, leaving out those of functions, whose names only a run tells."""
    named = (feature if isinstance(feature, str) else feature.name for feature in features)
    return tuple(name for name in named if name is not None)


def definitions_of(features: Iterable[str | Feature]) -> dict[str, str]:
    """Return the expressions by name."""
    return {
        feature.name: feature.expr
        for feature in features
        if isinstance(feature, Feature) and feature.name is not None and feature.expr is not None
    }


def functions_of(features: Iterable[str | Feature]) -> tuple[str, ...]:
    """Return the functions that make features, as ``file.py:function``, each once."""
    found = (feature.python for feature in features if isinstance(feature, Feature))
    return tuple(dict.fromkeys(function for function in found if function is not None))
