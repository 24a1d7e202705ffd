"""Several users of one machine's slots: each may run as many calls as its even share, and at least one."""

import threading
from collections.abc import Sequence
from datetime import timedelta

from gnomon.runners.interface import Call, Outcome, Runner


class SlotPool:
    """Divides slots evenly between those who are there now. A share grows as soon as somebody leaves."""

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._users = 0
        self._lock = threading.Lock()

    @property
    def share(self) -> int:
        """How many slots each user has now."""
        with self._lock:
            return max(1, self._slots // max(1, self._users))

    def join(self, runner: Runner) -> "SharedRunner":
        """Return ``runner``, held to its share until it is closed."""
        with self._lock:
            self._users += 1
        return SharedRunner(runner, self)

    def leave(self) -> None:
        """Give a share back."""
        with self._lock:
            self._users -= 1


class SharedRunner:
    """A runner whose slots are its share of a pool; calls that run when the share shrinks run on."""

    def __init__(self, runner: Runner, pool: SlotPool) -> None:
        self._runner = runner
        self._pool = pool
        self._is_open = True

    @property
    def slots(self) -> int:
        """How many calls may run at the same time now."""
        return min(self._runner.slots, self._pool.share)

    def submit(self, call: Call) -> None:
        """Start a call."""
        self._runner.submit(call)

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed."""
        return self._runner.wait(timeout)

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        self._runner.cancel()

    def close(self) -> None:
        """Kill what still runs, let go of everything, and give the share back."""
        self._runner.close()
        if self._is_open:
            self._is_open = False
            self._pool.leave()
