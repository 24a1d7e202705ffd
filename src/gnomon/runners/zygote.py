"""The warm process that calls are forked from: ``python -m gnomon.runners.zygote CONTROL-FD MODULE…``.

It imports what calls will need, once, and forks: a call starts in milliseconds where a fresh interpreter needs a second for its
imports. It has one thread, so that a fork copies a whole process. It knows what its children use, ends them when they pass
their limits, and ends with them when the process that started it does: it sees that by the end of its control socket, because a
death signal would be bound to the thread that started it, which may end long before the process.
"""

import gc
import importlib
import json
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gnomon.runners.child import become_subreaper, live
from gnomon.runners.oom import system_kills

SKIPPED = "GNOMON_ZYGOTE_SKIPS"
"""Environment variable with the modules that turned out to start threads; such a module is imported by the calls themselves."""

_NOTHING_USED = {"used_bytes": 0, "cpu_s": 0.0, "peak_rss_bytes": 0}
_MESSAGE_BYTES = 1 << 16
_POLL_S = 0.05
# The children of a call are looked for through all of /proc: 0.5 ms for 80 processes, so only every so many polls.
_POLLS_PER_FAMILY = 5


@dataclass
class _Running:
    """A forked call."""

    id: int
    pid: int
    client: socket.socket
    deadline: float | None
    memory_bytes: int | None
    system_kills: int
    """How many processes the system had killed for memory when that was last asked: after a call was killed from outside."""
    end: int
    """A descriptor that becomes readable when it ends. No signal is needed for that, so a call has no handler to undo."""
    ended: str = ""
    """Why it was killed, where it was: ``timed-out``, ``memory``, ``machine-memory`` or ``cancelled``."""
    used_bytes: int = 0


class _Zygote:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._clients: list[socket.socket] = []
        self._running: dict[int, _Running] = {}
        self._polls = 0
        self._system_kills = system_kills()

    def serve(self) -> None:
        """Fork and reap until the control socket ends."""
        while True:
            ends = {call.end: call for call in self._running.values()}
            watched: list[Any] = [self._control, *self._clients, *ends]
            ready, _, _ = select.select(watched, [], [], self._patience())
            for each in ready:
                if each in ends:
                    self._reap(ends[each])
            self._enforce()
            for client in [each for each in ready if each in self._clients]:
                self._hear(client)
            if self._control in ready and not self._accept():
                break
        for call in self._running.values():
            self._kill(call, "cancelled")
        for call in list(self._running.values()):
            self._reap(call)

    def _patience(self) -> float | None:
        """How long nothing may happen before a limit could be passed."""
        deadlines = [call.deadline for call in self._running.values() if call.deadline is not None and not call.ended]
        waits = [max(0.0, deadline - time.monotonic()) for deadline in deadlines]
        if any(call.memory_bytes is not None and not call.ended for call in self._running.values()):
            waits.append(_POLL_S)
        return min(waits, default=None)

    def _accept(self) -> bool:
        """Take on one more client, whose socket comes over the control socket; False when there is nobody any more."""
        message, descriptors, _, _ = socket.recv_fds(self._control, 16, 1)
        if not message:
            return False
        self._clients.append(socket.socket(fileno=descriptors[0]))
        return True

    def _hear(self, client: socket.socket) -> None:
        try:
            message, descriptors, _, _ = socket.recv_fds(client, _MESSAGE_BYTES, 1)
        except ConnectionError:
            message = b""
        if not message:
            for call in self._of(client):
                self._kill(call, "cancelled")
            self._clients.remove(client)
            client.close()
            return
        request = json.loads(message)
        if request.get("cancel"):
            for call in self._of(client):
                self._kill(call, "cancelled")
            return
        self._fork(client, request, descriptors[0])

    def _fork(self, client: socket.socket, request: dict[str, Any], exchange: int) -> None:
        zygote = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            os.close(exchange)
            self._tell(client, {"id": request["id"], "status": 1, "ended": f"not started: {error.strerror}", **_NOTHING_USED})
            return
        if pid == 0:
            others = [each.fileno() for each in (self._control, *self._clients)]
            live(exchange, zygote, [*others, *(call.end for call in self._running.values())])
        os.close(exchange)
        timeout = request["timeout"]
        self._running[pid] = _Running(
            request["id"],
            pid,
            client,
            None if timeout is None else time.monotonic() + timeout,
            request["memory"],
            self._system_kills,
            os.pidfd_open(pid),
        )

    def _of(self, client: socket.socket) -> list[_Running]:
        return [call for call in self._running.values() if call.client is client]

    def _reap(self, call: _Running) -> None:
        """Wait for a call that has ended or is about to."""
        _, status, used = os.wait4(call.pid, 0)
        os.close(call.end)
        del self._running[call.pid]
        self._end_family(call.pid)
        self._report(call, status, used)

    def _end_family(self, leader: int) -> None:
        """End what a call left behind: its process group, and what left the group, which is now a child of this process."""
        with suppress(ProcessLookupError):
            os.killpg(leader, signal.SIGKILL)
        while self._has_other_children():
            strays = [pid for pid, parent in _processes() if parent == os.getpid() and pid not in self._running]
            if not strays:
                return
            for pid in strays:
                # What it leaves behind in turn comes here as well, for the next round.
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)

    def _has_other_children(self) -> bool:
        if self._running:
            return True  # the kernel does not tell how many there are: look
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return False
        return True

    def _report(self, call: _Running, status: int, used: resource.struct_rusage) -> None:
        code = os.waitstatus_to_exitcode(status)
        if code == -signal.SIGKILL and not call.ended:
            self._system_kills = system_kills()
            if self._system_kills > call.system_kills:
                call.ended = "machine-memory"
        report = {
            "id": call.id,
            "status": code,
            "ended": call.ended,
            "used_bytes": call.used_bytes,
            "cpu_s": used.ru_utime + used.ru_stime,
            "peak_rss_bytes": used.ru_maxrss * 1024,
        }
        self._tell(call.client, report)

    def _tell(self, client: socket.socket, report: Mapping[str, Any]) -> None:
        with suppress(OSError):  # the client has gone, and does not want to know
            client.send(json.dumps(report).encode())

    def _enforce(self) -> None:
        now = time.monotonic()
        self._polls += 1
        for call in self._running.values():
            if call.ended:
                continue
            if call.deadline is not None and now >= call.deadline:
                self._kill(call, "timed-out")
            elif call.memory_bytes is not None:
                call.used_bytes = _used_bytes(call.pid, call.memory_bytes, family=self._polls % _POLLS_PER_FAMILY == 0)
                if call.used_bytes > call.memory_bytes:
                    self._kill(call, "memory")

    def _kill(self, call: _Running, why: str) -> None:
        call.ended = call.ended or why
        try:
            os.killpg(call.pid, signal.SIGKILL)
        except ProcessLookupError:
            os.kill(call.pid, signal.SIGKILL)  # it has not come to its setsid yet


def _processes() -> Iterator[tuple[int, int]]:
    """Yield (process id, parent's process id) of every process."""
    for name in os.listdir("/proc"):  # noqa: PTH208 - four times as fast as Path.iterdir
        if name.isdigit():
            try:
                stat = Path("/proc", name, "stat").read_bytes()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield int(name), int(stat[stat.rfind(b")") + 2 :].split(None, 2)[1])


def _used_bytes(leader: int, limit: int, *, family: bool) -> int:
    """Return the memory of a call that cannot be taken back: without mapped files, which the kernel may drop.

    Pages that are shared with the zygote or between the call's own processes are counted by their share, which is dearer to
    read; so first a bound from above is tried.
    """
    pids = {leader}
    if family:
        children: dict[int, list[int]] = {}
        for pid, parent in _processes():
            children.setdefault(parent, []).append(pid)
        todo = [leader]
        while todo:
            found = children.get(todo.pop(), [])
            pids.update(found)
            todo.extend(found)
    bound = sum(_kilobytes(f"/proc/{pid}/status", (b"RssAnon:", b"RssShmem:")) for pid in pids) * 1024
    if bound <= limit:
        return bound
    return sum(_kilobytes(f"/proc/{pid}/smaps_rollup", (b"Pss_Anon:", b"Pss_Shmem:")) for pid in pids) * 1024


def _kilobytes(path: str, names: tuple[bytes, ...]) -> int:
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - read 20 times a second
            return sum(int(line.split()[1]) for line in file if line.startswith(names))
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0  # it has just ended


def _preload(modules: Sequence[str]) -> None:
    """Import what calls will need; a module that starts threads makes this process begin anew without it."""
    skipped = [each for each in os.environ.get(SKIPPED, "").split(",") if each]
    for module in modules:
        if module in skipped:
            continue
        importlib.import_module(module)
        if len(os.listdir("/proc/self/task")) > 1:  # noqa: PTH208
            os.environ[SKIPPED] = ",".join([*skipped, module])
            os.execv(sys.executable, [*sys.orig_argv])  # noqa: S606 - the same program with the same arguments


def main() -> None:
    """Preload, say so, and serve."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(True)  # through the exec that leaves a module out
    try:
        _preload(sys.argv[2:])
    except Exception as error:  # noqa: BLE001 - told to the one who asked for the module
        control.send(json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
        return
    control.set_inheritable(False)
    # What a call says before it is killed is in its log, and in the order in which it was said.
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # a text file, which it always is here
    become_subreaper()
    zygote = _Zygote(control)
    control.send(json.dumps({"pid": os.getpid(), "skipped": os.environ.pop(SKIPPED, "")}).encode())
    gc.collect()
    # Frozen objects are not visited by the collector, so a child does not copy their pages.
    gc.freeze()
    zygote.serve()


if __name__ == "__main__":
    main()
