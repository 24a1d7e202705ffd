"""The revert rule: what a release file's first-parent history says about who may be pinned again.

A forward release has the sequence 1 + the highest ever seen. A person who takes a release back restores older content, so the
sequence goes back. Hence a digest is withdrawn if some commit pinned it with a sequence not below that of the newest commit
and the newest commit does not pin it; or if the newest commit lists it in ``rejected``; or, where the file is gone, always.
Neither commit messages nor the way the revert came (direct, merged, squashed, by hand) matter. Pure.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from gnomon.errors import ManifestError
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.parse import parse_release
from gnomon.resources.release import ReleaseSpec
from gnomon.stores.records.interface import ReleaseMark
from gnomon.stores.repositories.interface import FileVersion

REMEMBERED = 200
"""How many withdrawn digests a release file, and how many digests a mark carries on. Beyond that the oldest are forgotten."""


@dataclass(frozen=True)
class Unreadable:
    """A version of the file that is no release, and why."""

    revision: Revision
    cause: str


@dataclass(frozen=True)
class LockState:
    """What the history of a release file comes to."""

    current: ReleaseSpec | None = None
    """What is pinned; where the newest commit cannot be read, what was pinned before it. None where the file is gone."""
    taken_back: tuple[Digest, ...] = ()
    """The withdrawn digests, the oldest first."""
    top_sequence: int = 0
    """The highest sequence that was ever seen."""
    history: tuple[ReleaseSpec, ...] = ()
    """What each commit pinned, newest first; removals and unreadable versions are left out."""
    unreadable: tuple[Unreadable, ...] = ()
    """Versions that were passed over, newest first."""
    head_error: str = ""
    """Why the newest version cannot be read, if so. Nothing may be written over it before a person has looked."""

    @staticmethod
    def empty() -> "LockState":
        """Return the state of a service that never had a release."""
        return LockState()

    @property
    def withdrawn(self) -> frozenset[Digest]:
        """The digests that automation must never pin again."""
        return frozenset(self.taken_back)

    @property
    def is_reverted(self) -> bool:
        """Whether somebody took a release back and nothing was released since."""
        carried = self.current.rejected if self.current is not None else ()
        return not self.withdrawn <= {Digest(digest) for digest in carried}


def lock_state(history: Sequence[FileVersion]) -> LockState:
    """Return the state of a release file.

    Args:
        history: What each first-parent commit made of the file, newest first.
    """
    readable: list[ReleaseSpec | None] = []
    unreadable: list[Unreadable] = []
    for version in history:
        spec = release_in(version.content)
        if isinstance(spec, str):
            unreadable.append(Unreadable(version.revision, spec))
        else:
            readable.append(spec)
    pinned = tuple(spec for spec in readable if spec is not None)
    current = readable[0] if readable else None
    is_head_unreadable = bool(unreadable) and unreadable[0].revision == history[0].revision
    return LockState(
        current=current,
        taken_back=_taken_back(current, pinned),
        top_sequence=max((spec.sequence for spec in pinned), default=0),
        history=pinned,
        unreadable=tuple(unreadable),
        head_error=unreadable[0].cause if is_head_unreadable else "",
    )


def release_in(content: bytes | None) -> ReleaseSpec | str | None:
    """Return the release in a version of the file; None where there is no file, and a text where it is no release."""
    return _parsed(content) if content is not None else None


def merge_mark(state: LockState, mark: ReleaseMark | None) -> LockState:
    """Return the state with what the records know and history does not tell any more.

    Where history reaches the sequence of the mark it knows everything, and people may have allowed a digest again. Where it
    does not, somebody rewrote it: whatever it no longer names counts as taken back.
    """
    if mark is None or state.top_sequence >= mark.sequence:
        return state
    told = {spec.digest for spec in state.history}
    dropped = tuple(digest for digest in mark.withdrawn if digest not in told)
    return replace(state, taken_back=_unique((*state.taken_back, *dropped)), top_sequence=mark.sequence)


def mark_of(service: ResourceKey, state: LockState, before: ReleaseMark | None) -> ReleaseMark:
    """Return the mark to keep for a service whose release file is in ``state``, on top of the mark that was kept before."""
    known = before.withdrawn if before is not None else ()
    pinned = (Digest(spec.digest) for spec in reversed(state.history))
    everything = _unique((*known, *pinned, *state.taken_back))
    sequence = max(state.top_sequence, before.sequence if before is not None else 0)
    return ReleaseMark(service, sequence, everything[-REMEMBERED:])


def _taken_back(current: ReleaseSpec | None, pinned: Sequence[ReleaseSpec]) -> tuple[Digest, ...]:
    oldest_first = tuple(reversed(pinned))
    if current is None:
        last_rejected = pinned[0].rejected if pinned else ()
        return _unique((*map(Digest, last_rejected), *(Digest(spec.digest) for spec in oldest_first)))
    since = (Digest(spec.digest) for spec in oldest_first if spec.sequence >= current.sequence)
    return tuple(d for d in _unique((*map(Digest, current.rejected), *since)) if d != current.digest)


def _unique(digests: Iterable[Digest]) -> tuple[Digest, ...]:
    return tuple(dict.fromkeys(digests))


@lru_cache(maxsize=16384)
def _parsed(content: bytes) -> ReleaseSpec | str:
    try:
        return parse_release(content).spec
    except ManifestError as error:
        return str(error)
