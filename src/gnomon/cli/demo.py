"""``gnomon demo``: the whole loop on real flights."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer

from gnomon.demo.repository import METRIC
from gnomon.demo.story import run_demo


def demo(
    once: Annotated[bool, typer.Option("--once", help="End after the story instead of serving on.")] = False,
    summary: Annotated[Path | None, typer.Option(help="Write the closing table to this file as JSON.")] = None,
    folder: Annotated[Path | None, typer.Option(help="Where remote, clone and home go; emptied first.")] = None,
) -> None:
    """Push flights, train, release, serve, refuse a bad change, revert: the whole loop on real data."""
    place = folder or Path(tempfile.gettempdir()) / "gnomon-demo"
    run_demo(place.resolve(), once=once, summary=summary, metric=METRIC)
