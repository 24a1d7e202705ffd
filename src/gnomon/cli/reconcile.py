"""``gnomon reconcile``: ask the remote now instead of at the next poll."""

import typer

from gnomon.cli.client import ControlClient


def reconcile() -> None:
    """Let the operator ask the Git remote at once."""
    ControlClient().post("/reconcile")
    typer.echo("asked")
