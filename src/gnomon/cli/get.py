"""``gnomon get``, ``describe`` and ``status``: what is declared, and what is observed of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, split_reference
from gnomon.cli.output import Column, Format, print_document, print_rows
from gnomon.errors import NotFoundError
from gnomon.resources.kinds import canonical_kind

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only this namespace.")]
Output = Annotated[Format, typer.Option("-o", "--output", help="How to print.")]


def get(
    kind: Annotated[str, typer.Argument(help="Kind, in singular or plural: datasets, models, services, releases.")],
    name: Annotated[str | None, typer.Argument(help="One resource.")] = None,
    namespace: Namespace = None,
    output: Output = Format.TABLE,
) -> None:
    """List resources of a kind with their readiness, or show one."""
    client = ControlClient()
    if "/" in kind and name is None:
        kind, name = split_reference(kind)
    items = client.get("/resources", kind=canonical_kind(kind), namespace=namespace)["items"]
    if name is not None:
        items = [item for item in items if item["metadata"]["name"] == name]
        if not items:
            raise NotFoundError(f"there is no {canonical_kind(kind)} {name}", f"list them with `gnomon get {kind}`")
        if output in {Format.JSON, Format.YAML}:
            print_document(items[0], output)
            return
    print_rows([_row(item) for item in items], _COLUMNS, output, documents=items)


_COLUMNS = (
    Column("NAMESPACE", "namespace"),
    Column("NAME", "name"),
    Column("READY", "ready"),
    Column("REASON", "reason"),
    Column("MESSAGE", "message"),
    Column("REVISION", "revision", wide=True),
    Column("FILE", "file", wide=True),
)


def _row(item: Mapping[str, Any]) -> dict[str, Any]:
    ready = _condition(item, "Ready") or {}
    provenance = item["provenance"]
    return {
        "namespace": item["metadata"]["namespace"],
        "name": item["metadata"]["name"],
        "ready": ready.get("status", "Unknown"),
        "reason": ready.get("reason", ""),
        "message": ready.get("message", ""),
        "revision": (item["status"]["observedRevision"] or "")[:10],
        "file": f"{provenance['path']}:{provenance['line']}",
    }


def _condition(item: Mapping[str, Any], condition_type: str) -> Mapping[str, Any] | None:
    conditions: Sequence[Mapping[str, Any]] = item["status"]["conditions"]
    return next((condition for condition in conditions if condition["type"] == condition_type), None)


def describe(
    reference: Annotated[str, typer.Argument(help="KIND/NAME, such as model/arrival-delay.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """Show everything that is known of one resource, with its latest events."""
    client = ControlClient()
    kind, name = split_reference(reference)
    kind = canonical_kind(kind)
    item = client.get(f"/resources/{kind}/{namespace}/{name}")
    events = client.get("/events", kind=kind, namespace=namespace, name=name, limit=20)["items"]
    if output in {Format.JSON, Format.YAML}:
        print_document({**item, "events": events}, output)
        return
    print_document(item, Format.YAML)
    typer.echo("events:" if events else "events: none")
    for event in events:
        count = f" (x{event['count']})" if event["count"] > 1 else ""
        typer.echo(f"  {event['lastSeen'][:19]}  {event['type']:7}  {event['reason']}{count}: {event['message']}")


def status(output: Output = Format.TABLE) -> None:
    """Tell in a few lines whether reality matches Git."""
    client = ControlClient()
    source = client.get("/source")
    items = client.get("/resources")["items"]
    not_ready = [item for item in items if (_condition(item, "Ready") or {}).get("status") != "True"]
    if output in {Format.JSON, Format.YAML}:
        print_document({"source": source, "resources": len(items), "notReady": [_named(item) for item in not_ready]}, output)
        return
    revision = (source.get("revision") or "no commit yet")[:10]
    typer.echo(f"{source.get('url')} {source.get('branch')} at {revision}; gateway at http://{source.get('serve')}")
    for trouble in ("error", "rewritten", "pruneRefused"):
        if source.get(trouble):
            typer.echo(f"  ! {source[trouble]}")
    for problem in source.get("problems", []):
        typer.echo(f"  ! {problem['text']}")
    if not not_ready:
        typer.echo(f"everything matches: {len(items)} resources are ready")
        return
    typer.echo(f"{len(items) - len(not_ready)} of {len(items)} resources are ready; not ready:")
    for item in not_ready:
        row = _row(item)
        typer.echo(f"  {_named(item)}: {row['reason']}: {row['message']}")


def _named(item: Mapping[str, Any]) -> str:
    return f"{item['kind'].lower()}/{item['metadata']['namespace']}/{item['metadata']['name']}"
