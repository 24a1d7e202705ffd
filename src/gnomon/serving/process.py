"""The gateway as others see it: started, found, stopped. It outlives whoever started it."""

import fcntl
import os
import select
import signal
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gnomon.errors import DeadlineError, GatewayError
from gnomon.serving.status import LOCK_FILE, LOG_FILE, STATUS_FOLDER, SupervisorStatus, read_supervisor

_START_TIMEOUT_S = 30
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "PYTHONPATH", "LD_LIBRARY_PATH")
"""All that the gateway inherits: its starter's environment may hold secrets."""


@dataclass(frozen=True)
class GatewayHandle:
    """A running gateway. ``host`` and ``port`` are where it listens; ``version`` is that of the code it runs."""

    home: Path
    pid: int
    host: str
    port: int
    layout: Path
    version: str

    @property
    def address(self) -> str:
        """``host:port``, as a URL takes it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Where the data plane is reached."""
        return f"http://{self.address}"


def start_gateway(home: Path, layout: Path, listen: str, workers: int = 1) -> GatewayHandle:
    """Start a gateway that serves what ``home/routes.json`` says from the artifacts in ``layout``, or return the running one.

    It listens once this returns; requests wait until the first worker has loaded the routes. Port 0 takes a free port.

    Raises:
        GatewayError: ``listen`` cannot be listened on, another gateway runs on ``home``, or it did not start.
    """
    home, layout = home.resolve(), layout.resolve()
    running = find_gateway(home)
    if running is not None:
        if running.layout != layout:
            raise GatewayError(f"the gateway of {home} serves from {running.layout}, not from {layout}", "stop it first")
        return running
    (home / STATUS_FOLDER).mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-P", "-m", "gnomon.serving.supervisor"]
    command += ["--home", str(home), "--layout", str(layout), "--listen", listen, "--workers", str(workers)]
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment |= {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    with (home / LOG_FILE).open("ab") as log:
        try:
            # The process that is waited for here ends as soon as the one that it leaves behind listens.
            started = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                env=environment,
                cwd="/",
                start_new_session=True,
                timeout=_START_TIMEOUT_S,
                check=False,
                text=True,
            )
        except subprocess.TimeoutExpired as error:
            raise GatewayError(f"the gateway did not start within {_START_TIMEOUT_S} s", f"see {home / LOG_FILE}") from error
    cause, _, mend = started.stdout.strip().partition("\n")
    if started.returncode != 0:
        raise GatewayError(cause or "the gateway did not start", mend or f"see {home / LOG_FILE}")
    handle = find_gateway(home)
    if handle is None:
        raise GatewayError("the gateway ended as soon as it had started", f"see {home / LOG_FILE}")
    return handle


def find_gateway(home: Path) -> GatewayHandle | None:
    """Return the gateway that runs on ``home``, whoever started it.

    Its supervisor holds a lock that the kernel takes back when it dies, however it dies.
    """
    if not _is_locked(home / LOCK_FILE):
        return None
    status = read_supervisor(home)
    if status is None:
        return None  # it is just starting, or just ending
    return GatewayHandle(home.resolve(), status.pid, status.host, status.port, Path(status.layout), status.version)


def stop_gateway(home: Path, deadline: timedelta = timedelta(seconds=20)) -> None:
    """Let the gateway finish what it is answering, and end. Nothing to do where none runs.

    Raises:
        DeadlineError: It had not ended in time, and was killed.
    """
    status = read_supervisor(home) if _is_locked(home / LOCK_FILE) else None
    if status is None:
        return
    descriptor = _opened_process(status)
    if descriptor is None:
        return
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        if _has_ended(descriptor, deadline):
            return
        os.killpg(status.pid, signal.SIGKILL)
        _has_ended(descriptor, timedelta(seconds=5))
    finally:
        os.close(descriptor)
    raise DeadlineError(
        f"the gateway did not drain within {deadline.total_seconds():g} s and was killed",
        "give it longer, or let clients ask for less at once",
    )


def start_ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks after boot, or None where there is no such process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return int(stat.rpartition(")")[2].split()[19])


def boot_id() -> str:
    """Return the name of this boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _opened_process(status: SupervisorStatus) -> int | None:
    """Return a descriptor of the supervisor's process, never of a later one with its number; None where it is gone."""
    try:
        descriptor = os.pidfd_open(status.pid)
    except ProcessLookupError:
        return None
    if start_ticks(status.pid) == status.start_ticks and boot_id() == status.boot_id:
        return descriptor
    os.close(descriptor)
    return None


def _has_ended(descriptor: int, deadline: timedelta) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(deadline.total_seconds() * 1000))


def _is_locked(path: Path) -> bool:
    """Return whether a supervisor lives. The shared lock that asks is let go at once; a supervisor that starts tries again."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
