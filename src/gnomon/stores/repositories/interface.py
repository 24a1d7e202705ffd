"""A Git repository as the operator needs it: about a dozen calls, each with a deadline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

from gnomon.resources.identity import Revision


@dataclass(frozen=True)
class Identity:
    """A Git author or committer."""

    name: str
    email: str


@dataclass(frozen=True)
class TreeEntry:
    """One file of a commit. ``mode`` is Git's: 100644, 100755, 120000 (symlink) or 160000 (submodule)."""

    path: str
    mode: str
    blob: str
    size: int


@dataclass(frozen=True)
class CommitInfo:
    """What a commit says of itself. Times are UTC."""

    revision: Revision
    parents: tuple[Revision, ...]
    author: Identity
    authored_at: datetime
    subject: str
    body: str
    trailers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileVersion:
    """The content that one commit gave to a file; ``content`` is None where the commit removed it."""

    revision: Revision
    content: bytes | None


@dataclass(frozen=True)
class FileChange:
    """What a commit to be made does to one file; ``content`` None removes it."""

    path: str
    content: bytes | None


@dataclass(frozen=True)
class PlannedCommit:
    """A commit to be made."""

    changes: tuple[FileChange, ...]
    message: str


@dataclass(frozen=True)
class PushResult:
    """How a push ended.

    ``landed``: the remote says that the branch is at our commit. ``raced``: somebody pushed first; fetch and try again.
    ``refused``: a hook or a protection said no, trying again does not help. ``unknown``: the answer was lost; fetch and look.
    """

    outcome: Literal["landed", "raced", "refused", "unknown"]
    message: str = ""


class Repository(Protocol):
    """One branch of one remote, behind a local bare mirror.

    Every call raises RemoteUnreachableError past its deadline or where the remote cannot be reached, BranchMissingError
    where the branch is not there, RepositoryError for anything else that Git refuses; messages never hold credentials.
    """

    @property
    def url(self) -> str:
        """The remote's address, without credentials."""
        ...

    @property
    def branch(self) -> str:
        """The branch that is followed."""
        ...

    def remote_head(self) -> Revision:
        """Ask the remote for the tip of the branch (``ls-remote``)."""
        ...

    def fetch(self) -> Revision:
        """Bring the branch into the mirror and return its tip."""
        ...

    def head(self) -> Revision | None:
        """Return the tip as of the last fetch, without asking the remote."""
        ...

    def tree(self, revision: Revision) -> tuple[TreeEntry, ...]:
        """Return every file of a commit, sorted by path."""
        ...

    def read_blobs(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of blobs, by blob id, read by one process."""
        ...

    def export_blob(self, blob: str, destination: Path) -> None:
        """Write a blob to a file, streaming; for data files that may be large."""
        ...

    def file_history(self, revision: Revision, path: str) -> tuple[FileVersion, ...]:
        """Return what each first-parent commit up to ``revision`` that changed ``path`` made of it, newest first."""
        ...

    def file_histories(self, revision: Revision, paths: Sequence[str]) -> Mapping[str, tuple[FileVersion, ...]]:
        """Return ``file_history`` of several paths, by path, at the price of one."""
        ...

    def commit_info(self, revision: Revision) -> CommitInfo:
        """Return what a commit says of itself."""
        ...

    def first_parent_log(self, revision: Revision, limit: int, path: str | None = None) -> tuple[CommitInfo, ...]:
        """Return the newest ``limit`` first-parent commits up to ``revision`` (that changed ``path``), newest first."""
        ...

    def is_ancestor(self, older: Revision, newer: Revision) -> bool:
        """Return whether ``older`` is reachable from ``newer``. False where the mirror does not know ``older``."""
        ...

    def commit(self, parent: Revision, changes: Sequence[FileChange], message: str, author: Identity) -> Revision:
        """Make a commit on ``parent`` in the mirror, without a work tree and without moving a branch."""
        ...

    def commit_stack(self, parent: Revision, planned: Sequence[PlannedCommit], author: Identity) -> tuple[Revision, ...]:
        """Make commits, each on the one before and the first on ``parent``, at the price of one."""
        ...

    def push(self, revision: Revision) -> PushResult:
        """Push a commit to the branch as a plain fast-forward, which is a compare-and-swap."""
        ...
