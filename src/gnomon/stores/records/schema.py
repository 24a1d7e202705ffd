"""The tables. What they are comes from here, how a database got there from ``migrations``; a test holds both together.

``kind``, ``namespace`` and ``name`` are always the resource that a row belongs to: the model of a run, the dataset of a
snapshot. A ``position`` is the order of arrival.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from gnomon.stores.records.values import REVISION, utc

__all__ = [
    "CLOSURES",
    "EVENTS",
    "KEY",
    "METADATA",
    "RELEASE_MARKS",
    "RESOURCES",
    "REVISION",
    "RUNS",
    "SETTINGS",
    "SNAPSHOTS",
    "STEPS",
    "VERSIONS",
    "UtcDateTime",
]


class UtcDateTime(TypeDecorator[datetime]):
    """Aware times, kept in UTC. SQLite forgets the zone and gets it back here."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as it is kept."""
        if value is None:
            return None
        at = utc(value)
        return at.replace(tzinfo=None) if dialect.name == "sqlite" else at

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the time as it was given, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


METADATA = sa.MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def _text(name: str, *, primary_key: bool = False, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text, primary_key=primary_key, nullable=nullable)


def _position(name: str = "position") -> sa.Column[int]:
    # SQLite counts up a column of exactly this type; its integers have 64 bits all the same.
    return sa.Column(name, sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True, autoincrement=True)


def _time(name: str, *, nullable: bool = False) -> sa.Column[datetime]:
    return sa.Column(name, UtcDateTime, nullable=nullable)


def _json(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON, nullable=False)


def _count(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger, nullable=False)


KEY = ("kind", "namespace", "name")

RESOURCES = sa.Table(
    "resources",
    METADATA,
    *(_text(name, primary_key=True) for name in KEY),
    _json("declaration"),
    _text("spec_digest"),
    _count("generation"),
    _text("path"),
    _count("line"),
    _text("blob"),
    _text("revision"),
    _json("status"),
)

EVENTS = sa.Table(
    "events",
    METADATA,
    _position("id"),
    _text("type"),
    *map(_text, KEY),
    _text("reason"),
    _text("message"),
    _text("revision", nullable=True),
    _text("run", nullable=True),
    _count("count"),
    _time("first_seen"),
    _time("last_seen"),
    sa.Index(None, *KEY, "id"),
    sa.Index(None, *KEY, "reason", "first_seen"),
    sqlite_autoincrement=True,
)

RUNS = sa.Table(
    "runs",
    METADATA,
    _text("id", primary_key=True),
    *map(_text, KEY),
    _text("fingerprint"),
    _text("revision"),
    _text("snapshot"),
    _text("state"),
    _text("reason"),
    _text("message"),
    _time("started_at"),
    _time("ended_at", nullable=True),
    _text("artifact", nullable=True),
    sa.Column("version", sa.BigInteger, nullable=True),
    _text("champion", nullable=True),
    _text("report", nullable=True),
    _text("report_page", nullable=True),
    _json("summary"),
    sa.Index(None, *KEY, "started_at"),
    sa.Index(None, "state", "started_at"),
    sa.Index(None, "started_at"),
)

STEPS = sa.Table(
    "steps",
    METADATA,
    _position(),
    _text("run"),
    _text("name"),
    _count("attempt"),
    _text("key"),
    _text("state"),
    _text("process"),
    _time("started_at"),
    _time("ended_at", nullable=True),
    sa.Column("result", sa.JSON(none_as_null=True), nullable=True),
    _text("error"),
    _text("log", nullable=True),
    sa.Column("cpu_s", sa.Double, nullable=False),
    _count("peak_rss_bytes"),
    _text("reason", nullable=True),
    sa.Column("parts", sa.JSON(none_as_null=True), nullable=True),
    sa.UniqueConstraint("run", "name", "attempt"),
    sa.Index(None, "key", "state", "position"),
    sqlite_autoincrement=True,
)

VERSIONS = sa.Table(
    "versions",
    METADATA,
    *(_text(name, primary_key=True) for name in KEY),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    _text("digest"),
    _text("run"),
    _time("created_at"),
    _json("metrics"),
    sa.UniqueConstraint(*KEY, "digest"),
    sa.Index(None, "digest"),
)

SNAPSHOTS = sa.Table(
    "snapshots",
    METADATA,
    _position(),
    *map(_text, KEY),
    _text("digest"),
    _text("revision"),
    _count("rows"),
    _count("size_bytes"),
    _time("created_at"),
    sa.Column("paths", sa.JSON(none_as_null=True), nullable=True),
    sa.UniqueConstraint(*KEY, "digest", "revision"),
    sa.Index(None, *KEY, "created_at"),
    sqlite_autoincrement=True,
)

RELEASE_MARKS = sa.Table(
    "release_marks",
    METADATA,
    *(_text(name, primary_key=True) for name in KEY),
    _count("sequence"),
    _json("withdrawn"),
)

CLOSURES = sa.Table("closures", METADATA, _text("digest", primary_key=True), _json("parts"))

SETTINGS = sa.Table("settings", METADATA, _text("name", primary_key=True), _json("value"))
