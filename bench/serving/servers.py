"""The servers under test: ours and the peers', each with the same model, each asked for the same row."""

import http.client
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

from bench.environments import PeerUnavailableError
from gnomon.serving.process import find_gateway, start_gateway, stop_gateway
from gnomon.serving.status import read_supervisor

_START_TIMEOUT_S = 60
_POLL_S = 0.005


@dataclass(frozen=True)
class Question:
    """What a server is asked, and how its answer is read."""

    path: str
    body: bytes
    answer: Callable[[Any], float]


class Server(Protocol):
    """A server that can be started and asked."""

    name: str
    question: Question

    def start(self) -> None:
        """Start without waiting for the first answer."""
        ...

    def stop(self) -> None:
        """End all processes."""
        ...

    @property
    def port(self) -> int:
        """Where it listens."""
        ...

    @property
    def pids(self) -> Sequence[int]:
        """Its processes."""
        ...


@dataclass
class Peer:
    """Someone else's server: a command with ``{port}`` in it, pinned to a core. Its output goes to ``log``."""

    name: str
    question: Question
    command: Callable[[int], list[str]]
    core: int
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start on a free port."""
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["taskset", "-c", str(self.core), *self.command(self.port)],
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **self.environment},
                start_new_session=True,
            )

    def stop(self) -> None:
        """End the whole session."""
        if self._process is None:
            return
        for ending in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self._process.pid, ending)
                self._process.wait(5)
            except ProcessLookupError:
                break
            except subprocess.TimeoutExpired:
                continue
        self._process.wait()
        self._process = None

    @property
    def pids(self) -> Sequence[int]:
        """The processes of its session."""
        leader = self._process.pid if self._process else -1
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    fields = (entry / "stat").read_text().rpartition(")")[2].split()
                except (FileNotFoundError, ProcessLookupError):
                    continue
                if int(fields[3]) == leader:
                    found.append(int(entry.name))
        return found


@dataclass
class Ours:
    """The gateway with one worker, pinned to a core."""

    name: str
    question: Question
    home: Path
    layout: Path
    core: int
    port: int = 0

    def start(self) -> None:
        """Start on a free port; the cores of this process are lent to the gateway."""
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {self.core})
        try:
            self.port = start_gateway(self.home, self.layout, "127.0.0.1:0", 1).port
        finally:
            os.sched_setaffinity(0, cores)

    def stop(self) -> None:
        """Drain."""
        stop_gateway(self.home, timedelta(seconds=20))

    @property
    def pids(self) -> Sequence[int]:
        """The supervisor and its worker."""
        handle, supervisor = find_gateway(self.home), read_supervisor(self.home)
        if handle is None or supervisor is None:
            return []
        return [handle.pid, *(pid for pid in supervisor.workers.values() if pid)]


def first_answer_s(server: Server, expected: float) -> float:
    """Start a server and return the seconds until it gave its first answer, which must be the expected one.

    Raises:
        PeerUnavailableError: There was none in time, or another one.
    """
    began = time.perf_counter()
    server.start()
    refusal = "no answer"
    while time.perf_counter() - began < _START_TIMEOUT_S:
        try:
            status, content = asked(server)
        except (OSError, http.client.HTTPException):
            time.sleep(_POLL_S)
            continue
        if status == 200:
            took = time.perf_counter() - began
            got = server.question.answer(json.loads(content))
            if abs(got - expected) > 1e-2:
                raise PeerUnavailableError(f"{server.name} answered {got} instead of {expected}")
            return took
        refusal = f"{status}: {content[:200].decode(errors='replace')}"
        time.sleep(_POLL_S)
    raise PeerUnavailableError(f"{server.name} did not answer within {_START_TIMEOUT_S} s ({refusal})")


def asked(server: Server) -> tuple[int, bytes]:
    """Ask a server once."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        connection.request("POST", server.question.path, server.question.body, {"content-type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def memory_mb(server: Server) -> float:
    """Return the memory of a server's processes: proportional set size, so that shared pages count once."""
    total_kb = 0
    for pid in server.pids:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total_kb += int(line.split()[1])
    return total_kb / 1024


def cpu_s(server: Server) -> float:
    """Return the processor time that a server's processes have used."""
    ticks = 0
    for pid in server.pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
