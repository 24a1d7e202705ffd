"""Kind Dataset: where rows come from, and what must hold of them."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gnomon.resources.base import ColumnName, Name, Resource, Strict
from gnomon.resources.feature import Feature
from gnomon.resources.quantities import Duration

ColumnType = Literal["float64", "float32", "int64", "int32", "boolean", "string", "timestamp", "date"]

ENDPOINT_PATTERN = r"^https?://[^/@\s]+$"
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
COMMITTED_DATABASE = re.compile(r"(?:sqlite|duckdb):///[^/]")
"""How the address of a database of the repository begins."""
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


OBJECT_SCHEMES = ("s3", "gs", "az")
"""Object stores that files may lie in: S3 and what speaks its language, Google Cloud Storage, Azure Blob Storage."""


class FromEnvironment(Strict):
    """A value that stays out of Git."""

    env: Annotated[str, StringConstraints(pattern=VARIABLE_PATTERN)]
    """The environment variable of the operator that holds it."""


class Sql(Strict):
    """The rows of a query, which the database is asked for again from time to time."""

    url: Annotated[str, StringConstraints(min_length=1)] | FromEnvironment
    """The database: ``postgresql://user@host/name``, ``sqlite:///data/shop.db`` of the repository, ``sqlite:////srv/shop.db``
    of the machine, ``duckdb:///…`` likewise; or the variable that holds this, as an address with a password must be."""
    query: Annotated[str, StringConstraints(min_length=1)]
    """One ``select``. The dataset's ``key`` puts the rows in order; without a key, ``order by`` does."""


class Storage(Strict):
    """How to reach an object store. What is left out comes from the environment of the operator, such as ``AWS_REGION``."""

    endpoint: Annotated[str, StringConstraints(pattern=ENDPOINT_PATTERN)] | None = None
    """The address of an S3 server other than Amazon's, such as ``http://127.0.0.1:8333``."""
    region: Annotated[str, StringConstraints(min_length=1)] | None = None
    """The region of the bucket."""
    access_key: FromEnvironment | None = None
    """The access key; its variable is ``AWS_ACCESS_KEY_ID`` where nothing is declared."""
    secret_key: FromEnvironment | None = None
    """The secret of the access key."""


class Source(Strict):
    """Where the rows are: either ``files`` or ``sql``."""

    files: Annotated[str, StringConstraints(min_length=1)] | None = None
    """A path or a glob (``*``, ``?``, ``**``) in the repository, such as ``data/*.parquet``; an absolute one on the operator's
    machine; or one in an object store, such as ``s3://bucket/prefix/*.parquet``."""
    sql: Sql | None = None
    """A query of a database."""
    format: Literal["parquet", "csv", "jsonl", "arrow"] | None = None
    """Taken from the file's suffix where it is not declared."""
    partitioned: bool | None = None
    """Whether folders such as ``year=2013`` are columns. Where it is not declared, they are if every file lies in such ones."""
    storage: Storage | None = None
    """How to reach the object store that the files lie in."""

    @property
    def is_outside(self) -> bool:
        """Whether the rows can change without a commit."""
        if self.sql is not None:
            return not (isinstance(self.sql.url, str) and COMMITTED_DATABASE.match(self.sql.url))
        return self.is_remote or (self.files or "").startswith("/")

    @property
    def is_remote(self) -> bool:
        """Whether the files lie in an object store."""
        return (self.files or "").startswith(tuple(f"{scheme}://" for scheme in OBJECT_SCHEMES))

    @property
    def spoken(self) -> str:
        """What people call it."""
        if self.sql is None:
            return self.files or ""
        return f"the query of {self.sql.url.env}" if isinstance(self.sql.url, FromEnvironment) else "the query"


class Webhook(Strict):
    """Who may tell that there is new data: either of ``token`` and ``secret`` says how that is proven."""

    token: FromEnvironment | None = None
    """What callers send as ``Authorization: Bearer …``."""
    secret: FromEnvironment | None = None
    """What callers sign the body with: ``X-Hub-Signature-256: sha256=…``, an HMAC in hexadecimal digits."""


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
    """The whole of a Dataset. Without a ``schema``, types are inferred, and the columns of the last snapshot bind."""

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
    refresh: Duration | None = None
    """How often to look for new data outside the repository: files as often as the remote is asked, queries each hour, where
    it is not declared."""
    webhook: Webhook | None = None
    """Who may have the source looked at with ``POST /webhooks/data/NAMESPACE/NAME``: callers with the operator's token, where
    it is not declared."""
    accept: tuple[ColumnName, ...] = ()
    """Columns that may come, go or change their type. Without a ``schema``, the last snapshot's columns bind otherwise."""
    suspend: bool = False
    """Leave it as it is: no new snapshots."""


class Dataset(Resource):
    """Where rows come from, and what must hold of them."""

    kind: Literal["Dataset"] = "Dataset"
    """Always ``Dataset``."""
    spec: DatasetSpec
    """What is wanted."""
