"""What must hold of where a dataset's rows come from, how often it is looked at, and who may ask for that."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import PurePosixPath

from gnomon.resources.dataset import FORMAT_SUFFIXES, OBJECT_SCHEMES, DatasetSpec, Source, Sql, Storage
from gnomon.resources.documents import NodePath
from gnomon.resources.violation import Violation

_SHORTEST_REFRESH = timedelta(seconds=1)
_DATABASE = re.compile(r"postgres(?:ql)?://|(?:sqlite|duckdb):///.")
_PASSWORD = re.compile(r"^[a-z]+://[^/?#]*:[^/?#]*@|[?&](?:ssl)?password=", re.IGNORECASE)
_OBJECT = re.compile(rf"(?:{'|'.join(OBJECT_SCHEMES)})://[^/]+/.+")
_PATH: NodePath = ("spec", "source")


def source_violations(spec: DatasetSpec) -> Iterator[Violation]:
    """Yield every rule that the source of a dataset breaks, and what is declared of looking at it."""
    source = spec.source
    if (source.files is None) == (source.sql is None):
        told = "names neither files nor sql" if source.files is None else "names both files and sql"
        yield Violation(_PATH, f"spec.source {told}", "name files, or a query of a database")
        return
    if source.sql is not None:
        yield from _sql(source, source.sql)
    if source.files is not None:
        yield from _files(source, source.files)
    if source.storage is not None:
        yield from _storage(source, source.storage)
    if spec.refresh is not None and not source.is_outside:
        cause = "what is committed changes by commits alone, and needs no refresh"
        yield Violation(("spec", "refresh"), cause, "remove refresh")
    elif spec.refresh is not None and spec.refresh < _SHORTEST_REFRESH:
        yield Violation(("spec", "refresh"), "spec.refresh is below 1s", "write 1s or more")
    if spec.webhook is not None and (spec.webhook.token is None) == (spec.webhook.secret is None):
        yield Violation(("spec", "webhook"), "spec.webhook takes one of token and secret", "name the variable of one of them")
    if spec.accept and spec.columns:
        cause = "a schema says which columns there are, and accept has no say"
        yield Violation(("spec", "accept"), cause, "remove accept, or the schema")


def _sql(source: Source, sql: Sql) -> Iterator[Violation]:
    path: NodePath = (*_PATH, "sql", "url")
    for key in ("format", "partitioned"):
        if getattr(source, key) is not None:
            yield Violation((*_PATH, key), f"{key} is for files, and this is a query", f"remove {key}")
    if not sql.query.strip().rstrip(";").strip():
        yield Violation((*_PATH, "sql", "query"), "the query is empty", "write one select")
    if not isinstance(sql.url, str):
        return
    if _PASSWORD.search(sql.url):
        cause = "the address of the database holds a password, which everybody who reads the repository then knows"
        yield Violation(path, cause, "put the address in a variable of the operator, and write url: {env: NAME}")
    elif not _DATABASE.match(sql.url):
        cause = "spec.source.sql.url is of no database that can be read: PostgreSQL, SQLite and DuckDB are"
        yield Violation(path, cause, "write postgresql://user@host/name, sqlite:///data/shop.db or duckdb:////srv/shop.duckdb")
    elif not source.is_outside and ".." in PurePosixPath(sql.url.partition(":///")[2]).parts:
        yield Violation(path, f"{sql.url} leaves the repository", "write it from the root of the repository, without ..")


def _files(source: Source, files: str) -> Iterator[Violation]:
    path: NodePath = (*_PATH, "files")
    scheme, divider, _ = files.partition("://")
    if divider and scheme not in OBJECT_SCHEMES:
        known = ", ".join(f"{known}://" for known in OBJECT_SCHEMES)
        yield Violation(path, f"{scheme}:// is no place that files are read from", f"{known}, paths and globs are")
    elif divider and not _OBJECT.match(files):
        yield Violation(path, f"{files} names no objects of a bucket", f"write {scheme}://bucket/prefix/*.parquet")
    elif files.startswith("~"):
        yield Violation(path, f"{files} depends on who runs the operator", "write an absolute path, or one of the repository")
    elif ".." in PurePosixPath(files).parts and not files.startswith("/"):
        yield Violation(path, f"{files} leaves the repository", "write it from the root of the repository, without ..")
    elif source.format is None and not _says_format(PurePosixPath(files).name.lower()):
        cause = f"{files} does not say what the files are"
        yield Violation(path, cause, "end the name in .parquet, .csv, .jsonl or .arrow, or add format to spec.source")


def _storage(source: Source, storage: Storage) -> Iterator[Violation]:
    path: NodePath = (*_PATH, "storage")
    if not (source.files or "").startswith("s3://"):
        yield Violation(path, "storage is for files in S3, such as s3://bucket/prefix/*.parquet", "remove storage")
    elif (storage.access_key is None) != (storage.secret_key is None):
        key = "accessKey" if storage.access_key is not None else "secretKey"
        yield Violation((*path, key), "an access key and its secret go together", "declare accessKey and secretKey, or neither")


def _says_format(name: str) -> bool:
    """Whether a file's name tells its format, or is a pattern whose files will tell theirs."""
    return name.endswith((*FORMAT_SUFFIXES, "*", "?", "]"))
