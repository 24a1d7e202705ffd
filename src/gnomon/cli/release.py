"""``gnomon history`` and ``rollback``: the releases of a service, in Git."""

import os
import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, escaped, parse_reference, resource_path
from gnomon.cli.output import Column, Format, Output, print_rows, say
from gnomon.errors import DeadlineError, UsageError
from gnomon.operator.commits import commit_and_push
from gnomon.operator.rollback import rolling_back
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import Identity, Repository

_COLUMNS = (
    Column("COMMIT", "commit"),
    Column("WHEN", "when"),
    Column("AUTHOR", "author"),
    Column("VERSION", "pinned"),
    Column("METRICS", "measured"),
    Column("SUBJECT", "subject"),
    Column("DIGEST", "digest", wide=True),
    Column("SEQUENCE", "sequence", wide=True),
)
_PUSH_DEADLINE = timedelta(seconds=30)
_TRAFFIC_DEADLINE_S = 60.0
_LOOK_EVERY_S = 0.05
_LONGEST_VERSION = 9


def history(
    service: Annotated[str, typer.Argument(help="The service.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """List the commits that changed what a service serves, newest first."""
    key = parse_reference(service, "Service").key(namespace)
    items = ControlClient().get(f"/services/{escaped(key.namespace)}/{escaped(key.name)}/history")["items"]
    print_rows([_row(item) for item in items], _COLUMNS, output, documents=items, empty=f"{key.name} has no release yet")


def rollback(
    service: Annotated[str, typer.Argument(help="The service.")],
    to: Annotated[
        str | None, typer.Option("--to", help="Version to go back to (default: the one before; without one, nothing serves).")
    ] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    repo: Annotated[str | None, typer.Option("--repo", help="Remote to push to (default: the operator's).")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the traffic has moved.")] = True,
) -> None:
    """Commit the revert of a release, in your name, and push it. The version taken back is not offered again.

    Git decides who you are and whether you may push: its identity, its credential helpers, its keys.
    """
    key, version, author = parse_reference(service, "Service").key(namespace), _version(to), _identity()
    client = ControlClient()
    source = client.get("/source")
    client.get(resource_path(key))
    with tempfile.TemporaryDirectory(prefix="gnomon-rollback-") as scratch:
        repository = GitRepository(repo or source["url"], source["branch"], Path(scratch) / "mirror.git", _PUSH_DEADLINE)
        revision = commit_and_push(
            repository,
            rolling_back(repository, key.namespace, key.name, version),
            author,
            _PUSH_DEADLINE,
        )
        client.post("/reconcile")
        typer.echo(f"committed {revision[:10]}")
        if wait:
            _wait_for_traffic(client, key, revision, repository)


def _wait_for_traffic(client: ControlClient, key: ResourceKey, revision: Revision, repository: Repository) -> None:
    deadline, contains, standing = time.monotonic() + _TRAFFIC_DEADLINE_S, {revision}, ""
    while time.monotonic() < deadline:
        status = client.get(resource_path(key))["status"]
        ready = next((condition for condition in status["conditions"] if condition["type"] == "Ready"), None)
        observed = Revision(status["observedRevision"] or "")
        # Others may push on top of ours at once, so what is observed need not be our commit itself.
        if ready is not None and observed and (observed in contains or _has_landed_in(revision, observed, repository)):
            contains.add(observed)
            standing = ready["message"]
            if ready["status"] == "True" or ready["reason"] == "NoRelease":
                say(standing)
                return
        time.sleep(_LOOK_EVERY_S)
    mend = f"see `gnomon describe service/{key.namespace}/{key.name}`"
    raise DeadlineError(f"the traffic of {key.name} has not moved yet{': ' + standing if standing else ''}", mend)


def _has_landed_in(revision: Revision, observed: Revision, repository: Repository) -> bool:
    if repository.is_ancestor(observed, revision):
        return False
    if repository.is_ancestor(revision, observed):
        return True
    repository.fetch()
    return repository.is_ancestor(revision, observed)


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    number = text.removeprefix("v")
    if not (number.isascii() and number.isdecimal() and len(number) <= _LONGEST_VERSION):
        raise UsageError(f"--to {text} is not a version", "give a number, such as --to 3; see `gnomon history`")
    return int(number)


def _identity() -> Identity:
    """Return who the commit is by: the identity that Git has for this person."""
    name = os.environ.get("GIT_AUTHOR_NAME") or _configured("user.name")
    email = os.environ.get("GIT_AUTHOR_EMAIL") or _configured("user.email")
    if not name or not email:
        raise UsageError("Git does not know who you are", "set it with `git config --global user.name` and `user.email`")
    return Identity(name, email)


def _configured(setting: str) -> str:
    try:
        return subprocess.run(["git", "config", setting], capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        raise UsageError("git is not installed", "install git 2.34 or newer") from None


def _row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        **item,
        "commit": item["revision"][:10],
        "when": item["at"][:19],
        "pinned": f"v{item['version']}" if item["version"] is not None else "(removed)",
        "measured": ", ".join(f"{name} {value:.5g}" for name, value in item["metrics"].items()),
        "digest": item["digest"] or "",
        "sequence": item.get("sequence", ""),
    }
