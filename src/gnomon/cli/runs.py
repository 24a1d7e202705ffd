"""``gnomon runs`` and ``logs``: how models were made, and pipelines run."""

from typing import Annotated

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Format, Output, print_document, print_rows, say
from gnomon.cli.run_table import newest_by_window, run_columns, run_owner, run_row
from gnomon.cli.steps import STEP_COLUMNS, step_row
from gnomon.errors import UsageError

_MOST_RUNS = 10_000


def runs(
    run: Annotated[str | None, typer.Argument(help="One run, with its steps.")] = None,
    model: Annotated[str | None, typer.Option(help="Only runs of this model.")] = None,
    pipeline: Annotated[str | None, typer.Option(help="Only runs of this pipeline.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Their namespace.")] = "default",
    windows: Annotated[
        bool, typer.Option("--windows", help="The newest run for each window, the oldest window first.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=_MOST_RUNS, help="How many at most.")] = 50,
    output: Output = Format.TABLE,
) -> None:
    """List runs, newest first, or show the steps of one. With -o wide, every metric has a column."""
    client = ControlClient()
    if run is not None:
        found = client.get(f"/runs/{escaped(run)}")
        if output in {Format.JSON, Format.YAML}:
            print_document(found, output)
            return
        say(f"{found['id']}  {run_owner(found)}  {found['state']}: {found['progress'] or found['message']}")
        if found["hasReport"]:
            say(f"report: {client.url}/api/v1/runs/{escaped(run)}/report.html")
        print_rows([step_row(step) for step in found["steps"]], STEP_COLUMNS, output, documents=found["steps"])
        return
    if model is not None and pipeline is not None:
        raise UsageError("a run is of a model or of a pipeline", "give --model or --pipeline")
    kind = "Model" if model is not None else "Pipeline"
    named = model if model is not None else pipeline
    key = parse_reference(named, kind).key(namespace) if named is not None else None
    query = {kind.lower(): key.name, "namespace": key.namespace} if key is not None else {}
    items = client.get("/runs", limit=_MOST_RUNS if windows else limit, **query)["items"]
    if windows:
        items = newest_by_window(items)[-limit:]
    empty = "no runs for windows yet" if windows else "no runs yet"
    print_rows([run_row(item) for item in items], run_columns(items), output, documents=items, empty=empty)


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
