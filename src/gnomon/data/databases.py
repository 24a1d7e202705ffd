"""The address of a database becomes what to connect to, and what may be said of it: never a password."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from gnomon.errors import DataError
from gnomon.resources.dataset import FromEnvironment, Sql

Dialect = Literal["postgresql", "sqlite", "duckdb"]

_DIALECTS: Mapping[str, Dialect] = {
    "postgresql": "postgresql",
    "postgres": "postgresql",
    "sqlite": "sqlite",
    "duckdb": "duckdb",
}
_MEND = "write postgresql://user@host/database, sqlite:///data/shop.db or duckdb:////srv/shop.duckdb"
_SECRET_KEYS = frozenset({"password", "sslpassword", "passfile"})


@dataclass(frozen=True)
class Database:
    """One database. ``name`` is what people read; ``url`` may hold a password and is never shown."""

    dialect: Dialect
    name: str
    url: str = field(repr=False)
    path: str = ""
    """Of a database that is a file: relative to the repository, or absolute on this machine."""
    secrets: tuple[str, ...] = field(default=(), repr=False)

    @property
    def is_committed(self) -> bool:
        """Whether the database is a file of the repository."""
        return bool(self.path) and not self.path.startswith("/")

    def told(self, text: str) -> str:
        """Return what a driver says, on one line, without the secrets of the address."""
        for secret in self.secrets:
            text = text.replace(secret, "***")
        return " ".join(text.split())[:300]


def database_of(sql: Sql, environment: Mapping[str, str] | None = None) -> Database:
    """Return the database that a source names.

    Args:
        sql: What the Dataset declares.
        environment: Where addresses that are declared by reference are taken from; this process's where it is None.

    Raises:
        DataError: The variable is not set, or it holds no address of a database that is known here. The address itself is
            in no message.
    """
    if not isinstance(sql.url, FromEnvironment):
        return _database(sql.url, "")
    variable = sql.url.env
    url = (os.environ if environment is None else environment).get(variable, "")
    if not url:
        raise DataError(
            f"the operator's environment has no {variable}, which the source names",
            f"start the operator with {variable} set to the address of the database",
        )
    return _database(url, variable)


def on_machine(url: str, root: Path) -> str:
    """Return the address of a database of the repository as that of the file in a folder; others stay."""
    scheme, divider, path = url.partition(":///")
    if _DIALECTS.get(scheme) in {"sqlite", "duckdb"} and divider and not path.startswith("/"):
        return f"{scheme}:///{root / path}"
    return url


def _database(url: str, variable: str) -> Database:
    said = f"the address in {variable}" if variable else "the address of the database"
    scheme, divider, rest = url.partition("://")
    dialect = _DIALECTS.get(scheme.lower())
    if not divider or dialect is None:
        raise DataError(f"{said} is of no database that can be read: PostgreSQL, SQLite and DuckDB are", _MEND)
    if dialect != "postgresql":
        path = rest.removeprefix("/")
        if not rest.startswith("/") or not path or "?" in path or (".." in Path(path).parts and not path.startswith("/")):
            raise DataError(
                f"{said} names no file of the repository or the machine",
                f"write {dialect}:///data/shop.db for one of the repository, {dialect}:////srv/shop.db for one of the machine",
            )
        return Database(dialect, path, url, path)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "localhost", parts.port or 5432
    except ValueError:
        # Nothing of the address, which may hold a password, goes along.
        mend = "write postgresql://user@host:5432/database; write @ in a password as %40, / as %2F"
        raise DataError(f"{said} cannot be read", mend) from None
    secrets = {parts.password or "", *(value for key, value in parse_qsl(parts.query) if key in _SECRET_KEYS)}
    spoken = {form for secret in secrets for form in (secret, unquote(secret)) if form}
    name = f"postgresql://{host}:{port}/{unquote(parts.path.lstrip('/'))}"
    return Database(dialect, name, url, secrets=(url, *sorted(spoken, key=len, reverse=True)))
