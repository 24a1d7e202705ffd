"""Runs become one table: a row for each run, or for each window, and a column for each metric."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from gnomon.cli.output import Column

_METRIC = "metric:"
_PACKED = ("latencyP99", "size")
"""Measured on the artifact alone: these say nothing about rows, and come last."""
_FIRST = (Column("RUN", "id"), Column("OF", "of"))
_WINDOW = (Column("WINDOW", "window"), Column("FROM", "from", wide=True), Column("UNTIL", "until", wide=True))
_VERDICT = (
    Column("ROWS", "rows", wide=True),
    Column("STATE", "state"),
    Column("VERSION", "version"),
    Column("WINNER", "winner"),
)
_LAST = (
    Column("GATES", "gates", wide=True),
    Column("TOOK", "took", wide=True),
    Column("STARTED", "started"),
    Column("REVISION", "commit", wide=True),
    Column("SNAPSHOT", "data", wide=True),
    Column("MESSAGE", "message"),
)


def run_columns(runs: Sequence[Mapping[str, Any]]) -> tuple[Column, ...]:
    """Return the columns of a table of these runs: those of windows where there are any, and one for each metric."""
    found = dict.fromkeys(name for run in runs for name in run["summary"].get("metrics") or {})
    metrics = sorted(found, key=_PACKED.__contains__)
    windows = _WINDOW if any(_window(run) for run in runs) else ()
    return (*_FIRST, *windows, *_VERDICT, *(Column(name, f"{_METRIC}{name}", wide=True) for name in metrics), *_LAST)


def run_row(run: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the table shows of a run; its metrics are those of the packed artifact on the test rows."""
    summary, window = run["summary"], _window(run)
    gates: Sequence[Mapping[str, Any]] = summary.get("gates") or ()
    return {
        **run,
        "of": run_owner(run),
        "version": f"v{run['version']}" if run["version"] is not None else "",
        "winner": summary.get("winner") or "",
        "window": window.get("label", ""),
        "from": _moment(window.get("start")),
        "until": _moment(window.get("end")),
        "rows": window.get("rows"),
        **{f"{_METRIC}{name}": _value(measured) for name, measured in (summary.get("metrics") or {}).items()},
        "gates": f"{sum(bool(gate['passed']) for gate in gates)} of {len(gates)}" if gates else "",
        "took": _took(run),
        "started": run["startedAt"][:19],
        "commit": run["revision"][:10],
        "data": run["snapshot"][:19],
        "message": run["progress"] or run["message"],
    }


def run_owner(run: Mapping[str, Any]) -> str:
    """Return what a run is of; teams other than the default one are told."""
    place = "" if run["namespace"] == "default" else f"{run['namespace']}/"
    return f"{run['kind'].lower()}/{place}{run['name']}"


def newest_by_window(runs: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the newest run that counts for each window of each model, the oldest window first.

    Args:
        runs: Newest first. Those that something newer took the place of do not count.
    """
    found: dict[tuple[str, str, str, str], Mapping[str, Any]] = {}
    for run in runs:
        window = _window(run)
        if window and run["state"] != "superseded":
            found.setdefault((run["namespace"], run["name"], window["end"], window["start"]), run)
    return [found[key] for key in sorted(found)]


def _window(run: Mapping[str, Any]) -> Mapping[str, Any]:
    window: Mapping[str, Any] = run["summary"].get("window") or {}
    return window


def _value(measured: Any) -> float | None:
    value = measured.get("value") if isinstance(measured, Mapping) else measured
    return float(value) if isinstance(value, int | float) else None


def _moment(text: str | None) -> str:
    return "" if text is None else text[:10] if text[11:19] == "00:00:00" else text[:16]


def _took(run: Mapping[str, Any]) -> str:
    if run["endedAt"] is None:
        return ""
    took = datetime.fromisoformat(run["endedAt"]) - datetime.fromisoformat(run["startedAt"])
    return (
        f"{took.total_seconds():.1f} s" if took < timedelta(minutes=1) else str(timedelta(seconds=round(took.total_seconds())))
    )
