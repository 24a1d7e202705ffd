"""Kind Dataset: where rows come from, and what must hold of them."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gnomon.resources.base import ColumnName, Name, Resource, Strict

ColumnType = Literal["float64", "float32", "int64", "int32", "boolean", "string", "timestamp", "date"]

NUMERIC_TYPES: frozenset[ColumnType] = frozenset({"float64", "float32", "int64", "int32"})


class Source(Strict):
    """Parquet or CSV files: a path or glob in the repository, or an absolute path or glob on the operator's machine."""

    files: Annotated[str, StringConstraints(min_length=1)]
    format: Literal["parquet", "csv"] | None = None
    """Taken from the file's suffix where it is not declared."""


class Column(Strict):
    """One declared column. ``min``, ``max`` and ``values`` are enforced on every snapshot."""

    name: ColumnName
    type: ColumnType
    nullable: bool = True
    min: float | int | None = None
    max: float | int | None = None
    values: tuple[str, ...] | None = None
    unique: bool = False


class Check(Strict):
    """A SQL expression over the table ``data`` that must be true, such as ``count(*) >= 1000``."""

    name: Name
    expr: Annotated[str, StringConstraints(min_length=1)]
    fail: Literal["block", "warn"] = "block"


class DatasetSpec(Strict):
    """The whole of a Dataset. Without a ``schema``, types are inferred from each snapshot and nothing is enforced."""

    source: Source
    time: ColumnName | None = None
    key: tuple[ColumnName, ...] = ()
    columns: tuple[Column, ...] = Field(default=(), alias="schema")
    checks: tuple[Check, ...] = ()
    suspend: bool = False


class Dataset(Resource):
    """Where rows come from, and what must hold of them."""

    kind: Literal["Dataset"] = "Dataset"
    spec: DatasetSpec
