"""A Git repository through the git command line: the one client that can be bounded and that refuses loudly."""

import logging
import os
import re
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from gnomon.errors import BranchMissingError, RepositoryError, UsageError
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.address import parse_address
from gnomon.stores.repositories.answers import COMMIT_FORMAT, batch_contents, commits, tip_of, tree_entries
from gnomon.stores.repositories.committing import import_stream
from gnomon.stores.repositories.failures import MirrorBusyError, MirrorDamagedError, ObjectFormatError
from gnomon.stores.repositories.histories import FIRST_PARENT, Histories
from gnomon.stores.repositories.interface import (
    CommitInfo,
    FileChange,
    FileVersion,
    Identity,
    PlannedCommit,
    PushResult,
    TreeEntry,
)
from gnomon.stores.repositories.mirror import Mirror
from gnomon.stores.repositories.pushing import push_result

_LOG = logging.getLogger(__name__)
_OBJECT_NAME = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FETCHES_PER_GC = 100
_FIRST_FETCH_PATIENCE = 10
"""How many deadlines the first fetch may take: all of a history is more than what is new in it."""
_KEPT_CONTENTS = 4096
_KEPT_CONTENT_BYTES = 2**16


class GitRepository:
    """One branch of one remote, behind a full bare mirror. Implements ``Repository``; safe to use from several threads.

    Args:
        url: Address of the remote: a URL, ``user@host:path`` or a path. Credentials in it reach Git through its environment
            alone: they are not in ``url``, in the mirror, in the list of processes or in messages.
        branch: The branch to follow.
        mirror: Folder of the mirror; made where it is missing, made anew where it is damaged or of another address.
        timeout: Deadline of each call; ten times that for the very first fetch, once the remote has answered.

    Raises:
        UsageError: This cannot be an address or the name of a branch.
        RepositoryError: Git is missing or too old, or the mirror cannot be used.
    """

    def __init__(self, url: str, branch: str, mirror: Path, timeout: timedelta) -> None:
        self._address = parse_address(url)
        self._branch = branch
        self._reference = f"refs/heads/{branch}"
        self._tracking = f"refs/gnomon/remote/{branch}"
        self._mirror = Mirror(mirror, self._address, timeout)
        self._fetching = threading.Lock()
        self._fetches = 0
        self._histories = Histories(self._mirror)
        self._contents: dict[str, bytes] = {}
        self._made_on: dict[Revision, Revision] = {}
        shown = ascii(branch)
        if self._mirror.git("checking the branch", ["check-ref-format", self._reference], accepted=(0, 1)).returncode:
            raise UsageError(f"{shown} cannot be the name of a branch", "give a name such as main")

    @property
    def url(self) -> str:
        """The remote's address, without credentials."""
        return self._address.url

    @property
    def branch(self) -> str:
        """The branch that is followed."""
        return self._branch

    def remote_head(self) -> Revision:
        """Ask the remote for the tip of the branch."""
        answer = self._mirror.git(f"asking {self.url} for {self._branch}", ["ls-remote", "--", self.url, self._reference])
        tip = tip_of(answer.stdout, self._reference)
        if tip is None:
            raise BranchMissingError(
                f"{self.url} has no branch {self._branch}",
                "push the branch, or name another one; what was fetched before stays as it is",
            )
        return tip

    def fetch(self) -> Revision:
        """Bring the branch into the mirror and return its tip. A mirror that is damaged is made anew."""
        with self._fetching:
            try:
                if self._mirror.is_damaged:
                    self._mirror.rebuild()
                self._fetch()
            except MirrorBusyError:
                self._mirror.sweep_abandoned()
                self._fetch()
            except ObjectFormatError:
                self._mirror.rebuild(object_format="sha256")
                self._fetch()
            except MirrorDamagedError as error:
                _LOG.warning("mirror_rebuilt", extra={"url": self.url, "cause": error.cause})
                self._mirror.rebuild()
                self._fetch()
            self._collect_now_and_then()
            tip = self.head()
        if tip is None:
            raise RepositoryError(f"{self.url} sent {self._branch}, but the mirror does not hold it", "fetch again")
        return tip

    def head(self) -> Revision | None:
        """Return the tip as of the last fetch, without asking the remote."""
        plain = self._mirror.plain_reference(self._tracking)
        if plain is not None and _OBJECT_NAME.fullmatch(plain):
            return Revision(plain)
        arguments = ["rev-parse", "--verify", "--quiet", self._tracking]
        answer = self._mirror.git(f"reading the tip of {self._branch}", arguments, accepted=(0, 1))
        return Revision(answer.stdout.decode().strip()) if answer.returncode == 0 else None

    def tree(self, revision: Revision) -> tuple[TreeEntry, ...]:
        """Return every file of a commit, sorted by path."""
        arguments = ["ls-tree", "-r", "-z", "-l", "--full-tree", _object_name(revision)]
        return tree_entries(self._mirror.git(f"reading the files of {revision}", arguments).stdout)

    def read_blobs(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return the contents of blobs, by blob id, read by one process."""
        wanted = list(dict.fromkeys(_object_name(blob) for blob in blobs))
        if not wanted:
            return {}
        asked = "".join(f"{blob}\n" for blob in wanted).encode()
        answer = self._mirror.git(f"reading {len(wanted)} files", ["cat-file", "--batch"], stdin=asked)
        return batch_contents(answer.stdout, wanted)

    def export_blob(self, blob: str, destination: Path) -> None:
        """Write a blob to a file, streaming and all or nothing. An existing file is replaced."""
        doing = f"writing {blob} to {destination}"
        try:
            with tempfile.TemporaryDirectory(prefix=".gnomon-", dir=destination.parent) as folder:
                part = Path(folder) / "part"
                with part.open("xb") as file:
                    self._mirror.git(doing, ["cat-file", "blob", _object_name(blob)], stdout_file=file)
                part.replace(destination)
        except OSError as error:
            raise RepositoryError(
                f"{doing} failed: {error.strerror or error}", "see that the folder is there, may be written, and has room"
            ) from error

    def file_history(self, revision: Revision, path: str) -> tuple[FileVersion, ...]:
        """Return what each first-parent commit up to ``revision`` that changed ``path`` made of it, newest first."""
        return self.file_histories(revision, [path])[path]

    def file_histories(self, revision: Revision, paths: Sequence[str]) -> Mapping[str, tuple[FileVersion, ...]]:
        """Return ``file_history`` of several paths, by path, at the price of one."""
        histories = self._histories.up_to(Revision(_object_name(revision)), paths)
        contents = self._contents_of([change.blob for changes in histories.values() for change in changes if change.blob])
        return {
            path: tuple(FileVersion(change.revision, contents[change.blob] if change.blob else None) for change in changes)
            for path, changes in histories.items()
        }

    def commit_info(self, revision: Revision) -> CommitInfo:
        """Return what a commit says of itself."""
        return self.first_parent_log(revision, 1)[0]

    def first_parent_log(self, revision: Revision, limit: int, path: str | None = None) -> tuple[CommitInfo, ...]:
        """Return the newest ``limit`` first-parent commits up to ``revision`` (that changed ``path``), newest first."""
        only = ["--first-parent"] if path is None else [*FIRST_PARENT, "--no-patch"]
        arguments = ["log", *only, f"--max-count={limit}", "-z", f"--format={COMMIT_FORMAT}"]
        arguments += [_object_name(revision), "--", *([path] if path is not None else [])]
        return commits(self._mirror.git(f"reading the log of {revision}", arguments).stdout)

    def is_ancestor(self, older: Revision, newer: Revision) -> bool:
        """Return whether ``older`` is reachable from ``newer``. False where the mirror does not know ``older``."""
        arguments = ["merge-base", "--is-ancestor", _object_name(older), _object_name(newer)]
        answer = self._mirror.git(f"comparing {older} with {newer}", arguments, accepted=(0, 1, 128))
        if answer.returncode == 128 and self._holds_commit(newer) and self._holds_commit(older):
            raise RepositoryError(f"{older} and {newer} cannot be compared: {answer.stderr.strip()}", "fetch, then ask again")
        return answer.returncode == 0

    def commit(self, parent: Revision, changes: Sequence[FileChange], message: str, author: Identity) -> Revision:
        """Make a commit on ``parent`` in the mirror, without a work tree and without moving a branch."""
        return self.commit_stack(parent, [PlannedCommit(tuple(changes), message)], author)[0]

    def commit_stack(self, parent: Revision, planned: Sequence[PlannedCommit], author: Identity) -> tuple[Revision, ...]:
        """Make commits, each on the one before and the first on ``parent``, by one process."""
        if not planned:
            return ()
        who = f"{_clean(author.name) or 'gnomon'} <{_clean(author.email)}> {int(time.time())} +0000"
        # fast-import wants a branch; this one is gone before it ever becomes a file.
        branch = f"refs/gnomon/made/{os.urandom(8).hex()}"
        stream = import_stream(branch, _object_name(parent), planned, who)
        answer = self._mirror.git(f"committing on {parent}", ["fast-import", "--quiet", "--done", "--force"], stdin=stream)
        made = tuple(Revision(line) for line in answer.stdout.decode().split())
        self._made_on = dict.fromkeys(made, parent)
        return made

    def push(self, revision: Revision) -> PushResult:
        """Push a commit to the branch, provided that the branch is still where the last fetch saw it.

        A plain fast-forward would also recreate a branch that was deleted meanwhile, or bring back commits that a person has
        just taken off it; the lease does neither.
        """
        seen = self.head()
        if seen is None or (self._made_on.get(revision) != seen and not self.is_ancestor(seen, revision)):
            return PushResult("raced", f"{self._branch} was fetched anew since the commit {revision} was made")
        lease = f"--force-with-lease={self._reference}:{seen}"
        refspec = f"{_object_name(revision)}:{self._reference}"
        arguments = ["push", "--porcelain", "--no-verify", "--no-signed", lease, "--", self.url, refspec]
        try:
            answer = self._mirror.git(f"pushing {revision} to {self.url}", arguments, accepted=(0, 1, 128))
        except RepositoryError as error:
            return PushResult("unknown", error.cause)
        return push_result(answer, self._reference, self._address)

    def _fetch(self) -> None:
        patience = 1
        if self.head() is None:
            self.remote_head()
            patience = _FIRST_FETCH_PATIENCE
        arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--no-recurse-submodules",
        ]
        arguments += ["--", self.url, f"+{self._reference}:{self._tracking}"]
        self._mirror.git(f"fetching {self._branch} from {self.url}", arguments, patience=patience)

    def _contents_of(self, blobs: Sequence[str]) -> Mapping[str, bytes]:
        """Return contents by blob id, keeping small ones: histories are asked for again and again."""
        missing = [blob for blob in blobs if blob not in self._contents]
        if not missing:
            return self._contents
        found = dict(self.read_blobs(missing))
        kept = {blob: content for blob, content in found.items() if len(content) <= _KEPT_CONTENT_BYTES}
        before = self._contents
        self._contents = {**before, **kept} if len(before) + len(kept) <= _KEPT_CONTENTS else kept
        return {**before, **found}

    def _holds_commit(self, revision: Revision) -> bool:
        arguments = ["cat-file", "-e", f"{revision}^{{commit}}"]
        return self._mirror.git(f"looking for {revision}", arguments, accepted=(0, 1, 128)).returncode == 0

    def _collect_now_and_then(self) -> None:
        self._fetches += 1
        if self._fetches % _FETCHES_PER_GC:
            return
        try:
            self._mirror.git(f"packing {self._mirror.folder}", ["gc", "--auto", "--quiet"])
        except RepositoryError as error:
            self._mirror.sweep_abandoned()
            _LOG.warning("mirror_not_packed", extra={"cause": error.cause})


def _object_name(text: str) -> str:
    if _OBJECT_NAME.fullmatch(text) is None:
        raise UsageError(f"{text!r:.100} is not the full id of a Git object", "give 40 (or 64) hexadecimal digits")
    return text


def _clean(text: str) -> str:
    """Return a name or an address as Git writes it into a commit, without what divides its fields."""
    return re.sub(r"[<>\n\r\0]", "", text).strip()
