"""A folder of files as a commit would hold it: what ``gnomon plan`` sends to the operator."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gnomon.errors import UsageError
from gnomon.operator.source import is_manifest
from gnomon.resources.compiled import ManifestFile
from gnomon.stores.repositories.answers import batch_contents, tree_entries
from gnomon.stores.repositories.interface import TreeEntry

_STATUS_FIELDS = 3
_MOST_BASES = 200


@dataclass(frozen=True)
class WorkingTree:
    """Manifests with their content, every file by name, size and blob id, and the commits below, newest first."""

    manifests: tuple[ManifestFile, ...]
    tree: tuple[TreeEntry, ...]
    bases: tuple[str, ...] = ()


def working_tree(folder: Path) -> WorkingTree:
    """Return what a commit of everything in ``folder``'s repository would hold; ignored files stay out.

    Raises:
        UsageError: The folder is not in a Git repository.
    """
    root = _root(folder)
    entries = {entry.path: entry for entry in _head(root)}
    changed = _changed(root)
    for path in changed:
        entries.pop(_shown(path), None)
    there = [path for path in changed if (root / path).is_file() and not (root / path).is_symlink()]
    blobs = _blob_ids(root, there)
    for path in there:
        entries[_shown(path)] = TreeEntry(_shown(path), "100644", blobs[path], (root / path).stat().st_size)
    tree = tuple(entries[path] for path in sorted(entries))
    bases = tuple(_git(root, "rev-list", f"--max-count={_MOST_BASES}", "HEAD").split()) if _has_head(root) else ()
    return WorkingTree(_manifests(root, tree, frozenset(there)), tree, bases)


def committed_tree(folder: Path) -> WorkingTree:
    """Return what the last commit holds."""
    root = _root(folder)
    tree = tuple(_head(root))
    return WorkingTree(_manifests(root, tree, frozenset()), tree)


def _root(folder: Path) -> Path:
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "name a folder of your repository")
    return Path(_git(folder, "rev-parse", "--show-toplevel").rstrip("\n"))


def _manifests(root: Path, tree: Sequence[TreeEntry], changed: frozenset[str]) -> tuple[ManifestFile, ...]:
    """Return the manifests: changed ones as they lie in the folder, the others as they are committed."""
    wanted = [entry for entry in tree if is_manifest(entry)]
    blobs = sorted({entry.blob for entry in wanted if entry.path not in changed})
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    committed = batch_contents(_git_bytes(root, "cat-file", "--batch", stdin=asked), blobs) if blobs else {}
    return tuple(
        ManifestFile(entry.path, entry.blob, _content(root / entry.path) if entry.path in changed else committed[entry.blob])
        for entry in wanted
    )


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}", "check its permissions") from error


def _head(root: Path) -> list[TreeEntry]:
    if not _has_head(root):
        return []
    return list(tree_entries(_git_bytes(root, "ls-tree", "-r", "-z", "-l", "--full-tree", "HEAD")))


def _has_head(root: Path) -> bool:
    found = subprocess.run(["git", "rev-parse", "-q", "--verify", "HEAD"], cwd=root, capture_output=True, check=False)
    return found.returncode == 0


def _changed(root: Path) -> list[str]:
    """Return the paths that differ from HEAD, untracked ones among them."""
    fields = filter(None, _git(root, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").split("\0"))
    return [field[_STATUS_FIELDS:] for field in fields]


def _shown(path: str) -> str:
    """Return a path as text, as the operator reads it from a commit: the bytes of a name need not be UTF-8."""
    return path.encode(errors="surrogateescape").decode(errors="backslashreplace")


def _blob_ids(root: Path, paths: Sequence[str]) -> Mapping[str, str]:
    """Return the blobs that files would become. Git says it: line ends, filters and its own hash have their part in it."""
    plain = [path for path in paths if "\n" not in path and not path.startswith('"')]
    asked = "".join(f"{path}\n" for path in plain).encode(errors="surrogateescape")
    ids = _git(root, "hash-object", "--stdin-paths", stdin=asked).split() if plain else []
    return dict(zip(plain, ids, strict=True)) | {
        path: _git(root, "hash-object", "--", path).strip() for path in paths if path not in set(plain)
    }


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> str:
    return _git_bytes(folder, *arguments, stdin=stdin).decode(errors="surrogateescape")


def _git_bytes(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, input=stdin, capture_output=True, check=False)
    except FileNotFoundError:
        raise UsageError("git is not installed", "install git 2.34 or newer") from None
    except PermissionError:
        raise UsageError(f"{folder} may not be read", "check its permissions") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        mend = "run this in a clone of the repository that the operator follows"
        raise UsageError(f"{folder} cannot be read as a Git repository: {said[-1] if said else 'git failed'}", mend)
    return done.stdout
