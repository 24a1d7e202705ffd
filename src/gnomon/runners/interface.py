"""A runner executes calls ``bytes -> bytes`` in isolation, and tells what each used. It knows nothing of steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Literal, Protocol


@dataclass(frozen=True)
class Call:
    """One call to make: ``entry`` names an importable function ``module:function`` that takes and returns bytes.

    ``path`` is put in front of the child's import path. Output of the child goes to the file ``log``.
    """

    token: str
    entry: str
    payload: bytes
    log: Path
    path: tuple[Path, ...] = ()
    timeout: timedelta | None = None
    memory_bytes: int | None = None
    seed: int = 0
    environment: tuple[tuple[str, str], ...] = field(default=())


@dataclass(frozen=True)
class Outcome:
    """How a call ended. ``killed`` names the signal in ``error``, or says that the memory limit was passed."""

    token: str
    state: Literal["done", "failed", "killed", "timed-out", "cancelled"]
    result: bytes = b""
    error: str = ""
    """For ``failed``: the exception's text, cause and mend first, and where in the caller's code it was raised."""
    cpu_s: float = 0.0
    peak_rss_bytes: int = 0


class Runner(Protocol):
    """Runs calls at the same time, as many as ``slots`` says; the caller submits no more than that."""

    @property
    def slots(self) -> int:
        """How many calls may run at the same time."""
        ...

    def submit(self, call: Call) -> None:
        """Start a call."""
        ...

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed."""
        ...

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        ...

    def close(self) -> None:
        """Kill what still runs and let go of everything."""
        ...
