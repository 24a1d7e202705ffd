"""Folders become manifest files: the YAML below a repository's root, read as a commit would hold it."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.resources.compile import is_manifest_path
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.documents import MAX_FILE_BYTES


def repository_root(path: Path) -> Path:
    """Return the folder that paths and references count from: the nearest with ``.git``, else with ``gnomon.yaml``.

    Where there is neither, it is the folder itself, or the file's folder.
    """
    folder = path if path.is_dir() else path.parent
    for mark in (".git", "gnomon.yaml"):
        for candidate in (folder, *folder.parents):
            if (candidate / mark).exists():
                return candidate
    return folder


def manifest_files(root: Path) -> Iterator[ManifestFile]:
    """Yield the YAML files below ``root`` in the order of their paths; dot-folders and links are passed over.

    Raises:
        UsageError: A file or a folder cannot be read.
    """
    for folder, folders, names in os.walk(root, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(folder, name)
            path = file.relative_to(root).as_posix()
            if is_manifest_path(path) and file.is_file() and not file.is_symlink():
                yield _read(file, path)


def _read(file: Path, path: str) -> ManifestFile:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        _refuse(error)
    return ManifestFile(path, hashlib.sha256(content).hexdigest(), content)


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename} cannot be read: {error.strerror}", "check its permissions") from error
