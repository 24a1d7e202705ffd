"""Histories of files, carried on from tip to tip: a new commit costs a look at itself, not at everything before it."""

import threading
from collections.abc import Iterable, Mapping, Sequence

from gnomon.errors import RepositoryError
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.answers import Change, changes_by_path, first_parent_changes
from gnomon.stores.repositories.mirror import Mirror

_MANY_PATHS = 16
_MOST_NEW_COMMITS = 256
"""Beyond that, a walk that looks only for the paths asked for is quicker than one that lists every change."""
FIRST_PARENT = ("--first-parent", "--diff-merges=first-parent", "--full-history")
"""A merge is compared with its first parent alone, so that a revert which arrives by a merge commit is seen on this line."""
_RAW = ("--raw", "-z", "--no-abbrev")


class Histories:
    """What the first-parent commits up to a revision made of files, newest first. Safe to use from several threads."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror
        self._lock = threading.Lock()
        self._revision: Revision | None = None
        self._known: dict[str, tuple[Change, ...]] = {}

    def up_to(self, revision: Revision, paths: Sequence[str]) -> Mapping[str, tuple[Change, ...]]:
        """Return the commits that changed each path, and the blob that each made of it (None where it removed the file)."""
        with self._lock:
            if self._revision != revision:
                self._carry_on_to(revision)
            missing = [path for path in dict.fromkeys(paths) if path not in self._known]
            if missing:
                self._known |= self._walk(revision, missing)
            return {path: self._known[path] for path in paths}

    def _carry_on_to(self, revision: Revision) -> None:
        new = self._since(self._revision, revision) if self._revision is not None else None
        if new is None:
            self._known = {}
        else:
            for path, changes in changes_by_path(new, self._known.keys() & {change.path for change in new}).items():
                self._known[path] = changes + self._known[path]
        self._revision = revision

    def _since(self, before: Revision, revision: Revision) -> list[Change] | None:
        """Return every change after ``before``; None where ``before`` is not on the first-parent line, or too far back."""
        arguments = ["log", *FIRST_PARENT, *_RAW, f"--max-count={_MOST_NEW_COMMITS}", "--format=%H %P", f"{before}..{revision}"]
        try:
            log = self._mirror.git(f"reading what is new in {revision}", arguments)
        except RepositoryError:  # ``before`` is not known any more; the whole walk tells if there is more to it
            return None
        changes, root = first_parent_changes(log.stdout)
        return changes if root == before else None

    def _walk(self, revision: Revision, paths: Sequence[str]) -> dict[str, tuple[Change, ...]]:
        # Git compares every path of a commit with every path given here, so many are asked for by their folders.
        asked = sorted(set(paths) if len(paths) <= _MANY_PATHS else _folders(paths))
        arguments = ["log", *FIRST_PARENT, *_RAW, "--format=%H %P", revision, "--", *asked]
        log = self._mirror.git(f"reading the history of {', '.join(asked)}", arguments)
        return changes_by_path(first_parent_changes(log.stdout)[0], paths)


def _folders(paths: Iterable[str]) -> set[str]:
    return {path.rpartition("/")[0] or path for path in paths}
