"""``gnomon events``: what happened, in order."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, split_reference
from gnomon.cli.get import Output
from gnomon.cli.output import Column, Format, print_rows
from gnomon.resources.kinds import canonical_kind

_COLUMNS = (
    Column("LAST SEEN", "lastSeen"),
    Column("TYPE", "type"),
    Column("RESOURCE", "resource"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
    Column("COUNT", "count", wide=True),
    Column("RUN", "run", wide=True),
    Column("REVISION", "revision", wide=True),
)
_LOOK_EVERY_S = 0.5


def events(
    reference: Annotated[str | None, typer.Argument(help="Only events of this KIND/NAME.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on printing new ones until Ctrl-C.")] = False,
    output: Output = Format.TABLE,
) -> None:
    """List events, oldest first."""
    client = ControlClient()
    kind, name = split_reference(reference) if reference is not None else (None, None)
    query = {"kind": canonical_kind(kind) if kind else None, "name": name, "namespace": namespace if name else None}
    items = client.get("/events", limit=limit, **query)["items"]
    print_rows([_row(item) for item in items], _COLUMNS, output, documents=items)
    last = items[-1]["id"] if items else 0
    while watch:
        time.sleep(_LOOK_EVERY_S)
        for item in client.get("/events", after=last, limit=limit, **query)["items"]:
            row = _row(item)
            typer.echo(f"{row['lastSeen']}  {row['type']:7}  {row['resource']}  {row['reason']}: {row['message']}")
            last = item["id"]


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    resource = f"{item['kind'].lower()}/{item['name']}"
    return {**item, "lastSeen": item["lastSeen"][:19], "resource": resource, "revision": (item["revision"] or "")[:10]}
