"""A folder of files as a commit would hold it, for running what is being written: nothing is asked of Git."""

import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.stores.repositories.interface import TreeEntry

_LARGEST_HASHED = 2**23
"""Larger files are told apart by size and times: hashing a data set would cost more than running what reads it."""
_PASSED_OVER = frozenset({"__pycache__", "node_modules", "venv", "site-packages"})


@dataclass
class WorkingFolder:
    """The files below a folder, each with a name for its content; folders whose names start with a dot are passed over."""

    root: Path
    tree: tuple[TreeEntry, ...] = ()
    _places: dict[str, Path] = field(default_factory=dict, init=False)

    def look(self) -> None:
        """Take in the files as they are now.

        Raises:
            UsageError: A file cannot be read.
        """
        entries: list[TreeEntry] = []
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _PASSED_OVER)
            entries += [entry for name in names if (entry := self._entry(Path(folder, name))) is not None]
        self.tree = tuple(sorted(entries, key=lambda entry: entry.path))

    def read_blobs(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents by their names."""
        return {blob: self._places[blob].read_bytes() for blob in blobs}

    def export_blob(self, blob: str, destination: Path) -> None:
        """Copy a file."""
        shutil.copyfile(self._places[blob], destination)

    def _entry(self, path: Path) -> TreeEntry | None:
        try:
            seen = path.lstat()
            if path.is_symlink() or not path.is_file():
                return None
            content = path.read_bytes() if seen.st_size <= _LARGEST_HASHED and _is_text(path) else None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
        told = content if content is not None else f"{path} {seen.st_size} {seen.st_mtime_ns} {seen.st_ino}".encode()
        blob = hashlib.sha256(told).hexdigest()
        self._places[blob] = path
        mode = "100755" if seen.st_mode & 0o111 else "100644"
        return TreeEntry(path.relative_to(self.root).as_posix(), mode, blob, seen.st_size)


def _is_text(path: Path) -> bool:
    return not path.name.lower().endswith((".parquet", ".csv", ".csv.gz", ".arrow", ".npy", ".onnx", ".jsonl"))
