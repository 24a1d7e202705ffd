"""The code of a commit as files: what steps run from. Never the working tree, and never changed once it is there."""

import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gnomon.data.sources import path_matcher
from gnomon.errors import StoreError
from gnomon.stores.repositories.interface import TreeEntry

_LOG = logging.getLogger(__name__)
_MODES = {"100644": 0o444, "100755": 0o555}
_BATCH_BYTES = 2**26
"""Files are read this many bytes at a time."""
_LARGEST_CODE = 2**23
"""A Python file larger than this is data, whatever its name says."""
_DRAFT = ".draft-"


def is_code(entry: TreeEntry) -> bool:
    """Return whether a file is Python that a step may import: not in a folder whose name starts with a dot."""
    is_hidden = any(part.startswith(".") for part in entry.path.split("/"))
    return entry.path.endswith(".py") and not is_hidden and entry.mode in _MODES and entry.size <= _LARGEST_CODE


def code_files(tree: Sequence[TreeEntry], named: Collection[str]) -> tuple[TreeEntry, ...]:
    """Return what steps may need of a commit: its Python, and the files and folders that pipelines name.

    Args:
        tree: The files of the commit.
        named: Paths of files and folders, ``.`` for everything, and globs.
    """
    whole = {str(PurePosixPath(name)) for name in named}
    globs = [path_matcher(name) for name in whole if any(char in name for char in "*?[")]

    def is_named(path: str) -> bool:
        above = [str(folder) for folder in PurePosixPath(path).parents]
        return path in whole or any(folder in whole for folder in above) or any(matches(path) for matches in globs)

    return tuple(entry for entry in tree if entry.mode in _MODES and (is_code(entry) or is_named(entry.path)))


@dataclass
class Checkouts:
    """Checkouts below one folder, each named by what it holds: commits that differ in other files share one.

    Args:
        folder: Where they lie.
        read_blobs: Returns contents by blob id.
        export_blob: Writes a blob, which may be large, to a file.
    """

    folder: Path
    read_blobs: Callable[[Sequence[str]], Mapping[str, bytes]]
    export_blob: Callable[[str, Path], None]
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def of(self, files: Sequence[TreeEntry]) -> Path:
        """Return the folder that holds these files and nothing else, made where it is missing.

        Raises:
            StoreError: It cannot be written.
            RepositoryError: A file cannot be read from the mirror.
        """
        place = self.folder / _name(files)
        with self._lock:
            if not place.is_dir():
                self._make(place, files)
        return place

    def collect(self, needed: Collection[str]) -> None:
        """Remove what nobody needs any more, drafts of a killed predecessor too.

        Args:
            needed: Names of the checkouts to keep.
        """
        with self._lock:
            for each in self.folder.iterdir() if self.folder.is_dir() else ():
                if each.name not in needed:
                    _remove(each)
                    _LOG.info("checkout_removed", extra={"checkout": each.name})

    def _make(self, place: Path, files: Sequence[TreeEntry]) -> None:
        draft = self.folder / f"{_DRAFT}{os.getpid()}-{place.name}"
        try:
            _remove(draft)
            draft.mkdir(parents=True)
            for batch in _batches(files):
                self._write(draft, batch)
            _seal(draft)
            draft.rename(place)
        except OSError as error:
            raise StoreError(
                f"the code of the commit cannot be written to {self.folder}: {error.strerror or error}",
                "see that the home has room, and may be written",
            ) from error
        finally:
            _remove(draft)

    def _write(self, draft: Path, files: Sequence[TreeEntry]) -> None:
        small = [entry for entry in files if entry.size <= _BATCH_BYTES]
        contents = self.read_blobs([entry.blob for entry in small]) if small else {}
        for entry in files:
            path = draft / entry.path
            path.parent.mkdir(parents=True, exist_ok=True)
            if entry.blob in contents:
                path.write_bytes(contents[entry.blob])
            else:
                self.export_blob(entry.blob, path)
            path.chmod(_MODES[entry.mode])


def _name(files: Sequence[TreeEntry]) -> str:
    whole = hashlib.sha256()
    for entry in files:
        whole.update(f"{entry.mode} {entry.blob} {entry.path}\0".encode("utf-8", "surrogateescape"))
    return whole.hexdigest()[:40]


def _batches(files: Iterable[TreeEntry]) -> Iterator[list[TreeEntry]]:
    batch: list[TreeEntry] = []
    size = 0
    for entry in files:
        if batch and size + entry.size > _BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry.size
    if batch:
        yield batch


def _folders(place: Path) -> list[Path]:
    return [Path(folder) for folder, _, _ in os.walk(place)]


def _seal(place: Path) -> None:
    """Let nobody write there, so that what a step runs is what the commit holds."""
    for folder in _folders(place):
        # The folder itself must still be renamed, for which some systems ask that it may be written.
        folder.chmod(0o755 if folder == place else 0o555)


def _remove(place: Path) -> None:
    if not place.exists():
        return
    for folder in _folders(place):
        folder.chmod(0o755)
    shutil.rmtree(place)
