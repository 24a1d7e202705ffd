"""Measure ours beside the peers: ``python -m bench [GROUP …]``; prints a table and writes ``bench-results.json``."""

import argparse
import importlib
import json
import pkgutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import bench
from bench.table import Row

_WORKDIR = Path(".bench")
_WIDTH = 140
_RESULTS = Path("bench-results.json")


def groups() -> list[str]:
    """Return the groups there are: the packages of this one."""
    return sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.ispkg)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the groups named, or all, and print the table; 2 where a group does not exist.

    A budget that does not hold is a figure, not a failure of measuring: only ``--strict`` makes the exit code 1 of it.
    """
    known = groups()
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("group", nargs="*", help=f"one of {', '.join(known)}; all without one")
    parser.add_argument("--strict", action="store_true", help="exit with 1 where a budget does not hold")
    asked = parser.parse_args(arguments)
    wanted = asked.group or known
    unknown = sorted(set(wanted) - set(known))
    if unknown:
        parser.error(f"there is no group {', '.join(unknown)}; there are {', '.join(known)}")
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDTH)
    _WORKDIR.mkdir(exist_ok=True)
    rows: list[Row] = []
    for group in wanted:
        started = time.monotonic()
        with console.status(f"measuring {group} (the first time installs the peers below {_WORKDIR}/venvs)"):
            measured = importlib.import_module(f"bench.{group}").measure(_WORKDIR)
        console.print(f"{group}: {len(measured)} rows in {time.monotonic() - started:.0f} s")
        rows.extend(measured)
    console.print(table(rows))
    _RESULTS.write_text(json.dumps([row.as_json() for row in rows], indent=2, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"written to {_RESULTS}")
    missed = sum(row.holds is False for row in rows)
    unknown_rows = sum(row.holds is None for row in rows)
    console.print(f"{len(rows) - missed - unknown_rows} budgets hold, {missed} do not, {unknown_rows} could not be judged")
    return 1 if missed and asked.strict else 0


def table(rows: Sequence[Row]) -> Table:
    """Return the rows for people."""
    made = Table()
    made.add_column("what", overflow="fold", ratio=1)
    for name in ("ours", "peer", "limit", "ratio"):
        made.add_column(name, justify="right", no_wrap=True)
    made.add_column("goal")
    made.add_column("holds")
    for row in rows:
        verdict = {True: "[green]yes[/]", False: "[red]no[/]", None: "[yellow]?[/]"}[row.holds]
        figures = [_figure(value, row.unit) for value in (row.ours, row.peer, row.limit)]
        ratio = "" if row.ratio is None else f"{row.ratio:.2f} x"
        what = f"{row.group}: {escape(row.budget)}" + (f"\n[dim]{escape(row.note)}[/]" if row.note else "")
        made.add_row(what, *figures, ratio, escape(row.goal), verdict)
    return made


def _figure(value: float | None, unit: str) -> str:
    return "" if value is None else f"{value:.3g} {unit}"


if __name__ == "__main__":
    sys.exit(main())
