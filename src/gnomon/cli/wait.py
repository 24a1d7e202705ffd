"""``gnomon wait``: come back when a condition holds."""

import re
import time
from collections.abc import Mapping
from typing import Annotated, Any, get_args

import typer

from gnomon.cli.client import ControlClient, parse_reference, resource_path
from gnomon.cli.output import say
from gnomon.errors import DeadlineError, NotFoundError, OperatorUnreachableError, UsageError
from gnomon.resources.quantities import parse_duration
from gnomon.resources.status import ConditionType
from gnomon.resources.wording import did_you_mean

_LOOK_EVERY_S = 0.1
_COMMIT = re.compile("[0-9a-f]{7,64}")


def wait(
    reference: Annotated[str, typer.Argument(metavar="KIND/NAME", help="Such as service/arrival-delay.")],
    condition: Annotated[
        str, typer.Option("--for", help="condition=TYPE[=STATUS], or version=N, or revision=COMMIT.")
    ] = "condition=Ready",
    timeout: Annotated[str, typer.Option(help="How long at most.")] = "5m",
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
) -> None:
    """Wait until a resource is as asked; exit 3 when the time is over."""
    path = resource_path(parse_reference(reference).key(namespace))
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
            say(f"waiting for {reference}: {standing}", err=True)
            told = standing
        if time.monotonic() > deadline:
            raise DeadlineError(
                f"{reference}: {condition} did not come within {timeout}; {standing}", f"see `gnomon describe {reference}`"
            )
        time.sleep(_LOOK_EVERY_S)


def _wish(text: str) -> tuple[str, str]:
    subject, _, wanted = text.partition("=")
    if subject not in {"condition", "version", "revision"} or not wanted:
        raise UsageError(
            f"--for {text} is not something to wait for", "write --for condition=Ready, version=2 or revision=COMMIT"
        )
    if subject == "version" and not wanted.removeprefix("v").isdecimal():
        raise UsageError(f"--for {text}: {wanted} is no version", "write a number, such as --for version=2")
    if subject == "revision" and not _COMMIT.fullmatch(wanted):
        raise UsageError(f"--for {text}: {wanted} is no commit", "write at least 7 digits of its id, in lower case")
    if subject == "condition":
        return subject, _condition_wish(text, wanted)
    return subject, wanted.removeprefix("v") if subject == "version" else wanted


def _condition_wish(text: str, wanted: str) -> str:
    """Return ``TYPE=STATUS`` in the case in which both are written."""
    condition_type, _, status = wanted.partition("=")
    types, statuses = (
        {known.lower(): known for known in get_args(ConditionType)},
        {"true": "True", "false": "False", "unknown": "Unknown"},
    )
    if condition_type.lower() not in types:
        raise UsageError(
            f"--for {text}: there is no condition {condition_type}",
            did_you_mean(condition_type, types.values(), what="conditions"),
        )
    if (status or "True").lower() not in statuses:
        raise UsageError(f"--for {text}: {status} is no status", f"the statuses are {', '.join(statuses.values())}")
    return f"{types[condition_type.lower()]}={statuses[(status or 'True').lower()]}"


def _holds(item: Mapping[str, Any], subject: str, wanted: str) -> bool:
    status = item["status"]
    ready = {condition["type"]: condition["status"] for condition in status["conditions"]}
    if subject == "version":
        return ready.get("Ready") == "True" and str(status.get("version")) == wanted
    if subject == "revision":
        return ready.get("Ready") == "True" and str(status["observedRevision"]).startswith(wanted)
    condition_type, _, expected = wanted.partition("=")
    is_observed: bool = status["observedGeneration"] == item["provenance"]["generation"]
    return is_observed and ready.get(condition_type, "False") == expected


def _standing(item: Mapping[str, Any]) -> str:
    conditions = item["status"]["conditions"]
    return f"{conditions[0]['reason']}: {conditions[0]['message']}" if conditions else "nothing is observed yet"
