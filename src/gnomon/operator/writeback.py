"""Release write-back: one writer per repository turns decisions into commits, and pushes them by compare-and-swap.

A release is one commit to one machine-owned file, separately revertible; several are stacked and pushed together. Every attempt
starts from a fresh fetch, so a person's revert that arrives meanwhile wins, and a push whose answer was lost is found again.
"""

import math
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from gnomon.errors import ConflictError, GnomonError, PushRefusedError, RepositoryError, UsageError
from gnomon.operator.commits import PushedCommits, commit_message, push_stack
from gnomon.operator.revert import REMEMBERED, LockState, lock_state, mark_of, merge_mark
from gnomon.resources.base import Metadata
from gnomon.resources.identity import API_VERSION, Digest, ResourceKey, Revision
from gnomon.resources.lockfile import render_release
from gnomon.resources.release import Release, ReleaseSpec, release_path
from gnomon.stores.records.interface import Records
from gnomon.stores.repositories.interface import FileChange, FileVersion, Identity, PlannedCommit, Repository

_NOT_TEXT = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class ReleaseRequest:
    """A version to be pinned for a service.

    ``evidence`` goes into the file, ``body`` (why, and the gate table) and ``reason`` (one line) into the commit's message.
    """

    namespace: str
    service: str
    model: str
    version: int
    digest: Digest
    evidence: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""
    run: str = ""
    body: str = ""

    @property
    def key(self) -> ResourceKey:
        """The service."""
        return ResourceKey("Service", self.namespace, self.service)


@dataclass(frozen=True)
class WriteOutcome:
    """What became of a request.

    ``landed``: the commit ``revision`` is on the branch. ``present``: the digest was pinned already. ``withdrawn``: a person
    took it back, so it is not offered again. ``blocked``: a person must act, the message says how. ``deferred``: the remote
    cannot be reached, or others kept pushing; asking again later is right.
    """

    request: ReleaseRequest
    state: Literal["landed", "present", "withdrawn", "blocked", "deferred"]
    message: str
    revision: Revision | None = None
    release: ReleaseSpec | None = None


class ReleaseWriter:
    """Writes releases to one branch, and nothing else.

    Args:
        repository: The branch.
        author: Who the commits are by.
        records: Keeps the mark of each service, which outlives a rewritten history.
    """

    def __init__(self, repository: Repository, author: Identity, records: Records) -> None:
        self._repository = repository
        self._author = author
        self._records = records

    def write(self, requests: Sequence[ReleaseRequest], deadline: timedelta) -> Sequence[WriteOutcome]:
        """Pin versions, one commit for each service, all in one push; return an outcome for each request, in order.

        May be called again at any time, also after a crash: what has landed is found and not written twice.

        Args:
            requests: At most one for each service.
            deadline: How long to go on trying, from now.

        Raises:
            UsageError: Two requests are for one service.
            ManifestError: A request does not make a valid release.
        """
        if len({request.key for request in requests}) < len(requests):
            raise UsageError("two releases of one service were asked for at once", "ask for one, then for the other")
        end = time.monotonic() + deadline.total_seconds()
        outcomes = self._write(requests, end)
        return tuple(outcomes[request.key] for request in requests)

    def _write(self, requests: Sequence[ReleaseRequest], end: float) -> dict[ResourceKey, WriteOutcome]:
        batch = _Batch(self._repository, self._records, requests)
        self._draft_ahead(batch)
        try:
            pushed = push_stack(self._repository, batch.plan, self._author, end)
        except PushRefusedError as error:
            if len(batch.planned) > 1:
                return self._write_apart(requests, end)
            return batch.failed("blocked", error)
        except (RepositoryError, ConflictError) as error:
            return batch.failed("deferred", error)
        return batch.landed(pushed)

    def _draft_ahead(self, batch: "_Batch") -> None:
        """Plan on the tip that was seen last: what is ready before the fetch does not lengthen the race after it."""
        with suppress(RepositoryError):  # the fetch that follows mends what is wrong, or tells
            last_seen = self._repository.head()
            if last_seen is not None:
                batch.plan(last_seen)

    def _write_apart(self, requests: Sequence[ReleaseRequest], end: float) -> dict[ResourceKey, WriteOutcome]:
        """Push each commit by itself, so that a server that refuses one does not hold the others back."""
        outcomes: dict[ResourceKey, WriteOutcome] = {}
        for request in requests:
            outcomes |= self._write([request], end)
        return outcomes


class _Batch:
    """The requests of one push, judged anew on every tip."""

    def __init__(self, repository: Repository, records: Records, requests: Sequence[ReleaseRequest]) -> None:
        self.planned: dict[ResourceKey, tuple[ReleaseRequest, Release, LockState]] = {}
        self._settled: dict[ResourceKey, tuple[WriteOutcome, LockState]] = {}
        self._drafts: dict[ResourceKey, tuple[Release, PlannedCommit]] = {}
        self._repository = repository
        self._records = records
        self._requests = requests

    def plan(self, tip: Revision) -> list[PlannedCommit]:
        """Return the commits that are due on ``tip``."""
        self.planned.clear()
        self._settled.clear()
        paths = {request.key: release_path(request.namespace, request.service) for request in self._requests}
        histories = self._repository.file_histories(tip, list(paths.values()))
        commits = []
        for request in self._requests:
            history = histories[paths[request.key]]
            state = merge_mark(lock_state(history), self._records.release_mark(request.key))
            settled = _settled(request, state, history)
            if settled is not None:
                self._settled[request.key] = (settled, state)
                continue
            release = next_release(request, state)
            self.planned[request.key] = (request, release, state)
            commits.append(self._draft(request, release))
        return commits

    def landed(self, pushed: PushedCommits) -> dict[ResourceKey, WriteOutcome]:
        """Return the outcomes after a push that landed, and keep the marks."""
        outcomes = {key: outcome for key, (outcome, _) in self._settled.items()}
        for key, (_, state) in self._settled.items():
            self._remember(key, state)
        for (key, (request, release, state)), revision in zip(self.planned.items(), pushed.commits, strict=True):
            spec = release.spec
            self._remember(key, LockState(spec, state.taken_back, spec.sequence, (spec, *state.history)))
            message = f"v{spec.version} of {spec.model} is pinned by {revision}"
            outcomes[key] = WriteOutcome(request, "landed", message, revision, spec)
        return outcomes

    def failed(self, state: Literal["blocked", "deferred"], error: GnomonError) -> dict[ResourceKey, WriteOutcome]:
        """Return the outcomes after a push that did not land."""
        failed = {request.key: WriteOutcome(request, state, str(error)) for request in self._requests}
        return failed | {key: outcome for key, (outcome, _) in self._settled.items()}

    def _draft(self, request: ReleaseRequest, release: Release) -> PlannedCommit:
        """Return the commit of a release; somebody else's push rarely changes it, so it is kept for the next attempt."""
        drafted = self._drafts.get(request.key)
        if drafted is None or drafted[0] != release:
            drafted = self._drafts[request.key] = (release, release_commit(request, release))
        return drafted[1]

    def _remember(self, service: ResourceKey, state: LockState) -> None:
        before = self._records.release_mark(service)
        mark = mark_of(service, state, before)
        if mark != before and mark.sequence:
            self._records.put_release_mark(mark)


def next_release(request: ReleaseRequest, state: LockState) -> Release:
    """Return the release that pins a requested version after ``state``."""
    current = state.current
    taken_back = [digest for digest in state.taken_back if digest != request.digest]
    return Release(
        api_version=API_VERSION,
        kind="Release",
        metadata=Metadata(name=request.service, namespace=request.namespace),
        spec=ReleaseSpec(
            service=request.service,
            model=request.model,
            version=request.version,
            sequence=state.top_sequence + 1,
            digest=request.digest,
            previous=current.digest if current is not None and current.digest != request.digest else None,
            rejected=tuple(taken_back[-REMEMBERED:]),
            evidence=_plain(request.evidence),
        ),
    )


def release_commit(request: ReleaseRequest, release: Release) -> PlannedCommit:
    """Return the commit that writes a release.

    Raises:
        ManifestError: The release cannot be written as a manifest.
    """
    trailers = {
        "Gnomon-Service": f"{request.namespace}/{request.service}",
        "Gnomon-Version": f"v{request.version}",
        "Gnomon-Digest": request.digest,
        "Gnomon-Run": request.run,
        "Gnomon-Reason": request.reason,
    }
    message = commit_message(f"release({request.service}): {request.model} v{request.version}", request.body, trailers)
    path = release_path(request.namespace, request.service)
    return PlannedCommit((FileChange(path, render_release(release)),), message)


def _settled(request: ReleaseRequest, state: LockState, history: Sequence[FileVersion]) -> WriteOutcome | None:
    """Return the outcome of a request for which nothing is to be written."""
    pinned_by = history[0].revision if history else None
    if state.head_error:
        path = release_path(request.namespace, request.service)
        message = f"{path} cannot be read, so nothing is written over it: {state.head_error}; git revert {pinned_by}"
        return WriteOutcome(request, "blocked", message, pinned_by)
    if state.current is not None and state.current.digest == request.digest:
        return WriteOutcome(request, "present", f"v{request.version} is pinned already", pinned_by, state.current)
    if request.digest in state.withdrawn:
        message = f"v{request.version} of {request.model} was taken back in Git and is not offered again"
        return WriteOutcome(request, "withdrawn", message, pinned_by)
    return None


def _plain(value: Any) -> Any:
    """Return ``value`` as a manifest can hold it, mappings in the order of their keys."""
    if isinstance(value, Mapping):
        return {_plain(str(key)): _plain(value[key]) for key in sorted(value, key=str)}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (bool, int, float)):
        return value
    return _NOT_TEXT.sub("�", str(value))
