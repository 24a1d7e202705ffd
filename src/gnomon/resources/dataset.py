"""Kind Dataset: where rows come from, and what must hold of them."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gnomon.resources.base import ColumnName, Name, Resource, Strict
from gnomon.resources.feature import Feature

ColumnType = Literal["float64", "float32", "int64", "int32", "boolean", "string", "timestamp", "date"]

FORMAT_SUFFIXES: Mapping[str, Literal["parquet", "csv", "jsonl", "arrow"]] = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".jsonl": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson": "jsonl",
    ".ndjson.gz": "jsonl",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
}
"""By the end of a file's name: what it is."""

NUMERIC_TYPES: frozenset[ColumnType] = frozenset({"float64", "float32", "int64", "int32"})


class Source(Strict):
    """Files: a path or glob in the repository, or an absolute path or glob on the operator's machine."""

    files: Annotated[str, StringConstraints(min_length=1)]
    """A path or a glob (``*``, ``?``, ``**``), such as ``data/*.parquet``."""
    format: Literal["parquet", "csv", "jsonl", "arrow"] | None = None
    """Taken from the file's suffix where it is not declared."""


class Column(Strict):
    """One declared column. ``min``, ``max`` and ``values`` are enforced on every snapshot."""

    name: ColumnName
    """The column of that name in the files."""
    type: ColumnType
    """Values that do not fit are an error, not a conversion."""
    nullable: bool = True
    """Whether a value may be missing."""
    min: float | int | None = None
    """Least value of a numeric column."""
    max: float | int | None = None
    """Largest value of a numeric column."""
    values: tuple[str, ...] | None = None
    """The only values that a string column may have."""
    unique: bool = False
    """Whether every value may appear once only."""


class Check(Strict):
    """A SQL expression over the table ``data`` that must be true, such as ``count(*) >= 1000``."""

    name: Name
    """What reports call it."""
    expr: Annotated[str, StringConstraints(min_length=1)]
    """An aggregate over the rows that comes to true or false."""
    fail: Literal["block", "warn"] = "block"
    """What follows when it is false: no snapshot is made, or a warning is."""


class DatasetSpec(Strict):
    """The whole of a Dataset. Without a ``schema``, types are inferred from each snapshot and nothing is enforced."""

    source: Source
    """Where the rows are."""
    time: ColumnName | None = None
    """The column that says when a row happened. Models then test on the newest rows by default."""
    key: tuple[ColumnName, ...] = ()
    """The columns that together name a row; two rows with equal ones are an error."""
    columns: tuple[Column, ...] = Field(default=(), alias="schema")
    """The columns and what must hold of them."""
    checks: tuple[Check, ...] = ()
    """What must hold of the rows as a whole."""
    features: tuple[Feature, ...] = ()
    """Features that every model of the dataset may name."""
    suspend: bool = False
    """Leave it as it is: no new snapshots."""


class Dataset(Resource):
    """Where rows come from, and what must hold of them."""

    kind: Literal["Dataset"] = "Dataset"
    """Always ``Dataset``."""
    spec: DatasetSpec
    """What is wanted."""
