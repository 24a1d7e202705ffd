"""``gnomon wait``: come back when a condition holds."""

import time
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, split_reference
from gnomon.errors import DeadlineError, NotFoundError, OperatorUnreachableError, UsageError
from gnomon.resources.kinds import canonical_kind
from gnomon.resources.quantities import parse_duration

_LOOK_EVERY_S = 0.1


def wait(
    reference: Annotated[str, typer.Argument(help="KIND/NAME, such as service/arrival-delay.")],
    condition: Annotated[
        str, typer.Option("--for", help="condition=TYPE[=STATUS], or version=N, or revision=COMMIT.")
    ] = "condition=Ready",
    timeout: Annotated[str, typer.Option(help="How long at most.")] = "5m",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
) -> None:
    """Wait until a resource is as asked; exit 3 when the time is over."""
    kind, name = split_reference(reference)
    path = f"/resources/{canonical_kind(kind)}/{namespace}/{name}"
    subject, wanted = _wish(condition)
    try:
        seconds = parse_duration(timeout).total_seconds()
    except ValueError as error:
        raise UsageError(f"--timeout {timeout}: {error}", "for example --timeout 5m") from None
    client, deadline, told = ControlClient(), time.monotonic() + seconds, ""
    while True:
        try:
            item = client.get(path)
        except (NotFoundError, OperatorUnreachableError) as error:
            standing = str(error)
        else:
            if _holds(item, subject, wanted):
                typer.echo(f"{reference}: {condition}")
                return
            standing = _standing(item)
        if standing != told:
            typer.echo(f"waiting for {reference}: {standing}", err=True)
            told = standing
        if time.monotonic() > deadline:
            raise DeadlineError(f"{reference}: {condition} did not come within {timeout}; {standing}", "see `gnomon describe`")
        time.sleep(_LOOK_EVERY_S)


def _wish(text: str) -> tuple[str, str]:
    subject, _, wanted = text.partition("=")
    if subject not in {"condition", "version", "revision"} or not wanted:
        raise UsageError(
            f"--for {text} is not something to wait for", "write --for condition=Ready, version=2 or revision=COMMIT"
        )
    return subject, wanted


def _holds(item: Mapping[str, Any], subject: str, wanted: str) -> bool:
    status = item["status"]
    ready = {condition["type"]: condition["status"] for condition in status["conditions"]}
    if subject == "version":
        return ready.get("Ready") == "True" and str(status.get("version")) == wanted.removeprefix("v")
    if subject == "revision":
        return ready.get("Ready") == "True" and str(status["observedRevision"]).startswith(wanted)
    condition_type, _, expected = wanted.partition("=")
    known = {name.lower(): value for name, value in ready.items()}
    is_observed: bool = status["observedGeneration"] == item["provenance"]["generation"]
    return is_observed and known.get(condition_type.lower(), "False").lower() == (expected or "True").lower()


def _standing(item: Mapping[str, Any]) -> str:
    conditions = item["status"]["conditions"]
    return f"{conditions[0]['reason']}: {conditions[0]['message']}" if conditions else "nothing is observed yet"
