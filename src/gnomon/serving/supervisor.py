"""The gateway's first process: it listens, forks the workers, and forks them again when they crash.

``python -m gnomon.serving.supervisor`` leaves it running in the background; ``process.py`` starts it so.
"""

import argparse
import ctypes
import errno
import fcntl
import gc
import importlib
import json
import logging
import mmap
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.errors import GatewayError, GnomonError
from gnomon.serving.process import boot_id, start_ticks
from gnomon.serving.status import (
    BACKLOG,
    LOCK_FILE,
    STARTING,
    STATUS_FOLDER,
    SUPERVISOR_FILE,
    SupervisorStatus,
    read_supervisor,
    write_supervisor,
)
from gnomon.version import __version__

_LOG = logging.getLogger(__name__)

_PRELOADED = ("numpy", "msgspec", "orjson", "httptools", "uvloop", "asyncio")
"""What every worker imports, once for all of them. Not onnxruntime: it starts a thread, and threads do not survive a fork."""

_LOCK_WAIT_S = 2.0
_ORPHANS_WAIT_S = 16.0
"""Workers whose supervisor was killed drain, and hold the port until then."""
_STABLE_S = 10.0
"""A worker that lived so long is restarted at once when it ends; one that did not, after a growing wait."""
_FIRST_WAIT_S = 0.05
_LONGEST_WAIT_S = 5.0
_DRAIN_S = 18.0
_NOT_ACCEPTING = 2**32
"""Connections that a worker without any is taken to have, so that no other leaves it one."""
_PR_SET_PDEATHSIG = 1


@dataclass
class _Place:
    """A worker's place. ``pid`` is 0 while it is empty."""

    slot: int
    pid: int = 0
    started: float = 0.0
    wait_s: float = 0.0
    due: float = field(default=0.0)


class _Supervisor:
    """Keeps every place filled until it is told to end. All it waits for are signals."""

    def __init__(self, home: Path, layout: Path, listener: socket.socket, workers: int, lock: int) -> None:
        self._home = home
        self._layout = layout
        self._listener = listener
        self._lock = lock
        self._places = [_Place(slot) for slot in range(workers)]
        self._boot_id = boot_id()
        self._loads = memoryview(mmap.mmap(-1, 8 * workers)).cast("Q")

    def run(self) -> None:
        """Supervise until SIGTERM, then let the workers drain."""
        signals = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
        while True:
            self._fill()
            received = signal.sigtimedwait(signals, self._patience())
            if received is not None and received.si_signo in (signal.SIGTERM, signal.SIGINT):
                break
            self._reap()
        self._drain(signals)

    def tell(self, starting: int | None = None) -> None:
        """Replace what others can read about this gateway."""
        host, port = self._listener.getsockname()[:2]
        pids: Mapping[int, int | None] = {
            place.slot: STARTING if place.slot == starting else place.pid or None for place in self._places
        }
        pid = os.getpid()
        status = SupervisorStatus(
            pid, start_ticks(pid) or 0, self._boot_id, host, port, str(self._layout), __version__, dict(pids)
        )
        write_supervisor(self._home, status)

    def _fill(self) -> None:
        now = time.monotonic()
        for place in self._places:
            if place.pid == 0 and place.due <= now:
                self._loads[place.slot] = _NOT_ACCEPTING
                self.tell(starting=place.slot)  # before the fork: nobody may think that this place stays empty
                place.started = now
                place.pid = self._fork(place.slot)
                self.tell()

    def _patience(self) -> float:
        """Return how long to wait for a signal: until a place is due."""
        now = time.monotonic()
        return min((max(0.0, place.due - now) for place in self._places if place.pid == 0), default=60.0)

    def _fork(self, slot: int) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        code = 1
        try:
            os.close(self._lock)
            self._work(slot, parent)
            code = 0
        except BaseException:  # noqa: BLE001 - the edge of the process: logged, and told by the exit code
            _LOG.exception("worker_failed", extra={"slot": slot})
        finally:
            os._exit(code)

    def _work(self, slot: int, parent: int) -> None:
        # Imported after the fork, since it imports onnxruntime.
        from gnomon.serving.worker import WorkerOptions, run_worker  # noqa: PLC0415 - see above

        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            return  # the supervisor died before it could be watched
        signal.pthread_sigmask(signal.SIG_SETMASK, set())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        run_worker(self._listener, WorkerOptions(self._home, self._layout, slot, os.getpid(), self._loads))

    def _reap(self) -> None:
        """Empty the places of workers that ended; a place is filled again the later, the more often its workers crash."""
        places = {place.pid: place for place in self._places if place.pid}
        ended = False
        for pid, place in places.items():
            done, wait_status = os.waitpid(pid, os.WNOHANG)
            if not done:
                continue
            ended = True
            now = time.monotonic()
            was_stable = now - place.started >= _STABLE_S
            place.wait_s = 0.0 if was_stable else min(_LONGEST_WAIT_S, max(_FIRST_WAIT_S, 2 * place.wait_s))
            place.pid, place.due = 0, now + place.wait_s
            self._loads[place.slot] = _NOT_ACCEPTING
            _LOG.warning(
                "worker_ended",
                extra={"slot": place.slot, "code": os.waitstatus_to_exitcode(wait_status), "again_in_s": place.wait_s},
            )
        if ended:
            self.tell()

    def _drain(self, signals: set[signal.Signals]) -> None:
        _LOG.info("gateway_draining")
        self._listener.close()  # the workers accept what has arrived, and close theirs
        deadline = time.monotonic() + _DRAIN_S
        living = {place.pid for place in self._places if place.pid}
        for pid in living:
            os.kill(pid, signal.SIGTERM)
        while living and (left := deadline - time.monotonic()) > 0:
            living -= {pid for pid in living if os.waitpid(pid, os.WNOHANG)[0]}
            if living:
                signal.sigtimedwait(signals, min(left, 0.5))
        for pid in living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        _LOG.info("gateway_ended", extra={"killed": len(living)})


def main() -> None:
    """Listen, leave the supervisor in the background, and end.

    On failure, cause and mend are printed, one line each, and the exit code is 1.
    """
    parser = argparse.ArgumentParser(prog="gnomon.serving.supervisor", description=__doc__)
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--layout", type=Path, required=True)
    parser.add_argument("--listen", required=True)
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    _log_to_stderr()
    try:
        lock = _locked(options.home / LOCK_FILE)
        listener = _listener(options.listen, _crashed_address(options.home))
    except GnomonError as error:
        sys.stdout.write(f"{error.cause}\n{error.mend}\n")
        sys.exit(1)
    for module in _PRELOADED:
        importlib.import_module(module)
    gc.collect()
    gc.freeze()  # so that a worker's collector does not touch, and thereby copy, what it shares with the others
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # each connection takes a descriptor
    supervisor = _Supervisor(options.home, options.layout, listener, max(1, options.workers), lock)
    _go_to_background(supervisor)
    supervisor.run()
    (options.home / SUPERVISOR_FILE).unlink(missing_ok=True)
    os.close(lock)
    os._exit(0)


def _go_to_background(supervisor: _Supervisor) -> None:
    """Return in a child that leads its own session; this process ends when the child can be found."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT})
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    reading, writing = os.pipe()
    if os.fork():
        os.close(writing)
        told = os.read(reading, 1)
        os._exit(0 if told else 1)
    os.setsid()
    os.close(reading)
    supervisor.tell()
    os.write(writing, b"1")
    os.close(writing)
    devnull = os.open(os.devnull, os.O_RDWR)
    os.dup2(devnull, 1)
    os.close(devnull)


def _locked(path: Path) -> int:
    (path.parent / STATUS_FOLDER).mkdir(parents=True, exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:  # perhaps only someone who looks whether it is held
            if time.monotonic() > deadline:
                raise GatewayError(f"a gateway already runs on {path.parent}", "find it, or stop it first") from error
            time.sleep(0.02)
        else:
            return lock


def _crashed_address(home: Path) -> tuple[str, int] | None:
    """Return where a gateway listened that did not end in order."""
    try:
        status = read_supervisor(home)
    except GatewayError:
        return None
    return (status.host, status.port) if status else None


def _listener(listen: str, crashed: tuple[str, int] | None) -> socket.socket:
    host, _, port_text = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port_text.isdecimal() or int(port_text) > 65535:
        raise GatewayError(f"{listen!r} is no address to listen on", "write HOST:PORT, such as 127.0.0.1:8081 or [::1]:8081")
    port = int(port_text)
    deadline = time.monotonic() + (_ORPHANS_WAIT_S if crashed is not None and crashed[1] == port else 0)
    while True:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            listener = socket.socket(family, kind, protocol)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            listener.listen(BACKLOG)
            listener.settimeout(0)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and time.monotonic() < deadline:
                time.sleep(0.05)
                continue
            mend = "stop what listens there, or serve on another port" if error.errno == errno.EADDRINUSE else "serve elsewhere"
            raise GatewayError(f"cannot listen on {listen}: {error.strerror or error}", mend) from error
        else:
            return listener


class _Lines(logging.Formatter):
    """One JSON object a line: time, event, and the fields of the event."""

    _standard = frozenset(logging.makeLogRecord({}).__dict__) | {"message"}

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"
        line = {"time": moment, "level": record.levelname.lower(), "event": record.getMessage(), "pid": record.process}
        line |= {name: value for name, value in record.__dict__.items() if name not in self._standard}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.INFO, handlers=[handler])


if __name__ == "__main__":
    main()
