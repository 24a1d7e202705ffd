"""The command line of this process, as every user of the machine can read it."""

import ctypes
from pathlib import Path

_ARG_START, _ARG_END = 45, 46
"""Places after the name in /proc/PID/stat (proc_pid_stat(5): fields 48 and 49)."""


def conceal_argument(secret: str) -> None:
    """Overwrite a secret wherever it stands in the arguments that `ps` shows. What Python has read stays as it is."""
    wanted = secret.encode(errors="surrogateescape")
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    if not wanted or not 0 < start < end:
        return
    arguments = ctypes.string_at(start, end - start)
    place = arguments.find(wanted)
    while place >= 0:
        ctypes.memset(start + place, ord("*"), len(wanted))
        place = arguments.find(wanted, place + len(wanted))
