"""Commits of ours on a branch that others push to as well: made on the newest tip, pushed by compare-and-swap, made again."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from gnomon.errors import ConflictError, PushRefusedError
from gnomon.resources.identity import Revision
from gnomon.stores.repositories.interface import Identity, PlannedCommit, Repository

_ATTEMPTS = 10
_JITTER_S = 0.05
"""Times the number of the attempt: enough to part two writers, too little to be felt."""


@dataclass(frozen=True)
class PushedCommits:
    """What a push came to: the tip of the branch, and our commits in the order of the plan (none where nothing was due)."""

    tip: Revision
    commits: tuple[Revision, ...] = ()


def commit_and_push(
    repository: Repository, make_change: Callable[[Revision], PlannedCommit | None], author: Identity, deadline: timedelta
) -> Revision:
    """Commit a change on the tip of the branch and push it, again for every tip that others push meanwhile.

    Args:
        repository: Where to.
        make_change: Returns the commit to make on a given tip, or None where nothing is to be done; may raise.
        author: Author and committer.
        deadline: How long to go on trying, from now.

    Returns:
        The commit, which is on the branch now; the tip where there was nothing to do.

    Raises:
        PushRefusedError: The remote said no, and would say so again.
        ConflictError: Others pushed first every time.
        RemoteUnreachableError: The remote did not answer. A later call finds out whether the commit landed after all.
    """

    def make_commits(tip: Revision) -> Sequence[PlannedCommit]:
        planned = make_change(tip)
        return () if planned is None else (planned,)

    pushed = push_stack(repository, make_commits, author, time.monotonic() + deadline.total_seconds())
    return pushed.commits[0] if pushed.commits else pushed.tip


def push_stack(
    repository: Repository, make_commits: Callable[[Revision], Sequence[PlannedCommit]], author: Identity, end: float
) -> PushedCommits:
    """Do what ``commit_and_push`` does with several commits, one on the other, in one push.

    Args:
        repository: Where to.
        make_commits: Returns the commits to make on a given tip, the oldest first.
        author: Author and committer.
        end: When to stop trying, by ``time.monotonic``.
    """
    unanswered: list[tuple[Revision, ...]] = []
    message = ""
    for attempt in range(1, _ATTEMPTS + 1):
        tip = repository.fetch()
        if landed := _landed_after_all(repository, tip, unanswered):
            return PushedCommits(tip, landed)
        planned = make_commits(tip)
        if not planned:
            return PushedCommits(tip)
        made = repository.commit_stack(tip, planned, author)
        result = repository.push(made[-1])
        if result.outcome == "landed":
            return PushedCommits(made[-1], made)
        if result.outcome == "refused":
            raise PushRefusedError(
                f"{repository.url} refuses a push to {repository.branch}: {result.message}",
                f"let the operator's account push to {repository.branch}, or merge the change by hand",
            )
        if result.outcome == "unknown":
            unanswered.append(made)
        message = result.message
        pause = random.uniform(0, _JITTER_S * attempt)  # noqa: S311 - parts two writers, guards nothing
        if time.monotonic() + pause >= end:
            break
        time.sleep(pause)
    if unanswered and (landed := _landed_after_all(repository, tip := repository.fetch(), unanswered)):
        return PushedCommits(tip, landed)
    raise ConflictError(
        f"{repository.branch} of {repository.url} could not be moved within {attempt} attempts: {message}",
        "nothing is lost: it is tried again",
    )


def commit_message(subject: str, body: str, trailers: Mapping[str, str]) -> str:
    """Return a commit's message; trailers without a value are left out."""
    lines = [f"{name}: {' '.join(value.split())}" for name, value in trailers.items() if value.strip()]
    return "\n\n".join(part for part in (" ".join(subject.split()), body.strip(), "\n".join(lines)) if part) + "\n"


def _landed_after_all(
    repository: Repository, tip: Revision, unanswered: Sequence[tuple[Revision, ...]]
) -> tuple[Revision, ...] | None:
    """Return the commits of a push whose answer was lost, if they are on the branch."""
    return next((made for made in unanswered if repository.is_ancestor(made[-1], tip)), None)
