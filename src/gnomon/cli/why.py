"""``gnomon why``: which part of a step's key changed, so that it ran."""

from typing import Annotated

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Format, Output, print_document, say
from gnomon.errors import NotFoundError, UsageError


def why(
    what: Annotated[str, typer.Argument(metavar="RUN/STEP | KIND/NAME", help="A step of a run, or a pipeline or model.")],
    step: Annotated[str | None, typer.Argument(help="The step, where WHAT is a pipeline, a model or a run.")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="The namespace of the pipeline or model.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """Tell why a step of a run ran, or did not: which part of its key is another than the last time."""
    client = ControlClient()
    run, name = _asked(client, what, step, namespace)
    found = client.get(f"/runs/{escaped(run)}/steps/{escaped(name)}/why")
    if output in {Format.JSON, Format.YAML}:
        print_document(found, output)
        return
    say(found["message"])


def _asked(client: ControlClient, what: str, step: str | None, namespace: str) -> tuple[str, str]:
    """Return the run and the step that are meant; of a pipeline or a model, its newest run."""
    parts = what.split("/")
    if step is not None and (len(parts) > 1):
        reference = parse_reference(what)
        if reference.kind not in {"Pipeline", "Model"}:
            raise UsageError(f"{what} has no runs", "name a pipeline or a model")
        key = reference.key(namespace)
        items = client.get("/runs", limit=1, namespace=key.namespace, **{key.kind.lower(): key.name})["items"]
        if not items:
            raise NotFoundError(f"{what} has not run yet", f"see `gnomon describe {what}`")
        return items[0]["id"], step
    if step is not None:
        return what, step
    run, _, name = what.partition("/")
    if not run or not name:
        raise UsageError(f"{what!r} names no step", "write RUN/STEP, or pipeline/NAME STEP")
    return run, name
