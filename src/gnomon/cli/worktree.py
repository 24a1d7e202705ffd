"""A folder of files as a commit would hold it: what ``gnomon plan`` sends to the operator."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.operator.source import is_manifest
from gnomon.resources.compiled import ManifestFile
from gnomon.stores.repositories.interface import TreeEntry

_HEAD_FIELDS = 3


@dataclass(frozen=True)
class WorkingTree:
    """Manifests with their content, and every file by name, size and blob id."""

    manifests: tuple[ManifestFile, ...]
    tree: tuple[TreeEntry, ...]


def working_tree(folder: Path) -> WorkingTree:
    """Return what a commit of everything in ``folder``'s repository would hold; ignored files stay out.

    Raises:
        UsageError: The folder is not in a Git repository.
    """
    root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    entries = {entry.path: entry for entry in _head(root)}
    for path in _changed(root):
        entries.pop(path, None)
        file = root / path
        if file.is_file() and not file.is_symlink():
            entries[path] = _entry(root, path)
    tree = tuple(entries[path] for path in sorted(entries))
    manifests = [ManifestFile(e.path, e.blob, (root / e.path).read_bytes()) for e in tree if is_manifest(e)]
    return WorkingTree(tuple(manifests), tree)


def committed_tree(folder: Path) -> WorkingTree:
    """Return what the last commit holds."""
    root = Path(_git(folder, "rev-parse", "--show-toplevel").strip())
    tree = tuple(_head(root))
    manifests = [ManifestFile(e.path, e.blob, _git_bytes(root, "cat-file", "blob", e.blob)) for e in tree if is_manifest(e)]
    return WorkingTree(tuple(manifests), tree)


def _head(root: Path) -> list[TreeEntry]:
    if not _git(root, "for-each-ref", "--count=1") and not _has_head(root):
        return []
    entries = []
    for line in filter(None, _git(root, "ls-tree", "-r", "-z", "-l", "HEAD").split("\0")):
        meta, _, path = line.partition("\t")
        mode, _, blob, size = meta.split()
        entries.append(TreeEntry(path, mode, blob, int(size) if size.isdecimal() else 0))
    return entries


def _has_head(root: Path) -> bool:
    found = subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=root, capture_output=True, check=False)
    return found.returncode == 0


def _changed(root: Path) -> list[str]:
    """Return the paths that differ from HEAD, untracked ones among them."""
    fields = iter(filter(None, _git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").split("\0")))
    return [field[_HEAD_FIELDS:] for field in fields]


def _entry(root: Path, path: str) -> TreeEntry:
    size = (root / path).stat().st_size
    digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
    with (root / path).open("rb") as file:
        while chunk := file.read(2**20):
            digest.update(chunk)
    return TreeEntry(path, "100644", digest.hexdigest(), size)


def _git(folder: Path, *arguments: str) -> str:
    return _git_bytes(folder, *arguments).decode(errors="surrogateescape")


def _git_bytes(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError(f"{folder} does not exist, or git is not installed", "run this in your repository") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise UsageError(f"{folder} cannot be read as a Git repository: {said[-1] if said else 'git failed'}", "run `git init`")
    return done.stdout
