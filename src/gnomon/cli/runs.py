"""``gnomon runs`` and ``logs``: how models were made."""

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say

_RUNS = (
    Column("RUN", "id"),
    Column("MODEL", "model"),
    Column("STATE", "state"),
    Column("VERSION", "version"),
    Column("WINNER", "winner"),
    Column("STARTED", "started"),
    Column("MESSAGE", "message"),
    Column("REVISION", "commit", wide=True),
    Column("SNAPSHOT", "data", wide=True),
    Column("METRICS", "metrics", wide=True),
)
_STEPS = (
    Column("STEP", "name"),
    Column("STATE", "state"),
    Column("ATTEMPT", "attempt"),
    Column("CPU s", "cpuSeconds"),
    Column("MEMORY MB", "memory"),
    Column("ERROR", "error"),
    Column("KEY", "key", wide=True),
)


def runs(
    run: Annotated[str | None, typer.Argument(help="One run, with its steps.")] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The model's namespace.")] = "default",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List runs, newest first, or show the steps of one."""
    client = ControlClient()
    if run is not None:
        found = client.get(f"/runs/{escaped(run)}")
        if output in {Format.JSON, Format.YAML}:
            print_document(found, output)
            return
        say(f"{found['id']}  {found['model']}  {found['state']}: {found['progress'] or found['message']}")
        if found["hasReport"]:
            say(f"report: {client.url}/api/v1/runs/{escaped(run)}/report.html")
        print_rows([_step_row(step) for step in found["steps"]], _STEPS, output, documents=found["steps"])
        return
    key = parse_reference(model, "Model").key(namespace) if model is not None else None
    query = {"model": key.name, "namespace": key.namespace} if key is not None else {}
    items = client.get("/runs", limit=limit, **query)["items"]
    print_rows([_run_row(item) for item in items], _RUNS, output, documents=items, empty="no runs yet")


def logs(
    run: Annotated[str, typer.Argument(help="The run.")],
    step: Annotated[str | None, typer.Argument(help="One step; all steps where it is left out.")] = None,
) -> None:
    """Print what the steps of a run wrote."""
    client = ControlClient()
    names = [step] if step is not None else [known["name"] for known in client.get(f"/runs/{escaped(run)}")["steps"]]
    for name in names:
        text = client.text(f"/runs/{escaped(run)}/logs/{escaped(name)}")
        if step is None:
            say(f"==> {name}" + ("" if text else ": wrote nothing"))
        say(text, nl=not text.endswith("\n") and bool(text))


def _run_row(item: Mapping[str, Any]) -> dict[str, Any]:
    summary = item["summary"]
    return {
        **item,
        "version": f"v{item['version']}" if item["version"] is not None else "",
        "winner": summary.get("winner") or "",
        "started": item["startedAt"][:19],
        "message": item["progress"] or item["message"],
        "commit": item["revision"][:10],
        "data": item["snapshot"][:19],
        "metrics": ", ".join(f"{name} {_value(measured)}" for name, measured in (summary.get("metrics") or {}).items()),
    }


def _value(measured: Any) -> str:
    value = measured.get("value") if isinstance(measured, Mapping) else measured
    return f"{value:.5g}" if isinstance(value, int | float) else "-"


def _step_row(step: Mapping[str, Any]) -> dict[str, Any]:
    return {**step, "memory": round(step["peakMemoryBytes"] / 1e6), "key": step["key"][:12]}
