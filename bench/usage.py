"""What a command uses, with all processes that it starts, measured from outside."""

import ctypes
import os
import resource
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PR_SET_CHILD_SUBREAPER = 36
_GRACE_S = 5.0


class CommandFailedError(Exception):
    """A measured command did not end well; the text holds its last words."""


@dataclass(frozen=True)
class Used:
    """The wall and processor seconds of a command, and what it printed."""

    wall_s: float
    cpu_s: float
    output: str


def used_by(command: Sequence[str], folder: Path, environment: Mapping[str, str], timeout_s: float = 180.0) -> Used:
    """Run a command and return what it used; what it leaves behind is ended, and counted too.

    Raises:
        CommandFailedError: It exits with an error, or not in time.
    """
    # What outlives its parent becomes our child, so that its processor time is not lost.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    with tempfile.TemporaryFile() as output:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        status, cpu_s = _wait(process, started + timeout_s)
        wall_s = time.perf_counter() - started
        cpu_s += _end_strays()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if status != 0:
        raise CommandFailedError(
            f"{' '.join(command[:3])} ended with {status}: {' / '.join(text.strip().splitlines()[-3:])[-400:]}"
        )
    return Used(wall_s, cpu_s, text)


def _wait(process: subprocess.Popen[bytes], deadline: float) -> tuple[int, float]:
    while True:
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
        if pid:
            process.returncode = os.waitstatus_to_exitcode(status)
            return process.returncode, _cpu(used)
        if time.perf_counter() > deadline:
            process.kill()
        time.sleep(0.002)


def _end_strays() -> float:
    cpu_s = 0.0
    deadline = time.monotonic() + _GRACE_S
    while strays := _children():
        for pid in strays:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL)
        time.sleep(0.02)
        with suppress(ChildProcessError):
            while (ended := os.wait4(-1, os.WNOHANG))[0]:
                cpu_s += _cpu(ended[2])
    return cpu_s


def _children() -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.append(int(path.parent.name))
    return found


def _cpu(used: resource.struct_rusage) -> float:
    return used.ru_utime + used.ru_stime
