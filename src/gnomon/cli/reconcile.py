"""``gnomon reconcile``: look now instead of at the next poll."""

from typing import Annotated

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference


def reconcile(
    what: Annotated[
        str | None,
        typer.Argument(metavar="[dataset/NAME]", help="A dataset whose source is looked at; else the Git remote is."),
    ] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Team of the dataset.")] = None,
) -> None:
    """Let the operator ask the Git remote at once, or look at the source of a dataset.

    A query runs again, and files are listed again; what has not changed is not read again.
    """
    if what is None:
        ControlClient().post("/reconcile")
    else:
        key = parse_reference(what, "Dataset").key(namespace)
        ControlClient().post(f"/datasets/{escaped(key.namespace)}/{escaped(key.name)}/refresh")
    typer.echo("asked")
