"""``gnomon get``, ``describe`` and ``status``: what is declared, and what is observed of it."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference, resource_path
from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say
from gnomon.cli.steps import STEP_COLUMNS, step_row
from gnomon.errors import NotFoundError
from gnomon.resources.kinds import canonical_kind
from gnomon.resources.wording import nearest

Namespace = Annotated[str | None, typer.Option("--namespace", "-n", help="Only this namespace.")]


def get(
    kind: Annotated[str, typer.Argument(help="Kind, in singular or plural: datasets, models, services, releases.")],
    name: Annotated[str | None, typer.Argument(help="One resource.")] = None,
    namespace: Namespace = None,
    output: Output = Format.TABLE,
) -> None:
    """List resources of a kind with their readiness, or show one."""
    client = ControlClient()
    if "/" in kind and name is None:
        reference = parse_reference(kind)
        kind, name, namespace = reference.kind, reference.name, reference.namespace or namespace
    kind = canonical_kind(kind)
    items = client.get("/resources", kind=kind, namespace=namespace)["items"]
    if name is not None:
        found = [item for item in items if item["metadata"]["name"] == name]
        if not found:
            near = nearest(name, [item["metadata"]["name"] for item in items])
            mend = f'did you mean "{near}"?' if near else f"list them with `gnomon get {kind.lower()}s`"
            place = f" in namespace {namespace}" if namespace else ""
            raise NotFoundError(f"there is no {kind} {name}{place}", mend)
        if len(found) == 1 and output in {Format.JSON, Format.YAML}:
            print_document(found[0], output)
            return
        items = found
    empty = f"there are no {kind.lower()}s" + (f" in namespace {namespace}" if namespace else "")
    print_rows([_row(item) for item in items], _COLUMNS, output, documents=items, empty=empty)


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
    reference: Annotated[str, typer.Argument(metavar="KIND/NAME", help="Such as model/arrival-delay or run/ID, or KIND NAME.")],
    name: Annotated[str | None, typer.Argument(help="The name, where the kind stands alone.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """Show everything that is known of one resource, with its latest events."""
    client = ControlClient()
    kind, _, run = reference.partition("/")
    if kind.lower() in {"run", "runs"} and (run or name):
        _describe_run(client, run or name or "", output)
        return
    key = parse_reference(reference if name is None else f"{reference}/{name}").key(namespace)
    item = client.get(resource_path(key))
    events = client.get("/events", kind=key.kind, namespace=key.namespace, name=key.name, limit=20)["items"]
    if output in {Format.JSON, Format.YAML}:
        print_document({**item, "events": events}, output)
        return
    print_document(item, Format.YAML)
    typer.echo("events:" if events else "events: none")
    for event in events:
        count = f" (x{event['count']})" if event["count"] > 1 else ""
        say(f"  {event['lastSeen'][:19]}  {event['type']:7}  {event['reason']}{count}: {event['message']}")


def _describe_run(client: ControlClient, run: str, output: Format) -> None:
    """Show everything that is known of one run: what it was made from, and its steps with their results."""
    found = client.get(f"/runs/{escaped(run)}")
    if output in {Format.JSON, Format.YAML}:
        print_document(found, output)
        return
    steps = found.pop("steps")
    print_document(found, Format.YAML)
    typer.echo("steps:" if steps else "steps: none")
    if steps:
        print_rows([step_row(step) for step in steps], STEP_COLUMNS, Format.WIDE)


_TROUBLES = ("error", "rewritten", "pruneRefused")


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
    say(f"{source.get('url')} {source.get('branch')} at {revision}; gateway at http://{source.get('serve')}")
    for trouble in _TROUBLES:
        if source.get(trouble):
            say(f"  ! {source[trouble]}")
    for problem in source.get("problems", []):
        say(f"  ! {problem['text']}")
    if not not_ready:
        is_troubled = any(source.get(trouble) for trouble in _TROUBLES) or bool(source.get("problems"))
        say(_all_ready(len(items), is_troubled, is_followed=bool(source.get("revision"))))
        return
    say(f"{len(items) - len(not_ready)} of {_resources(len(items))} ready; not ready:")
    for item in not_ready:
        row = _row(item)
        say(f"  {_named(item)}: {row['reason']}: {row['message']}")


def _all_ready(count: int, is_troubled: bool, *, is_followed: bool) -> str:
    if not is_followed:
        return "nothing is followed yet"
    if count == 0:
        return "the branch declares no resources"
    return f"{_resources(count)} ready" if is_troubled else f"everything matches: {_resources(count)} ready"


def _resources(count: int) -> str:
    return f"{count} resource is" if count == 1 else f"{count} resources are"


def _named(item: Mapping[str, Any]) -> str:
    return f"{item['kind'].lower()}/{item['metadata']['namespace']}/{item['metadata']['name']}"
