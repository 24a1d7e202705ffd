"""``gnomon demo``: the whole loop on real flights."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gnomon.demo.repository import METRIC
from gnomon.demo.story import run_demo
from gnomon.errors import UsageError

_OWN = frozenset({"flights.git", "clone", "home", "operator.log"})
"""What the demo makes, and so may remove."""


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of serving on.")] = False,
    summary: Annotated[Path | None, typer.Option(help="Write the closing table to this file as JSON.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where remote, clone and home go; emptied first.")] = None,
) -> None:
    """Push flights, train, release, serve, refuse a bad change, revert: the whole loop on real data."""
    place = (folder or Path(tempfile.gettempdir()) / "gnomon-demo").resolve()
    _require_own(place)
    if summary is not None and not summary.resolve().parent.is_dir():
        raise UsageError(f"{summary.resolve().parent} is not a folder", "name a file in a folder that is there")
    run_demo(place, once=once, summary=summary, metric=METRIC)


def _require_own(folder: Path) -> None:
    """Refuse a folder that somebody keeps other things in: it is emptied."""
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "name a folder")
    foreign = sorted(entry.name for entry in folder.iterdir() if entry.name not in _OWN) if folder.is_dir() else []
    if foreign:
        raise UsageError(f"{folder} holds {foreign[0]}, which is no demo's", "name a new folder, or an empty one")
