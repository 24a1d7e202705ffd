"""A declared source becomes a list of files, each with an identity that changes when its content may have changed."""

import glob
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path, PurePosixPath

from gnomon.data.databases import on_machine as machine_address
from gnomon.data.folders import with_folders
from gnomon.data.object_source import object_files
from gnomon.data.path_patterns import glob_expression, is_glob
from gnomon.data.query_source import query_file
from gnomon.data.source_file import SUPPORTED, SourceFile, format_of
from gnomon.errors import DataError
from gnomon.resources.dataset import FORMAT_SUFFIXES, Source
from gnomon.stores.repositories.interface import TreeEntry

_SYMLINK, _SUBMODULE = "120000", "160000"
_SETTLING_NS = 2_000_000_000
"""Filesystems stamp changes as coarsely as this, so that a second change may leave size and time as they are."""


def list_files(
    source: Source, tree: Sequence[TreeEntry], *, key: tuple[str, ...] = (), now_ns: int | None = None
) -> tuple[SourceFile, ...]:
    """Return the files that ``source`` names, sorted by path; nothing is read.

    A relative path or glob names files of the commit, an absolute one files of this machine. ``*`` and ``?`` stay within
    a folder and ``**`` goes through folders; names that start with a dot must be written out.

    Args:
        source: What the Dataset declares.
        tree: The files of the commit.
        key: The columns that put the rows of a query in order.
        now_ns: Nanoseconds of the Unix epoch. A query has another identity at another time; and a file of this machine that
            changed within the last two seconds is given one that changes once more, so that a change right after the first
            is not overlooked.

    Raises:
        StoreError: An object store does not answer.
        DataError: Nothing matches, or something that matches is not a plain file of a supported format.
    """
    return with_folders(source, _listed(source, tree, key, time.time_ns() if now_ns is None else now_ns))


def _listed(source: Source, tree: Sequence[TreeEntry], key: tuple[str, ...], now_ns: int) -> tuple[SourceFile, ...]:
    if source.sql is not None:
        return (query_file(source.sql, tree, key, now_ns),)
    pattern = source.files or ""
    if source.is_remote:
        return object_files(source)
    if pattern.startswith("/"):
        return _machine_files(source, pattern, now_ns)
    if "://" in pattern or pattern.startswith("~"):
        raise DataError(
            f"the source {pattern!r} is neither a path in the repository nor an absolute path",
            "write a path or glob such as data/*.parquet, or an absolute one such as /srv/data/*.csv",
        )
    return _commit_files(source, pattern, tree)


def fingerprint(files: Iterable[SourceFile]) -> str:
    """Return a digest over the identities of ``files`` in their order. While it is the same, nothing needs reading."""
    sha256 = hashlib.sha256()
    for file in files:
        said = f" {sorted(file.folders.items())}" if file.folders else ""
        sha256.update(f"{file.format} {file.identity}{said}\0".encode())
    return f"sha256:{sha256.hexdigest()}"


def on_machine(source: Source, root: Path) -> Source:
    """Return ``source`` with what it names of the repository as it lies in a folder, committed or not."""
    if source.sql is not None and isinstance(source.sql.url, str):
        return source.model_copy(update={"sql": source.sql.model_copy(update={"url": machine_address(source.sql.url, root)})})
    if source.files is None or source.is_outside:
        return source
    return source.model_copy(update={"files": f"{glob.escape(str(root))}/{source.files}"})


def path_matcher(pattern: str) -> Callable[[str], bool]:
    """Return what tells whether a path of a commit is the one that ``pattern`` names, or one that it matches as a glob."""
    plain = str(PurePosixPath(pattern))
    matches = glob_expression(plain).fullmatch
    return lambda path: path == plain or (is_glob(plain) and matches(path) is not None)


def _commit_files(source: Source, files: str, tree: Sequence[TreeEntry]) -> tuple[SourceFile, ...]:
    pattern = str(PurePosixPath(files))
    if ".." in PurePosixPath(pattern).parts:
        raise DataError(f"the source {files!r} leaves the repository", "write it from the repository's root, without ..")
    entries = [entry for entry in tree if entry.path == pattern]
    if not entries and is_glob(pattern):
        matches = glob_expression(pattern).fullmatch
        entries = [entry for entry in tree if matches(entry.path)]
    if not entries:
        raise _nothing_matches(files, "the commit", [entry.path for entry in tree])
    for entry in entries:
        if entry.mode in {_SYMLINK, _SUBMODULE}:
            kind = "a symbolic link" if entry.mode == _SYMLINK else "a submodule"
            raise DataError(
                f"{entry.path}, which the source {files!r} names, is {kind}",
                "commit the file itself, or name an absolute path on the operator's machine",
            )
    return tuple(
        SourceFile(entry.path, f"blob {entry.blob}", entry.size, entry.blob, None, format_of(source, entry.path))
        for entry in sorted(entries, key=lambda entry: entry.path)
    )


def _machine_files(source: Source, pattern: str, now_ns: int) -> tuple[SourceFile, ...]:
    # Unlike pathlib's, these do not raise where a folder may not be entered.
    is_name = os.path.exists(pattern)  # noqa: PTH110
    paths = [pattern] if is_name else glob.glob(pattern, recursive=True)  # noqa: PTH207
    files = []
    for path in sorted(set(paths)):
        try:
            seen = Path(path).stat()
        except OSError as error:
            raise DataError(
                f"{path}, which the source {pattern!r} names, cannot be looked at: {error.strerror}",
                "see that the operator's user may read it, or narrow the pattern",
            ) from error
        if stat.S_ISDIR(seen.st_mode) and path != pattern:
            continue
        if not stat.S_ISREG(seen.st_mode):
            break
        files.append(SourceFile(path, _identity(path, seen, now_ns), seen.st_size, None, Path(path), format_of(source, path)))
    if not files:
        raise _nothing_matches(pattern, "this machine", _nearby(Path(pattern)))
    return tuple(files)


def _identity(path: str, seen: os.stat_result, now_ns: int) -> str:
    # The time of the last status change comes along: unlike the modification time, no copying program can set it.
    settling = " settling" if now_ns - seen.st_mtime_ns < _SETTLING_NS else ""
    return f"file {path} {seen.st_size} {seen.st_mtime_ns} {seen.st_ctime_ns} {seen.st_ino}{settling}"


def _nearby(pattern: Path) -> list[str]:
    """Return paths on this machine that somebody who wrote ``pattern`` may have meant."""
    folder = next(parent for parent in pattern.parents if not is_glob(str(parent)) and os.path.isdir(parent))  # noqa: PTH112 - as above
    try:
        return [str(path) for path in sorted(folder.iterdir())[:1000]]
    except PermissionError:
        return []


def _nothing_matches(pattern: str, where: str, candidates: Sequence[str]) -> DataError:
    cause = f"the source {pattern!r} matches no file of {where}"
    inside = [path for path in candidates if path.startswith(f"{pattern.rstrip('/')}/")]
    if Path(pattern).is_absolute() and Path(pattern).is_dir():
        inside = sorted(str(path) for path in Path(pattern).iterdir())
    known = [path for path in inside if path.lower().endswith(tuple(FORMAT_SUFFIXES))]
    if inside:
        suffix = next((suffix for suffix in FORMAT_SUFFIXES if known and known[0].lower().endswith(suffix)), ".parquet")
        return DataError(f"{cause}: it is a folder", f"name its files: {pattern.rstrip('/')}/*{suffix}")
    tables = [path for path in candidates if path.lower().endswith(tuple(FORMAT_SUFFIXES))]
    same_name = [path for path in tables if PurePosixPath(path).name == PurePosixPath(pattern).name]
    near = get_close_matches(pattern, tables, n=1, cutoff=0.5) or same_name
    if near:
        return DataError(cause, f"did you mean {near[0]}?")
    place = "commit" if where == "the commit" else "put there"
    return DataError(cause, f"{place} {SUPPORTED} files, or correct source.files")
