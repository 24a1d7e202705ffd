"""What the kernel does when memory runs out."""


def system_kills() -> int:
    """Return how many processes the kernel has killed since it started because memory ran out; 0 where it does not tell."""
    try:
        with open("/proc/vmstat", "rb") as file:  # noqa: PTH123 - read for every killed call
            return sum(int(line.split()[1]) for line in file if line.startswith(b"oom_kill "))
    except OSError:
        return 0
