"""``gnomon run`` and ``cancel``: a pipeline is run because a person wants it, here or by the operator."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference
from gnomon.cli.output import Format, Output, print_document, print_rows, say
from gnomon.cli.steps import STEP_COLUMNS, step_row
from gnomon.errors import DeadlineError, UsageError
from gnomon.resources.quantities import parse_duration

_FAILED = 1
_LOOK_EVERY_S = 0.05
_UNDER_WAY = frozenset({"waiting", "running"})


def run(
    reference: Annotated[str, typer.Argument(metavar="pipeline/NAME", help="What to run.")],
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="NAME=VALUE, instead of what is declared.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it has ended; exit 1 when it failed.")] = False,
    timeout: Annotated[str, typer.Option(help="How long to wait at most.")] = "24h",
    local: Annotated[bool, typer.Option("--local", help="Run the files of a folder here, without an operator.")] = False,
    path: Annotated[Path, typer.Argument(help="With --local: the folder.", show_default="this folder")] = Path(),
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """Run a pipeline now; what is known already is not run again.

    With --local, the files of the folder are run as they are, committed or not, and results are kept in its .gnomon folder
    under the same keys: what was run once is not run again.
    """
    key = parse_reference(reference, "Pipeline").key(namespace)
    params = dict(_param(text) for text in param or ())
    if local:
        from gnomon.cli.local_run import run_here  # noqa: PLC0415 - the engine is needed here alone

        if not run_here(path, key, params, output):
            raise typer.Exit(_FAILED)
        return
    if path != Path():
        raise UsageError(f"{path} is a folder, and the operator runs what is committed", "add --local to run the folder")
    seconds = _seconds(timeout)
    client = ControlClient()
    started = client.post(f"/pipelines/{escaped(key.namespace)}/{escaped(key.name)}/runs", {"params": params})["run"]
    if not wait:
        if output in {Format.JSON, Format.YAML}:
            print_document({"run": started}, output)
        else:
            say(f"run {started} of {key}; follow it with `gnomon runs {started}`")
        return
    ended = _awaited(client, started, time.monotonic() + seconds)
    if output in {Format.JSON, Format.YAML}:
        print_document(ended, output)
    else:
        print_rows([step_row(step) for step in ended["steps"]], STEP_COLUMNS, output, documents=ended["steps"])
        say(f"run {started}: {ended['state']}: {ended['message']}")
    if ended["state"] != "passed":
        raise typer.Exit(_FAILED)


def cancel(run: Annotated[str, typer.Argument(metavar="RUN", help="The run, as `gnomon runs` names it.")]) -> None:
    """End a run. Its finished steps stay known; the same run does not start again by itself."""
    ControlClient().post(f"/runs/{escaped(run)}/cancel")
    say(f"run {run} is being cancelled")


def _param(text: str) -> tuple[str, Any]:
    """Return name and value of ``NAME=VALUE``; the value is JSON where it can be read as such, else text."""
    name, divider, value = text.partition("=")
    if not divider or not name:
        raise UsageError(f"--param {text} gives no value to a name", "write --param rate=0.2")
    try:
        return name, json.loads(value, parse_constant=_refused)
    except ValueError:
        return name, value


def _refused(constant: str) -> Any:
    raise UsageError(f"{constant} is no value that can be kept", "give a finite number")


def _seconds(timeout: str) -> float:
    try:
        return parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise UsageError(f"--timeout {timeout}: {error}", "for example --timeout 10m") from None


def _awaited(client: ControlClient, run: str, deadline: float) -> Mapping[str, Any]:
    """Return a run that has ended, telling how it goes meanwhile."""
    told = ""
    while True:
        found: Mapping[str, Any] = client.get(f"/runs/{escaped(run)}")
        if found["state"] not in _UNDER_WAY:
            return found
        standing = str(found["progress"] or found["message"])
        if standing != told:
            say(f"run {run}: {standing}", err=True)
            told = standing
        if time.monotonic() > deadline:
            raise DeadlineError(f"run {run} has not ended: {standing}", f"follow it with `gnomon runs {run}`")
        time.sleep(_LOOK_EVERY_S)
