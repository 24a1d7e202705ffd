"""A runner executes calls ``bytes -> bytes`` in isolation, and tells what each used. It knows nothing of steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, NamedTuple, Protocol


class Needs(NamedTuple):
    """What a call holds while it runs, and how much it is wanted: of two that could start, the higher priority goes first."""

    cpus: int = 1
    memory_bytes: int | None = None
    gpu: int = 0
    priority: int = 0


@dataclass(frozen=True)
class Call:
    """One call to make: ``entry`` names an importable function ``module:function`` that takes and returns bytes.

    ``path`` is put in front of the child's import path. Output of the child goes to the file ``log``. ``python`` is the
    interpreter of another environment that the call is made in, with this package within its reach.
    """

    token: str
    entry: str
    payload: bytes
    log: Path
    path: tuple[Path, ...] = ()
    timeout: timedelta | None = None
    memory_bytes: int | None = None
    seed: int = 0
    environment: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    python: Path | None = None
    needs: Needs = Needs()  # noqa: RUF009 - a tuple, which nobody can change


@dataclass(frozen=True)
class Outcome:
    """How a call ended. ``killed`` names the signal in ``error``, or says that memory ran out."""

    token: str
    state: Literal["done", "failed", "killed", "timed-out", "cancelled"]
    result: bytes = b""
    error: str = ""
    """For ``failed``: the exception's text, cause and mend first, and where in the caller's code it was raised."""
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0
    reason: Literal["", "error", "memory", "timeout", "signal", "lost", "cancelled"] = ""
    """``memory``: over its limit, or the machine had none left. ``lost``: what it ran in went away; it may be made again."""


class Runner(Protocol):
    """Runs calls at the same time, as many as ``slots`` says; the caller submits what it reserved for and no more."""

    @property
    def slots(self) -> int:
        """How many calls may run at the same time."""
        ...

    def reserve(self, needs: Needs) -> bool:
        """Set aside what the next call needs, and return True; False where it must wait for others to end.

        Raises:
            UsageError: This machine never has what is needed.
        """
        ...

    def submit(self, call: Call) -> None:
        """Start a call."""
        ...

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed. Returns at once where none runs."""
        ...

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        ...

    def close(self) -> None:
        """Kill what still runs and let go of everything."""
        ...
