"""Which process drives a run, and whether it still lives: told by the kernel, without heartbeats."""

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_START_FIELD = 19  # of /proc/PID/stat, counted from the state, which follows the name in parentheses


def process_identity() -> str:
    """Return what names this process for ever: boot id, process id and start time."""
    return f"{_BOOT_ID.read_text().strip()} {os.getpid()} {_start_time(os.getpid())}"


def is_alive(identity: str) -> bool:
    """Return whether the process that has this identity still runs on this machine."""
    boot, _, rest = identity.partition(" ")
    pid, _, started = rest.partition(" ")
    return boot == _BOOT_ID.read_text().strip() and pid.isdigit() and started != "" and _start_time(int(pid)) == started


def _start_time(pid: int) -> str | None:
    """Return when a process started, in ticks since the boot; None where it is gone, a zombie included."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rfind(")") + 2 :].split()
    return None if fields[0] in {"Z", "X"} else fields[_START_FIELD]
