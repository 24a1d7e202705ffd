"""Files become a snapshot: their content in the object store, and a manifest that names it.

The digest of the manifest is the identity of the data. It covers the content of the files, their order and the columns;
not their names, their folder, the machine or the day. Files come in the order of their paths, like one long file, so
that a renamed file changes the digest only where it changes the order. A ``.csv.gz`` file is kept uncompressed, so that
packing it anew changes nothing.
"""

import gzip
import hashlib
import tempfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import orjson

from gnomon.data.agreement import agreed_columns
from gnomon.data.folders import profiles_with_folders
from gnomon.data.profile import Content, FileProfile, profile
from gnomon.data.source_file import FileFormat, SourceFile
from gnomon.errors import DataError, NotFoundError
from gnomon.resources.canonical import canonical_json
from gnomon.resources.dataset import Column, ColumnType, DatasetSpec
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore

_LFS_POINTER = b"version https://git-lfs.github.com/spec/"
_CHUNK_BYTES = 2**20
_LARGEST_UNPACKED_BYTES = 2**38
"""A compressed file that unpacks to more than 256 GiB is a bomb, not a table."""
_PROFILE_VERSION = 2
"""Counts up when `gnomon.data.profile` learns to see something else in the same bytes."""
_MOST_PROBLEMS = 20


@dataclass(frozen=True)
class SnapshotColumn:
    """One column of every file. ``nullable`` is as declared, else whether any value is missing."""

    name: str
    type: ColumnType
    nullable: bool


@dataclass(frozen=True)
class SnapshotFile:
    """One file by its content, which the object store holds under ``digest``."""

    digest: Digest
    format: FileFormat
    size_bytes: int
    rows: int
    folders: Mapping[str, str] = field(default_factory=dict)
    """What the names of its folders say, as text by column."""

    @property
    def name(self) -> str:
        """What tells its rows from those of other files of the snapshot."""
        return f"{self.digest} {self.format}" + (f" {sorted(self.folders.items())}" if self.folders else "")


@dataclass(frozen=True)
class Snapshot:
    """The manifest: the columns, the files in order, and the rows of all files together."""

    columns: tuple[SnapshotColumn, ...]
    files: tuple[SnapshotFile, ...]
    rows: int

    def to_json(self) -> bytes:
        """Return canonical bytes: equal snapshots have equal bytes."""
        return canonical_json(
            {
                "columns": [{"name": column.name, "type": column.type, "nullable": column.nullable} for column in self.columns],
                "files": [
                    {
                        "digest": file.digest,
                        "format": file.format,
                        "sizeBytes": file.size_bytes,
                        "rows": file.rows,
                        **({"folders": dict(file.folders)} if file.folders else {}),
                    }
                    for file in self.files
                ],
                "rows": self.rows,
                "version": 1,
            }
        )

    @classmethod
    def from_json(cls, content: bytes) -> "Snapshot":
        """Return the snapshot that ``to_json`` wrote.

        Raises:
            DataError: These bytes are not such a manifest.
        """
        try:
            found: dict[str, Any] = orjson.loads(content)
            return cls(
                columns=tuple(SnapshotColumn(c["name"], c["type"], c["nullable"]) for c in found["columns"]),
                files=tuple(
                    SnapshotFile(
                        Digest(file["digest"]), file["format"], file["sizeBytes"], file["rows"], file.get("folders", {})
                    )
                    for file in found["files"]
                ),
                rows=found["rows"],
            )
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise DataError(f"these bytes are no snapshot: {error!r}", "name the digest of a snapshot") from error


@dataclass(frozen=True)
class TakenSnapshot:
    """A snapshot and its digest. ``known`` is for the next time: files that stay are then not read again."""

    snapshot: Snapshot
    digest: Digest
    known: Mapping[str, Digest]
    warnings: tuple[str, ...]


def take_snapshot(
    spec: DatasetSpec,
    files: Sequence[SourceFile],
    objects: ObjectStore,
    export_blob: Callable[[str, Path], None],
    known: Mapping[str, Digest] | None = None,
    scratch: Path | None = None,
    last: Snapshot | None = None,
) -> TakenSnapshot:
    """Keep the content of ``files`` and return the manifest, which is kept too.

    Args:
        spec: What is declared; with a ``schema``, columns are read as declared, without one they are found out.
        files: What `list_files` found.
        objects: Where content is kept.
        export_blob: Writes a blob of the repository to a file.
        known: What an earlier call returned.
        scratch: A folder for what is not in its place yet, on the disk of ``objects``; the system's where it is None.
        last: The last snapshot, whose columns bind where no schema is declared.

    Raises:
        StoreError: What keeps a file does not answer.
        DataError: A file cannot be read, values do not fit, or the files do not agree: all that is wrong, at once.
    """
    folders = {name for file in files for name in file.folders}
    declared = [column for column in spec.columns if column.name not in folders]
    reading = _reading(spec, declared)
    now_known: dict[str, Digest] = {}
    profiles: dict[str, FileProfile] = {}
    problems: list[DataError] = []
    for file in sorted(files, key=lambda file: file.path):
        key = f"{file.identity} {reading}"
        kept = (known or {}).get(key)
        found = _known_profile(objects, kept)
        try:
            if found is None:
                found, kept = profile(_kept(file, objects, export_blob, scratch), declared), None
        except DataError as error:
            problems.append(error)
            continue
        now_known[key] = kept if kept is not None else objects.put(msgspec.json.encode(found, order="sorted"))
        profiles[file.path] = found
    if problems:
        raise _all_of(problems)
    profiles, warnings = profiles_with_folders(files, profiles, spec.columns)
    columns = _declared_columns(spec)
    if not columns:
        types = {column.name: column.type for column in last.columns} if last is not None else None
        agreed, changes = agreed_columns(profiles, types, spec.accept)
        columns = tuple(SnapshotColumn(column.name, column.type, column.has_missing) for column in agreed)
        warnings += changes
    _require_named(spec, columns)
    folders_of = {file.path: file.folders for file in files}
    snapshot = Snapshot(
        columns=columns,
        files=tuple(SnapshotFile(p.digest, p.format, p.size_bytes, p.rows, folders_of[path]) for path, p in profiles.items()),
        rows=sum(p.rows for p in profiles.values()),
    )
    if not snapshot.rows:
        raise DataError(
            f"{', '.join(list(profiles)[:5])}: no rows, only column names", "wait for data, or correct source.files"
        )
    return TakenSnapshot(snapshot, objects.put(snapshot.to_json()), now_known, warnings + _warnings(columns, profiles))


def _reading(spec: DatasetSpec, columns: Sequence[Column]) -> str:
    """Return a digest of how files are read: what a profile depends on besides the file."""
    declared = [[column.name, column.type] for column in columns]
    return hashlib.sha256(canonical_json([_PROFILE_VERSION, spec.source.format, declared])).hexdigest()[:16]


def _known_profile(objects: ObjectStore, digest: Digest | None) -> FileProfile | None:
    if digest is None:
        return None
    try:
        found = msgspec.json.decode(objects.get(digest), type=FileProfile)
    except NotFoundError:
        return None
    return found if objects.exists(found.digest) else None


def _kept(file: SourceFile, objects: ObjectStore, export_blob: Callable[[str, Path], None], scratch: Path | None) -> Content:
    """Bring a file's content into the object store. What is kept is hashed as it is copied, so it cannot change any more."""
    with tempfile.TemporaryDirectory(prefix="gnomon-intake-", dir=scratch) as folder:
        if file.local is not None:
            digest = _keep_local(file, file.local, objects, Path(folder))
        else:
            content = Path(folder) / "content"
            exported = content if file.fetch is None else Path(folder) / "blob"
            if file.blob is not None:
                export_blob(file.blob, exported)
                _refuse_pointer(file, exported)
            if file.fetch is not None:
                file.fetch(exported if file.blob is not None else None, content)
            digest = objects.put_file(_unpacked(file, content, Path(folder)), move=True)
    return Content(file.path, objects.path(digest), digest, file.format)


def _keep_local(file: SourceFile, path: Path, objects: ObjectStore, folder: Path) -> Digest:
    try:
        before = path.stat()
        _refuse_pointer(file, path)
        unpacked = _unpacked(file, path, folder)
        digest = objects.put_file(unpacked, move=unpacked != path)
        after = path.stat()
    except (OSError, NotFoundError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is gone"
        raise DataError(
            f"{file.path} cannot be read: {told}", "see that it is there and that the operator's user may read it"
        ) from error
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise DataError(
            f"{file.path} changed while it was read",
            "it is read again once it is at rest; write to another name and rename the file when it is whole",
        )
    return digest


def _unpacked(file: SourceFile, path: Path, folder: Path) -> Path:
    if not file.is_compressed:
        return path
    unpacked, size = folder / "unpacked", 0
    try:
        with gzip.open(path, "rb") as source, unpacked.open("wb") as target:
            while chunk := source.read(_CHUNK_BYTES):
                size += len(chunk)
                if size > _LARGEST_UNPACKED_BYTES:
                    raise DataError(
                        f"{file.path} unpacks to more than {_LARGEST_UNPACKED_BYTES} bytes", "split it, or use Parquet"
                    )
                target.write(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{file.path} is not a whole gzip file: {error}", "pack it anew") from error
    return unpacked


def _refuse_pointer(file: SourceFile, path: Path) -> None:
    with path.open("rb") as source:
        start = source.read(len(_LFS_POINTER))
    if start == _LFS_POINTER:
        raise DataError(
            f"{file.path} is a Git LFS pointer: the commit does not hold the data",
            "commit the file itself (git lfs migrate export), or name an absolute path on the operator's machine",
        )


def _declared_columns(spec: DatasetSpec) -> tuple[SnapshotColumn, ...]:
    return tuple(SnapshotColumn(column.name, column.type, column.nullable) for column in spec.columns)


def _require_named(spec: DatasetSpec, columns: Sequence[SnapshotColumn]) -> None:
    types = {column.name: column.type for column in columns}
    absent = [name for name in dict.fromkeys(([spec.time] if spec.time else []) + list(spec.key)) if name not in types]
    if absent:
        place = "the schema" if spec.columns else "the files"
        raise DataError(
            f"{', '.join(absent)}, which time or key names, is no column of {place}",
            f"correct time and key, or declare the column; the columns are {', '.join(types)}",
        )
    if spec.time and types[spec.time] not in {"timestamp", "date"}:
        raise DataError(
            f"the time column {spec.time} is of type {types[spec.time]}",
            "name a column of timestamps such as 2013-01-01T05:15:00Z or dates such as 2013-01-01",
        )


def _warnings(columns: Sequence[SnapshotColumn], profiles: Mapping[str, FileProfile]) -> tuple[str, ...]:
    warnings = []
    undeclared = sorted({name for found in profiles.values() for name in found.undeclared})
    if undeclared:
        warnings.append(f"not in the schema and left out: {', '.join(undeclared)}")
    unusable = {name: held for found in profiles.values() for name, held in found.unusable.items()}
    warnings += [f"column {name} is left out: it holds {held}" for name, held in sorted(unusable.items())]
    for column in columns:
        marked = sum(c.markers for found in profiles.values() for c in found.columns if c.name == column.name)
        if column.type == "string" and marked:
            warnings.append(
                f"column {column.name} holds a text such as NA or null in {marked} rows: "
                "in a string column that is text, and only an empty field is missing"
            )
    return tuple(warnings)


def _all_of(problems: Sequence[DataError]) -> DataError:
    if len(problems) == 1:
        return problems[0]
    told = [f"{problem.cause} ({problem.mend})" for problem in problems[:_MOST_PROBLEMS]]
    return DataError(
        f"{len(problems)} files cannot be taken in: {'; '.join(told)}", "correct them; the last good snapshot stays"
    )
