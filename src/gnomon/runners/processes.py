"""Calls as processes of this machine, forked from a warm zygote."""

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

from gnomon.errors import StepFailedError, UsageError
from gnomon.runners.child import DONE, FAILED, NO_MEMORY
from gnomon.runners.interface import Call, Needs, Outcome
from gnomon.runners.surroundings import surroundings

_LOG = logging.getLogger(__name__)
_State = Literal["done", "failed", "killed", "timed-out", "cancelled"]
_Reason = Literal["", "error", "memory", "timeout", "signal", "lost", "cancelled"]
_MESSAGE_BYTES = 1 << 16
_LONG_START_S = 120.0

_FOREIGN = Path(__file__).with_name("foreign.py")


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

    def connect(self) -> socket.socket:
        """Return a connection of its own to the zygote, over which calls are started and their ends are told.

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
        return ours

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
            _LOG.info("zygote_left_out", extra={"modules": self.skipped, "reason": "starts threads"})
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


class ProcessRunner:
    """Runs calls in processes of their own. Cheap to make: make one for each run, and share the zygote between them.

    Not for use by several threads at once.

    Args:
        slots: How many calls may run at the same time.
        preload: Modules for a zygote of this runner's own.
        zygote: A shared zygote instead; ``close`` then leaves it alone.
    """

    def __init__(self, slots: int, preload: Sequence[str] = (), *, zygote: Zygote | None = None) -> None:
        if slots < 1:
            raise UsageError(f"a runner with {slots} slots runs nothing", "give at least one slot")
        self._slots = slots
        self._owns_zygote = zygote is None
        self._zygote = zygote if zygote is not None else Zygote(preload)
        self._foreign: dict[Path, Zygote] = {}
        self._connections: dict[Path | None, socket.socket] = {}
        self._running: dict[int, tuple[Call, int]] = {}
        self._numbers = 0
        self._unreported: list[Outcome] = []

    @property
    def slots(self) -> int:
        """How many calls may run at the same time."""
        return self._slots

    def reserve(self, needs: Needs) -> bool:
        """Return whether a slot is free."""
        if needs.gpu:
            raise UsageError(
                f"a call needs {needs.gpu} GPUs, and this machine offers none", "take gpu out, or run it elsewhere"
            )
        return len(self._running) < self._slots

    def submit(self, call: Call) -> None:
        """Start a call. Raises StepFailedError where no process can be started at all."""
        if len(self._running) >= self._slots:
            raise UsageError(f"{call.token} is one call more than the {self._slots} slots", "wait for another one to end")
        connection = self._connections.get(call.python)
        if connection is None:
            connection = self._connections[call.python] = self._zygote_of(call.python, call.entry.partition(":")[0]).connect()
        self._numbers += 1
        limits = {
            "id": self._numbers,
            "timeout": call.timeout.total_seconds() if call.timeout is not None else None,
            "memory": call.memory_bytes,
        }
        exchange = _exchange(call)
        self._running[self._numbers] = (call, exchange)
        try:
            socket.send_fds(connection, [json.dumps(limits).encode()], [exchange])
        except OSError:
            self._lose_zygote(call.python)

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed."""
        deadline = time.monotonic() + timeout.total_seconds()
        while not self._unreported and self._running:
            patience = deadline - time.monotonic()
            ready = _readable(self._connections, patience) if patience >= 0 else ()
            if not ready:
                break
            for python in ready:
                self._hear(python)
        ended, self._unreported = self._unreported, []
        return ended

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        for python in {call.python for call, _ in self._running.values()}:
            try:
                self._connections[python].send(b'{"cancel": true}')
            except OSError:
                self._lose_zygote(python)

    def close(self) -> None:
        """Kill what still runs and let go of everything."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        for _, exchange in self._running.values():
            os.close(exchange)
        self._running.clear()
        for zygote in (*self._foreign.values(), *([self._zygote] if self._owns_zygote else ())):
            zygote.close()
        self._foreign.clear()

    def _zygote_of(self, python: Path | None, module: str) -> Zygote:
        if python is None:
            return self._zygote
        return self._foreign.setdefault(python, Zygote((module,), python))

    def _hear(self, python: Path | None) -> None:
        try:
            message = self._connections[python].recv(_MESSAGE_BYTES)
        except ConnectionError:
            message = b""
        if not message:
            self._lose_zygote(python)
            return
        report = json.loads(message)
        call, exchange = self._running.pop(report["id"])
        self._unreported.append(_outcome(call, report, _content(exchange)))

    def _lose_zygote(self, python: Path | None) -> None:
        lost = [number for number, (call, _) in self._running.items() if call.python == python]
        for number in lost:
            call, exchange = self._running.pop(number)
            os.close(exchange)
            told = "killed together with the process it was forked from"
            self._unreported.append(Outcome(call.token, "killed", error=told, reason="lost"))
        connection = self._connections.pop(python, None)
        if connection is not None:
            connection.close()


def _exchange(call: Call) -> int:
    """Return a file in memory with everything that the child needs."""
    header = {
        "entry": call.entry,
        "log": str(call.log.absolute()),
        "path": [str(each.absolute()) for each in call.path],
        "environment": dict(call.environment),
        "seed": call.seed,
    }
    descriptor = os.memfd_create("gnomon-call", os.MFD_CLOEXEC)
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(json.dumps(header).encode() + b"\n" + call.payload)
    return descriptor


def _content(exchange: int) -> bytes:
    with os.fdopen(exchange, "rb") as file:
        file.seek(0)
        return file.read()


def _readable(connections: Mapping[Path | None, socket.socket], timeout_s: float) -> Sequence[Path | None]:
    """Return the interpreters whose zygotes have something to say."""
    poller = select.poll()
    names = {connection.fileno(): python for python, connection in connections.items()}
    for number in names:
        poller.register(number, select.POLLIN)
    return [names[number] for number, _ in poller.poll(timeout_s * 1000)]


def _outcome(call: Call, report: Mapping[str, Any], content: bytes) -> Outcome:
    how, body = content[: len(DONE)], content[len(DONE) :]
    state, reason, error = _verdict(call, report, how)
    return Outcome(
        call.token,
        state,
        result=body if state == "done" else b"",
        error=error or (body.decode("utf-8", "replace") if state == "failed" else ""),
        cpu_s=float(report["cpu_s"]),
        peak_rss_bytes=int(report["peak_rss_bytes"]),
        reason=reason,
    )


def _verdict(call: Call, report: Mapping[str, Any], how: bytes) -> tuple[_State, _Reason, str]:
    """Return how a call ended, and why where the call itself did not say."""
    match report["ended"]:
        case "timed-out" if call.timeout is not None:
            return "timed-out", "timeout", f"timed out after {call.timeout.total_seconds():g} s"
        case "memory" if call.memory_bytes is not None:
            used = f"used {_mib(report['used_bytes'])} of {_mib(call.memory_bytes)} allowed"
            return "killed", "memory", f"killed for memory: {used}"
        case "machine-memory":
            used = f"it used {_mib(report['peak_rss_bytes'])} when the machine had no more"
            return "killed", "memory", f"killed for memory by the system: {used}"
        case "cancelled":
            return "cancelled", "cancelled", "cancelled"
    if report["ended"]:
        return "failed", "lost", f"its process was {report['ended']}"
    if report["status"] < 0:
        return "killed", "signal", f"killed by {_signal_name(-report['status'])}"
    if report["status"] != 0 or how not in {DONE, FAILED, NO_MEMORY}:
        return "failed", "error", f"its process left early, with exit code {report['status']}"
    if how == DONE:
        return "done", "", ""
    return "failed", ("memory" if how == NO_MEMORY else "error"), ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
