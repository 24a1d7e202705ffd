"""How measured figures are written for people: numbers with their units, in one way everywhere."""

_MIB, _KIB = 2**20, 2**10


def format_figure(metric: str, value: float, digits: int = 0) -> str:
    """Return a metric's value with its unit: ``latencyP99`` is in milliseconds, ``size`` in bytes, others have none.

    Args:
        metric: Whose value it is.
        value: The value.
        digits: Significant digits; 0 for as many as people read with ease: 3 of a latency, 4 of a size, 5 of others.
    """
    if metric == "latencyP99":
        return f"{value:.{digits or 3}g} ms"
    if metric == "size":
        return format_bytes(value, digits or 4)
    return f"{value:.{digits or 5}g}"


def format_bytes(value: float, digits: int = 4) -> str:
    """Return bytes in the largest binary unit of which there is at least one."""
    for unit, size in (("MiB", _MIB), ("KiB", _KIB)):
        if value >= size:
            return f"{value / size:.{digits}g} {unit}"
    return f"{value:.{digits}g} B"


def format_apart(metric: str, first: float, second: float) -> tuple[str, str]:
    """Return two values with as many digits as it takes to tell them apart."""
    for digits in (0, 9, 17):
        texts = format_figure(metric, first, digits), format_figure(metric, second, digits)
        if first == second or texts[0] != texts[1]:
            break
    return texts


def format_gain(gain: float) -> str:
    """Return a relative gain as a signed percentage."""
    return f"{gain * 100:+.3g}%"
