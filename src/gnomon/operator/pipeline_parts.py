"""What a run of a pipeline depends on, in parts, so that a change can be named."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

_NOT_IN_THE_RESULT = frozenset({"limits", "watched"})


@dataclass(frozen=True)
class PipelineCode:
    """What the steps of a pipeline come to in one commit, or why they come to nothing."""

    checkout: str
    """Name of the checkout that holds the code."""
    watched: str = ""
    """Digest of the files whose changes start a run; empty where every change does."""
    steps: Mapping[str, str] = field(default_factory=dict)
    """Digest of the code closure, by step."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Digest of the values and of what is taken from where, by step."""
    environment: str = ""
    inputs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Blobs of the files, by input that names files."""
    limits: str = ""
    """Digest of what steps may use."""
    error: str = ""


@dataclass(frozen=True)
class PipelineParts:
    """Digests of everything that the result of a pipeline depends on, by name.

    ``limits`` and ``watched`` are no part of the result: the first is a reason to try again what failed, the second tells
    whether a commit touched the files that a trigger names.
    """

    parts: tuple[tuple[str, str], ...]

    @property
    def digest(self) -> str:
        """One digest over all that decides the result."""
        lines = (f"{name}={digest}" for name, digest in self.parts if name not in _NOT_IN_THE_RESULT)
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()

    def changed(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """Return the names of the deciding parts that differ from those of an earlier run."""
        now = dict(self.parts)
        names = sorted((now.keys() | before.keys()) - _NOT_IN_THE_RESULT)
        return tuple(name for name in names if now.get(name) != before.get(name))

    def has_other(self, name: str, before: Mapping[str, str]) -> bool:
        """Return whether an earlier run had another value of one part; one that does not tell had not."""
        now = dict(self.parts).get(name, "")
        return before.get(name, now) != now


def parts_of(code: PipelineCode, snapshots: Mapping[str, str]) -> PipelineParts:
    """Return the parts of a run.

    Args:
        code: What its steps come to.
        snapshots: Digest of the snapshot, by input that names a dataset.
    """
    return PipelineParts(
        (
            *((f"code:{step}", digest) for step, digest in code.steps.items()),
            *((f"values:{step}", digest) for step, digest in code.values.items()),
            ("environment", code.environment),
            *((f"data:{name}", digest) for name, digest in snapshots.items()),
            *((f"files:{name}", " ".join(blobs)) for name, blobs in code.inputs.items()),
            ("limits", code.limits),
            ("watched", code.watched),
        )
    )


def told(changed: tuple[str, ...]) -> str:
    """Return changed parts in words: ``the code of clean and left, the data of flights``."""
    return ", ".join(_told(changed))


def _told(changed: tuple[str, ...]) -> Iterator[str]:
    for group, words in (("code", "the code of"), ("values", "the values of"), ("files", "the files"), ("data", "the data of")):
        names = [name.partition(":")[2] for name in changed if name.startswith(f"{group}:")]
        if names:
            yield f"{words} {' and '.join(names)}"
    if "environment" in changed:
        yield "the environment"
