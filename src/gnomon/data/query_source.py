"""A declared query becomes the one file of its source: the rows that the database gives when it is read."""

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from gnomon.data.databases import Database, database_of
from gnomon.data.query_batches import Query
from gnomon.data.source_file import SourceFile
from gnomon.errors import DataError
from gnomon.resources.canonical import canonical_json
from gnomon.resources.dataset import Sql
from gnomon.stores.repositories.interface import TreeEntry


def query_file(sql: Sql, tree: Sequence[TreeEntry], key: tuple[str, ...], now_ns: int) -> SourceFile:
    """Return the file that ``sql`` comes to; the database is not asked.

    A database of the repository is known by its content; what another one answers may differ at any time.

    Raises:
        DataError: The address cannot be told, or names no file of the commit.
    """
    database, query = database_of(sql), Query(sql.query, key)
    asked = hashlib.sha256(canonical_json([database.name, query.statement])).hexdigest()[:32]
    fetch = partial(_fetch, database, query)
    if not database.is_committed:
        return SourceFile(database.name, f"query {asked} at {now_ns}", 0, None, None, "parquet", fetch)
    entry = next((entry for entry in tree if entry.path == str(Path(database.path))), None)
    if entry is None or not entry.mode.startswith("100"):
        near = ", ".join(entry.path for entry in tree if Path(entry.path).suffix == Path(database.path).suffix)[:200]
        raise DataError(
            f"the commit has no database {database.path}",
            f"commit it, or name one of {near}" if near else "commit it, or name a database of the machine with four slashes",
        )
    return SourceFile(entry.path, f"query {asked} blob {entry.blob}", entry.size, entry.blob, None, "parquet", fetch)


def _fetch(database: Database, query: Query, exported: Path | None, target: Path) -> None:
    from gnomon.data.query_file import write_query  # noqa: PLC0415 - Arrow and the drivers are for reading alone

    write_query(database, query, exported, target)
