"""``gnomon events``: what happened, in order."""

import json
import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, parse_reference
from gnomon.cli.output import Column, Format, Output, plain, print_rows, say
from gnomon.errors import UsageError

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
    reference: Annotated[str | None, typer.Argument(metavar="[KIND/NAME]", help="Only events of this one.")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Its namespace (default: default).")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 200,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="Go on printing new ones until Ctrl-C; JSON goes one a line.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """List events, oldest first."""
    if namespace is not None and reference is None:
        raise UsageError("--namespace is for the events of one resource", "name it: gnomon events KIND/NAME -n NAMESPACE")
    if watch and output is Format.YAML:
        raise UsageError("--watch has no end, and YAML cannot be printed piece by piece", "use -o json with --watch")
    client = ControlClient()
    key = parse_reference(reference).key(namespace) if reference is not None else None
    query = {"kind": key.kind, "namespace": key.namespace, "name": key.name} if key is not None else {}
    items = client.get("/events", limit=limit, **query)["items"]
    if watch:
        _watch(client, items, query, limit, output)
    else:
        print_rows([_row(item) for item in items], _COLUMNS, output, documents=items, empty="no events")


def _watch(client: ControlClient, items: list[dict[str, Any]], query: Mapping[str, str], limit: int, output: Format) -> None:
    """Print events as they come, one a line, until somebody stops it."""
    last = 0
    while True:
        for item in items:
            row = _row(item)
            line = f"{row['lastSeen']}  {row['type']:7}  {row['resource']}  {row['reason']}: {row['message']}"
            say(json.dumps(plain(item)) if output is Format.JSON else line)
            last = item["id"]
        time.sleep(_LOOK_EVERY_S)
        items = client.get("/events", after=last, limit=limit, **query)["items"]


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    resource = f"{item['kind'].lower()}/{item['name']}"
    return {**item, "lastSeen": item["lastSeen"][:19], "resource": resource, "revision": (item["revision"] or "")[:10]}
