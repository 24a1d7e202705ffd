"""People and an operator on one real repository: what tests of releases and reverts are told with."""

import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from gnomon.operator.revert import LockState, lock_state, merge_mark
from gnomon.operator.writeback import ReleaseRequest, ReleaseWriter, WriteOutcome
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.release import release_path
from gnomon.stores.records.interface import Records
from gnomon.stores.records.memory import MemoryRecords
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import Identity, PushResult
from tests.git_remote import Clone, make_remote

OPERATOR = Identity("gnomon", "gnomon@example.com")
TIMEOUT = timedelta(seconds=20)
SERVICE = "bikes"
PATH = release_path("default", SERVICE)


def digest(letter: str) -> Digest:
    """Return the digest of the version that a letter stands for."""
    return Digest(f"sha256:{hashlib.sha256(letter.encode()).hexdigest()}")


def request(letter: str, service: str = SERVICE) -> ReleaseRequest:
    """Return the request to pin the version that a letter stands for; ``A`` is version 1."""
    return ReleaseRequest(
        namespace="default",
        service=service,
        model="demand",
        version=ord(letter) - ord("A") + 1,
        digest=digest(letter),
        evidence={"run": f"run-{letter}", "gates": {"rmse": 41.5}},
        reason="code changed",
        run=f"run-{letter}",
        body="Why: code changed.\n\n| gate | measured |\n| --- | --- |\n| rmse <= 45 | 41.5 |",
    )


class RacedRepository(GitRepository):
    """A repository in which people push at the worst moment: ``before_push`` is called once each, before our pushes."""

    before_push: list[Callable[[], object]]

    def push(self, revision: Revision) -> PushResult:
        """Let somebody else push first, then push."""
        if self.before_push:
            self.before_push.pop(0)()
        return super().push(revision)


class Story:
    """One remote (a new one unless ``remote`` is there), the operator's write-back (by ``url``), and Ada with a checkout."""

    def __init__(
        self,
        folder: Path,
        remote: Path | None = None,
        url: str | None = None,
        records: Records | None = None,
        operator: Identity = OPERATOR,
    ) -> None:
        self.remote = remote or make_remote(folder)
        self.records = records if records is not None else MemoryRecords()
        self.repository = RacedRepository(url or str(self.remote), "main", folder / "mirror.git", TIMEOUT)
        self.repository.before_push = []
        self.writer = ReleaseWriter(self.repository, operator, self.records)
        self.ada = Clone(self.remote, folder / "ada")

    def offer(self, letter: str, service: str = SERVICE) -> WriteOutcome:
        """Let the operator pin a version, as after passed gates."""
        return self.writer.write([request(letter, service)], TIMEOUT)[0]

    def release(self, *letters: str) -> None:
        """Pin versions one after the other; each must land."""
        for letter in letters:
            assert self.offer(letter).state == "landed", letter

    def state(self) -> LockState:
        """Return the state of the release file at the remote, as the operator sees it."""
        history = self.repository.file_history(self.repository.fetch(), PATH)
        return merge_mark(lock_state(history), self.records.release_mark(request("A").key))

    @property
    def pinned(self) -> str | None:
        """The letter that is pinned."""
        current = self.state().current
        return None if current is None else chr(ord("A") + current.version - 1)

    @property
    def withdrawn(self) -> str:
        """The letters that are withdrawn, in alphabetical order."""
        withdrawn = self.state().withdrawn
        return "".join(letter for letter in "ABCDEFGH" if digest(letter) in withdrawn)

    def edit(self, old: str, new: str, message: str = "By hand") -> None:
        """Let Ada replace a text in the release file, and push."""
        self.ada.pull()
        place = self.ada.path / PATH
        text = place.read_text()
        assert old in text
        place.write_text(text.replace(old, new))
        self.ada.commit(message)
        self.ada.push()

    def revert(self, revision: str = "HEAD") -> None:
        """Let Ada revert a commit, and push."""
        self.ada.pull()
        self.ada.revert(revision)
        self.ada.push()
