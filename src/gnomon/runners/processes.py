"""Calls as processes of this machine, forked from a warm zygote."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gnomon.errors import UsageError
from gnomon.runners.exchange import DONE, FAILED, NO_MEMORY
from gnomon.runners.interface import Call, Needs, Outcome

if TYPE_CHECKING:
    from gnomon.runners.warm import Connection, Zygote

_State = Literal["done", "failed", "killed", "timed-out", "cancelled"]
_Reason = Literal["", "error", "memory", "timeout", "signal", "lost", "cancelled"]


class ProcessRunner:
    """Runs calls in processes of their own. Cheap to make: make one for each run, and share the zygote between them.

    Not for use by several threads at once.

    Args:
        slots: How many calls may run at the same time.
        preload: Modules for a zygote of this runner's own.
        zygote: A shared zygote instead; ``close`` then leaves it alone.
    """

    # What starts processes is imported with the first call: it takes 6 ms, and a run of which everything is known has none.

    def __init__(self, slots: int, preload: Sequence[str] = (), *, zygote: "Zygote | None" = None) -> None:
        if slots < 1:
            raise UsageError(f"a runner with {slots} slots runs nothing", "give at least one slot")
        self._slots = slots
        self._preload = preload
        self._shared = zygote
        self._own: dict[Path | None, Zygote] = {}
        self._connections: dict[Path | None, Connection] = {}
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
            connection = self._connections[call.python] = self._zygote_for(call).connect()
        self._numbers += 1
        limits = {
            "id": self._numbers,
            "timeout": call.timeout.total_seconds() if call.timeout is not None else None,
            "memory": call.memory_bytes,
        }
        exchange = _exchange(call)
        self._running[self._numbers] = (call, exchange)
        if not connection.start(limits, exchange):
            self._lose_zygote(call.python)

    def wait(self, timeout: timedelta) -> Sequence[Outcome]:
        """Return the calls that ended; waits for at least one until the timeout has passed."""
        deadline = time.monotonic() + timeout.total_seconds()
        while not self._unreported and self._running:
            patience = deadline - time.monotonic()
            if patience < 0 or not self._hear(patience):
                break
        ended, self._unreported = self._unreported, []
        return ended

    def cancel(self) -> None:
        """Kill every running call; each is then reported as ``cancelled`` by ``wait``."""
        for python in {call.python for call, _ in self._running.values()}:
            if not self._connections[python].cancel():
                self._lose_zygote(python)

    def close(self) -> None:
        """Kill what still runs and let go of everything."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()
        for _, exchange in self._running.values():
            os.close(exchange)
        self._running.clear()
        for zygote in self._own.values():
            zygote.close()
        self._own.clear()

    def _zygote_for(self, call: Call) -> "Zygote":
        from gnomon.runners.warm import Zygote  # noqa: PLC0415 - see above

        if call.python is None and self._shared is not None:
            return self._shared
        if call.python not in self._own:
            modules = self._preload if call.python is None else (call.entry.partition(":")[0],)
            self._own[call.python] = Zygote(modules, call.python)
        return self._own[call.python]

    def _hear(self, patience_s: float) -> bool:
        """Take the reports that come, and return whether any came in time."""
        from gnomon.runners.warm import speaking  # noqa: PLC0415 - see above

        heard = speaking(self._connections.values(), patience_s)
        for python, connection in [each for each in self._connections.items() if each[1] in heard]:
            report = connection.report()
            if report is None:
                self._lose_zygote(python)
                continue
            call, exchange = self._running.pop(report["id"])
            self._unreported.append(_outcome(call, report, _content(exchange)))
        return bool(heard)

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
    import signal  # noqa: PLC0415 - see ProcessRunner

    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"  # a real-time one


def _mib(size: int) -> str:
    return f"{size / 2**20:.0f} MiB"
