"""What Git's plumbing answers becomes values. Pure: bytes in, values out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from gnomon.errors import RepositoryError
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.interface import CommitInfo, Identity, TreeEntry

_TRAILER_SEPARATOR = "\x1e"
COMMIT_FORMAT = (
    "%H%x00%P%x00%an%x00%ae%x00%at%x00%s%x00%b%x00%(trailers)%x00%(trailers:only,unfold,separator=%x1e)"  # one NUL ends it
)
_COMMIT_FIELDS = 9
_NO_FILE_MODES = (b"000000", b"160000")
"""Removed, and a submodule."""


def tip_of(ls_remote: bytes, reference: str) -> Revision | None:
    """Return what ``ls-remote`` says of exactly this reference; its patterns also match longer names that end alike."""
    for line in _text(ls_remote).splitlines():
        revision, _, name = line.partition("\t")
        if name == reference:
            return Revision(revision)
    return None


def tree_entries(ls_tree: bytes) -> tuple[TreeEntry, ...]:
    r"""Return the entries of ``ls-tree -r -z -l``, sorted by path. Bytes of a path that are not UTF-8 come as ``\xff``."""
    entries = []
    for line in ls_tree.split(b"\0")[:-1]:
        about, _, path = line.partition(b"\t")
        mode, _, blob, size = about.split()
        entries.append(TreeEntry(_text(path), mode.decode(), blob.decode(), int(size) if size != b"-" else 0))
    return tuple(sorted(entries, key=lambda entry: entry.path))


def batch_contents(cat_file: bytes, blobs: Iterable[str]) -> dict[str, bytes]:
    """Return the contents in the output of ``cat-file --batch`` that was asked for ``blobs``, in this order.

    Raises:
        RepositoryError: One of them is not in the mirror, or is no blob.
    """
    contents: dict[str, bytes] = {}
    at = 0
    for blob in blobs:
        end = cat_file.index(b"\n", at)
        name, *about = cat_file[at:end].split()
        if len(about) != 2 or about[0] != b"blob":
            said = " ".join(_text(part) for part in about) or "nothing"
            raise RepositoryError(f"blob {blob} cannot be read: the mirror has {said} under this name", "fetch, then ask again")
        size = int(about[1])
        contents[name.decode()] = cat_file[end + 1 : end + 1 + size]
        at = end + 1 + size + 1
    return contents


def commits(log: bytes) -> tuple[CommitInfo, ...]:
    """Return the commits of a log in ``COMMIT_FORMAT`` with ``-z``."""
    fields = log.decode("utf-8", "replace").split("\0")[:-1]
    return tuple(_commit(fields[at : at + _COMMIT_FIELDS]) for at in range(0, len(fields), _COMMIT_FIELDS))


@dataclass(frozen=True)
class Change:
    """What a commit made of a file; ``blob`` is None where it removed it (or put a folder or a submodule in its place)."""

    revision: Revision
    path: str
    blob: str | None


def first_parent_changes(raw_log: bytes) -> tuple[list[Change], Revision | None]:
    """Return the changes in a ``--raw -z --format="%H %P"`` log, in its order, and the first parent of its last commit."""
    changes: list[Change] = []
    revision, root = Revision(""), None
    parts = iter(raw_log.split(b"\0"))
    for part in parts:
        if part.lstrip(b"\n").startswith(b":"):
            _, new_mode, _, new_blob, _ = part.split()
            path = _text(next(parts))
            changes.append(Change(revision, path, None if new_mode in _NO_FILE_MODES else new_blob.decode()))
        elif part:
            name, *parents = part.decode().split()
            revision, root = Revision(name), Revision(parents[0]) if parents else None
    return changes, root


def changes_by_path(changes: Iterable[Change], paths: Iterable[str]) -> dict[str, tuple[Change, ...]]:
    """Return the changes of each path, in their order."""
    found: dict[str, list[Change]] = {path: [] for path in paths}
    for change in changes:
        if change.path in found:
            found[change.path].append(change)
    return {path: tuple(of_path) for path, of_path in found.items()}


def _commit(fields: list[str]) -> CommitInfo:
    revision, parents, name, email, seconds, subject, body, trailer_block, trailers = fields
    return CommitInfo(
        revision=Revision(revision),
        parents=tuple(Revision(parent) for parent in parents.split()),
        author=Identity(name, email),
        authored_at=_time(seconds),
        subject=subject,
        body=body.strip().removesuffix(trailer_block.strip()).strip(),
        trailers=_trailers(trailers),
    )


def _trailers(text: str) -> dict[str, str]:
    pairs = (trailer.partition(":") for trailer in text.split(_TRAILER_SEPARATOR) if trailer)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _time(seconds: str) -> datetime:
    """Return a time of Git's, which takes any number that a commit holds, as near as a datetime can come."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
