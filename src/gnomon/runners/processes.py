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
from typing import Any, Literal

from gnomon.errors import StepFailedError, UsageError
from gnomon.runners.child import DONE, FAILED
from gnomon.runners.interface import Call, Outcome

_LOG = logging.getLogger(__name__)
_State = Literal["done", "failed", "killed", "timed-out", "cancelled"]
_MESSAGE_BYTES = 1 << 16
_LONG_START_S = 120.0

# One call is one thread: a runner gives the parallelism. And libraries that start threads when they are imported must not,
# because a fork copies only the thread that forks. Seen with one thread after import (November 2026, x86-64): numpy 2.4,
# scipy, scikit-learn, lightgbm, onnx, duckdb, matplotlib, pandas and pyarrow (with the setting below; its jemalloc starts one
# otherwise). Seen with more, whatever is set, so left to the calls: polars 2.1, onnxruntime 1.32. Preloading scikit-learn and
# LightGBM saves a call 1.0 s of CPU; polars and onnxruntime cost each call that uses them 0.13 s and 0.08 s.
_ENVIRONMENT = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    "ARROW_NUM_THREADS": "1",
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
    # The order of sets of strings is the same in every process, so that equal calls give equal bytes.
    "PYTHONHASHSEED": "0",
}


class Zygote:
    """The warm process, started when it is first needed and again when it died. Safe to share between threads.

    Args:
        preload: Modules that it imports before the first fork. Those that start threads are left to the calls.
    """

    def __init__(self, preload: Sequence[str] = ()) -> None:
        self._preload = tuple(preload)
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
            # -P: the working directory is not a place to import from.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "gnomon.runners.zygote", str(theirs.fileno()), *self._preload],
                env={**os.environ, **_ENVIRONMENT},
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
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
        self._connection: socket.socket | None = None
        self._running: dict[int, tuple[Call, int]] = {}
        self._numbers = 0
        self._unreported: list[Outcome] = []

    @property
    def slots(self) -> int:
        """How many calls may run at the same time."""
        return self._slots

    def submit(self, call: Call) -> None:
        """Start a call. Raises StepFailedError where no process can be started at all."""
        if len(self._running) >= self._slots:
            raise UsageError(f"{call.token} is one call more than the {self._slots} slots", "wait for another one to end")
        if self._connection is None:
            self._connection = self._zygote.connect()
        self._numbers += 1
        limits = {
            "id": self._numbers,
            "timeout": call.timeout.total_seconds() if call.timeout is not None else None,
            "memory": call.memory_bytes,
        }
        exchange = _exchange(call)
        self._running[self._numbers] = (call, exchange)
        try:
            socket.send_fds(self._connection, [json.dumps(limits).encode()], [exchange])
        except OSError:
            self._lose_zygote()

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed."""
        deadline = time.monotonic() + timeout.total_seconds()
        while not self._unreported and self._running and self._connection is not None:
            patience = deadline - time.monotonic()
            if patience < 0 or not _readable(self._connection, patience):
                break
            self._hear(self._connection)
        ended, self._unreported = self._unreported, []
        return ended

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        if self._connection is not None and self._running:
            try:
                self._connection.send(b'{"cancel": true}')
            except OSError:
                self._lose_zygote()

    def close(self) -> None:
        """Kill what still runs and let go of everything."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        for _, exchange in self._running.values():
            os.close(exchange)
        self._running.clear()
        if self._owns_zygote:
            self._zygote.close()

    def _hear(self, connection: socket.socket) -> None:
        try:
            message = connection.recv(_MESSAGE_BYTES)
        except ConnectionError:
            message = b""
        if not message:
            self._lose_zygote()
            return
        report = json.loads(message)
        call, exchange = self._running.pop(report["id"])
        self._unreported.append(_outcome(call, report, _content(exchange)))

    def _lose_zygote(self) -> None:
        for call, exchange in self._running.values():
            os.close(exchange)
            self._unreported.append(Outcome(call.token, "killed", error="killed together with the process it was forked from"))
        self._running.clear()
        if self._connection is not None:
            self._connection.close()
            self._connection = None


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


def _readable(connection: socket.socket, timeout_s: float) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLIN)
    return bool(poller.poll(timeout_s * 1000))


def _outcome(call: Call, report: Mapping[str, Any], content: bytes) -> Outcome:
    state, error = _verdict(call, report, content[: len(DONE)])
    body = content[len(DONE) :]
    return Outcome(
        call.token,
        state,
        result=body if state == "done" else b"",
        error=error or (body.decode("utf-8", "replace") if state == "failed" else ""),
        cpu_s=float(report["cpu_s"]),
        peak_rss_bytes=int(report["peak_rss_bytes"]),
    )


def _verdict(call: Call, report: Mapping[str, Any], how: bytes) -> tuple[_State, str]:
    """Return how a call ended, and why where the call itself did not say."""
    match report["ended"]:
        case "timed-out" if call.timeout is not None:
            return "timed-out", f"timed out after {call.timeout.total_seconds():g} s"
        case "memory" if call.memory_bytes is not None:
            return "killed", f"killed: used {_mib(report['used_bytes'])} of {_mib(call.memory_bytes)} allowed"
        case "cancelled":
            return "cancelled", "cancelled"
    if report["ended"]:
        return "failed", f"its process was {report['ended']}"
    if report["status"] < 0:
        return "killed", f"killed by {_signal_name(-report['status'])}"
    if report["status"] != 0 or how not in {DONE, FAILED}:
        return "failed", f"its process left early, with exit code {report['status']}"
    return ("failed" if how == FAILED else "done"), ""


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
