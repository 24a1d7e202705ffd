"""The warm process that calls are forked from, seen from outside. What it does itself is told in ``zygote``."""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.errors import StepFailedError
from gnomon.runners.surroundings import surroundings

_MESSAGE_BYTES = 1 << 16
_LONG_START_S = 120.0
_FOREIGN = Path(__file__).with_name("foreign.py")


class Connection:
    """A user's own way to a zygote, over which calls are started and their ends are told."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line

    def start(self, limits: Mapping[str, Any], exchange: int) -> bool:
        """Let a call be made that stands in a file; False where the zygote is gone."""
        try:
            socket.send_fds(self._line, [json.dumps(limits).encode()], [exchange])
        except OSError:
            return False
        return True

    def cancel(self) -> bool:
        """Let every call be killed; False where the zygote is gone."""
        try:
            self._line.send(b'{"cancel": true}')
        except OSError:
            return False
        return True

    def report(self) -> dict[str, Any] | None:
        """Return how a call ended; None where the zygote is gone. Waits until there is one."""
        try:
            message = self._line.recv(_MESSAGE_BYTES)
        except ConnectionError:
            return None
        return json.loads(message) if message else None

    def close(self) -> None:
        """Kill the calls that still run, and let go."""
        self._line.close()

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._line.fileno()


def speaking(connections: Iterable[Connection], timeout_s: float) -> Sequence[Connection]:
    """Return the connections with a report; waits for at least one until the timeout has passed."""
    poller = select.poll()
    by_number = {connection.fileno(): connection for connection in connections}
    for number in by_number:
        poller.register(number, select.POLLIN)
    return [by_number[number] for number, _ in poller.poll(timeout_s * 1000)]


class Zygote:
    """The warm process, started when it is first needed and again when it died. Safe to share between threads.

    Args:
        preload: Modules that it imports before the first fork. Those that start threads are left to the calls.
        python: The interpreter of another environment, which need not have this package installed.
    """

    def __init__(self, preload: Sequence[str] = (), python: Path | None = None) -> None:
        self._preload = tuple(preload)
        self._python = python
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.skipped: tuple[str, ...] = ()
        """The modules of ``preload`` that were not preloaded, because they start threads."""

    def connect(self) -> Connection:
        """Return a connection of its own to the zygote.

        Raises:
            StepFailedError: The zygote cannot be started; the cause says why.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            with theirs, self._lock:
                self._introduce(theirs)
        except BaseException:
            ours.close()
            raise
        return Connection(ours)

    def close(self) -> None:
        """End the zygote and everything that it started."""
        with self._lock:
            self._stop()

    def _introduce(self, client: socket.socket) -> None:
        for _ in range(2):
            control = self._started()
            try:
                socket.send_fds(control, [b"+"], [client.fileno()])
            except OSError:
                self._stop()  # it died since it was last used
            else:
                return
        raise StepFailedError("the process that steps are forked from dies at once", "look for its last words on stderr")

    def _started(self) -> socket.socket:
        if self._control is not None and self._process is not None and self._process.poll() is None:
            return self._control
        self._stop()
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            ours = [sys.executable, "-P", "-m", "gnomon.runners.zygote"]
            program = ours if self._python is None else [str(self._python), "-P", str(_FOREIGN)]
            try:
                # -P: the working directory is not a place to import from.
                self._process = subprocess.Popen(
                    [*program, str(theirs.fileno()), *self._preload],
                    env=surroundings(os.environ, self._python),
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    start_new_session=True,
                )
            except OSError as error:
                self._control.close()
                self._control = None
                raise StepFailedError(
                    f"{program[0]} cannot be started: {error.strerror}", "remove that environment, so that it is built again"
                ) from error
        self._control.settimeout(_LONG_START_S)
        try:
            hello = json.loads(self._control.recv(_MESSAGE_BYTES) or b'{"error": "it ended without a word"}')
        except TimeoutError:
            hello = {"error": f"not ready after {_LONG_START_S:.0f} s"}
        if "error" in hello:
            self._stop()
            raise StepFailedError(
                f"the process that steps are forked from does not start: {hello['error']}",
                f"see that these modules can be imported: {', '.join(self._preload)}",
            )
        self.skipped = tuple(each for each in hello["skipped"].split(",") if each)
        if self.skipped:
            import logging  # noqa: PLC0415 - takes 2 ms, and this is rare

            logging.getLogger(__name__).info("zygote_left_out", extra={"modules": self.skipped, "reason": "starts threads"})
        return self._control

    def _stop(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        if self._process is not None:
            try:
                self._process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None
