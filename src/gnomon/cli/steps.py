"""The steps of a run as the lines of a table."""

from collections.abc import Mapping
from typing import Any

from gnomon.cli.output import Column

STEP_COLUMNS = (
    Column("STEP", "name"),
    Column("STATE", "state"),
    Column("ATTEMPT", "attempt"),
    Column("SECONDS", "seconds"),
    Column("CPU s", "cpuSeconds"),
    Column("MEMORY MB", "memory"),
    Column("ERROR", "error"),
    Column("RESULTS", "kept", wide=True),
    Column("KEY", "key", wide=True),
)


def step_row(step: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step, as the API tells of it, as a line of ``STEP_COLUMNS``."""
    kept = ", ".join(f"{name} ({item['codec']} {item['digest'][7:19]})" for name, item in step["results"].items())
    memory = round(step["peakMemoryBytes"] / 1e6)
    ran = step["state"] != "cached"
    return {
        **step,
        "seconds": step["seconds"] if ran else "",
        "cpuSeconds": step["cpuSeconds"] if ran else "",
        "memory": memory if ran else "",
        "kept": kept,
        "key": step["key"][:12],
    }
