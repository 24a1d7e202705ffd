"""Rollback: the commit by which a person takes a release back. ``git revert`` of the release commit does the same."""

from collections.abc import Callable, Sequence

from gnomon.errors import NotFoundError, UsageError
from gnomon.operator.commits import commit_message
from gnomon.operator.revert import release_in
from gnomon.resources.identity import Revision
from gnomon.resources.release import ReleaseSpec, release_path
from gnomon.stores.repositories.interface import FileChange, FileVersion, PlannedCommit, Repository

_Version = tuple[FileVersion, ReleaseSpec | None]
_Target = tuple[FileVersion | None, ReleaseSpec | None]
"""What to restore; without a version, the file is removed."""


def rolling_back(
    repository: Repository, namespace: str, service: str, to_version: int | None = None
) -> Callable[[Revision], PlannedCommit | None]:
    """Return what ``commit_and_push`` needs to take back the release that is pinned on the first tip it sees.

    Where somebody else takes that release back first, nothing is left to do: a rollback never goes back two steps.
    """
    taken_back: list[ReleaseSpec | None] = []

    def change(tip: Revision) -> PlannedCommit | None:
        now = _pinned(_readable(repository.file_history(tip, release_path(namespace, service))))
        if taken_back and taken_back[0] != now:
            return None
        taken_back[:] = [now]
        return rollback_change(repository, tip, namespace, service, to_version)

    return change


def rollback_change(
    repository: Repository, revision: Revision, namespace: str, service: str, to_version: int | None = None
) -> PlannedCommit:
    """Return the commit that takes a service's release back, on the tip ``revision``.

    It restores older content of the release file, as ``git revert`` would, so everything released since is withdrawn. Rolling
    back twice goes back twice; it never brings a version back that was taken back before.

    Args:
        repository: The branch.
        revision: The tip to commit on.
        namespace: The service's namespace.
        service: The service's name.
        to_version: The version to go back to; None for the one before. Without one before, the file is removed.

    Raises:
        NotFoundError: There is nothing to roll back, or no commit ever pinned that version.
        UsageError: That version is pinned now.
    """
    path = release_path(namespace, service)
    history = repository.file_history(revision, path)
    versions = _readable(history)
    now = _pinned(versions)
    is_readable = not isinstance(release_in(history[0].content), str) if history else True
    target: _Target
    if to_version is not None:
        target = _last_that_pinned(to_version, versions, f"{namespace}/{service}")
    elif now is None:
        raise NotFoundError(f"{namespace}/{service} has no release in {path}", "name a version to go back to, with --to")
    else:
        target = _one_before(now, versions) if is_readable else versions[0]
    if is_readable and now is not None and target[1] == now:
        raise UsageError(f"v{now.version} of {now.model} is what {namespace}/{service} has now", "name another version")
    return _rollback_commit(path, service, namespace, now, target)


def _readable(history: Sequence[FileVersion]) -> list[_Version]:
    found = ((version, release_in(version.content)) for version in history)
    return [(version, spec) for version, spec in found if not isinstance(spec, str)]


def _pinned(versions: Sequence[_Version]) -> ReleaseSpec | None:
    return versions[0][1] if versions else None


def _last_that_pinned(wanted: int, versions: Sequence[_Version], name: str) -> _Target:
    for version, spec in versions:
        if spec is not None and spec.version == wanted:
            return version, spec
    pinned = sorted({spec.version for _, spec in versions if spec is not None})
    listed = ", ".join(f"v{number}" for number in pinned) or "none"
    raise NotFoundError(f"no release of {name} ever pinned v{wanted}", f"the versions that were released: {listed}")


def _one_before(now: ReleaseSpec, versions: Sequence[_Version]) -> _Target:
    """Return what stood before the newest change; where that was a step back, what stood before the release it led to."""
    earlier = [version for version in versions if version[1] != now]
    if not earlier:
        return None, None
    before = earlier[0][1]
    if before is None or before.sequence <= now.sequence:
        return earlier[0]
    return next(
        ((version, spec) for version, spec in earlier if spec is not None and spec.sequence < now.sequence), (None, None)
    )


def _rollback_commit(
    path: str,
    service: str,
    namespace: str,
    now: ReleaseSpec | None,
    target: _Target,
) -> PlannedCommit:
    version, spec = target
    content = version.content if version is not None else None
    left = f"v{now.version}" if now is not None else "nothing"
    trailers = {"Gnomon-Service": f"{namespace}/{service}"}
    if spec is None or version is None:
        subject = f"rollback({service}): {left} to nothing"
        body = "No release came before this one, so the release file is removed and the service stops answering."
    else:
        subject = f"rollback({service}): {spec.model} {left} to v{spec.version}"
        body = f"This restores {path} as commit {version.revision} left it.\nWhat was released since is not offered again."
        trailers |= {"Gnomon-Version": f"v{spec.version}", "Gnomon-Digest": spec.digest}
    return PlannedCommit((FileChange(path, content),), commit_message(subject, body, trailers))
