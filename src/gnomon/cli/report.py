"""``gnomon report``: how a version, or what a run made, was judged."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Column, Format, Output, print_document, print_rows, say
from gnomon.errors import NotFoundError

_GATES = (
    Column("GATE", "description"),
    Column("MEASURED", "figure"),
    Column("VERDICT", "verdict"),
    Column("IN WORDS", "message", wide=True),
)


def report(
    what: Annotated[
        str, typer.Argument(metavar="MODEL[:VERSION] | RUN", help="A model's newest version, one version, or a run.")
    ],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The model's namespace.")] = "default",
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the whole report as a page.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Tell how a model was judged: its gates, its figures, where it does worst; -o json prints every figure."""
    client = ControlClient()
    run = _run_of(client, what, namespace)
    if html is not None:
        html.write_text(client.text(f"/runs/{escaped(run)}/report.html"))
        say(f"wrote {html}")
        return
    found = client.get(f"/runs/{escaped(run)}/report")
    if output in {Format.JSON, Format.YAML}:
        print_document(found, output)
        return
    _tell(found)
    rows = [{**gate, "verdict": "passed" if gate["passed"] else "FAILED"} for gate in found["gates"]]
    print_rows(rows, _GATES, output, documents=found["gates"], empty="no gates are declared")


def _run_of(client: ControlClient, what: str, namespace: str) -> str:
    """Return the run that made a version; what names no model is a run."""
    name, _, number = what.rpartition(":") if ":" in what else (what, "", "")
    key = parse_reference(name, "Model").key(namespace)
    try:
        versions = client.get(f"/models/{escaped(key.namespace)}/{escaped(key.name)}/versions")["items"]
    except NotFoundError as error:
        if number:
            raise
        try:
            return str(client.get(f"/runs/{escaped(what)}")["id"])
        except NotFoundError:
            raise NotFoundError(f"there is no Model and no run {what}", error.mend) from error
    return _chosen(versions, key.name, number)


def _chosen(versions: Sequence[Mapping[str, Any]], model: str, number: str) -> str:
    if not versions:
        raise NotFoundError(f"{model} has no version yet", f"see gnomon runs --model {model}, and name a run")
    numbers = {str(version["version"]): str(version["run"]) for version in versions}
    if not number:
        return numbers[max(numbers, key=int)]
    wanted = number.removeprefix("v")
    if wanted not in numbers:
        raise NotFoundError(f"{model} has no version {wanted}", f"its versions are {', '.join(sorted(numbers, key=int))}")
    return numbers[wanted]


def _tell(found: Mapping[str, Any]) -> None:
    model, metric = found["model"], found["model"]["metric"]
    figure, baseline = found["metrics"][metric], found.get("baseline")
    interval = f" ({figure['low']:.5g} to {figure['high']:.5g})" if figure.get("low") is not None else ""
    value = f"{figure['value']:.5g}{interval}" if figure["value"] is not None else "undefined"
    say(f"{model['name']} {found['winner']['name']}: {metric} {value} on {found['test']['rows']:,} test rows")
    if baseline is not None and baseline["metrics"][metric]["value"] is not None:
        say(f"baseline: {baseline['metrics'][metric]['value']:.5g}, {baseline['name']}")
    worst = [each for each in (found.get("worstSlices") or {}).get("slices", ()) if each["confirmed"]]
    if worst and worst[0]["metric"] is not None:
        say(f"worst where {worst[0]['condition']}: {metric} {worst[0]['metric']:.5g}")
