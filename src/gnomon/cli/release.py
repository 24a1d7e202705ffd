"""``gnomon history`` and ``rollback``: the releases of a service, in Git."""

import subprocess
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from gnomon.cli.client import ControlClient, split_reference
from gnomon.cli.get import Output
from gnomon.cli.output import Column, Format, print_rows
from gnomon.errors import DeadlineError, UsageError
from gnomon.operator.commits import commit_and_push
from gnomon.operator.rollback import rolling_back
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import Identity

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


def history(
    service: Annotated[str, typer.Argument(help="The service.")],
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    output: Output = Format.TABLE,
) -> None:
    """List the commits that changed what a service serves, newest first."""
    _, name = split_reference(service, "service")
    items = ControlClient().get(f"/services/{namespace}/{name}/history")["items"]
    print_rows([_row(item) for item in items], _COLUMNS, output, documents=items)


def rollback(
    service: Annotated[str, typer.Argument(help="The service.")],
    to: Annotated[str | None, typer.Option("--to", help="Version to go back to (default: the one before).")] = None,
    namespace: Annotated[str, typer.Option("--namespace", "-n", help="Its namespace.")] = "default",
    repo: Annotated[str | None, typer.Option("--repo", help="Remote to push to (default: the operator's).")] = None,
    wait: Annotated[bool, typer.Option(help="Wait until the traffic has moved.")] = True,
) -> None:
    """Commit the revert of a release, in your name, and push it. The version taken back is not offered again."""
    _, name = split_reference(service, "service")
    client = ControlClient()
    source = client.get("/source")
    client.get(f"/resources/Service/{namespace}/{name}")
    version = _version(to)
    with tempfile.TemporaryDirectory(prefix="gnomon-rollback-") as scratch:
        repository = GitRepository(repo or source["url"], source["branch"], Path(scratch) / "mirror.git", _PUSH_DEADLINE)
        revision = commit_and_push(
            repository,
            rolling_back(repository, namespace, name, version),
            _identity(),
            _PUSH_DEADLINE,
        )
    client.post("/reconcile")
    typer.echo(f"committed {revision[:10]}")
    if wait:
        _wait_for_traffic(client, namespace, name, revision)


def _wait_for_traffic(client: ControlClient, namespace: str, name: str, revision: str) -> None:
    deadline = time.monotonic() + _TRAFFIC_DEADLINE_S
    while time.monotonic() < deadline:
        item = client.get(f"/resources/Service/{namespace}/{name}")
        conditions = item["status"]["conditions"]
        if item["status"]["observedRevision"] == revision and conditions[0]["status"] == "True":
            typer.echo(conditions[0]["message"])
            return
        if item["status"]["observedRevision"] == revision and conditions[0]["reason"] == "NoRelease":
            typer.echo(conditions[0]["message"])
            return
        time.sleep(0.05)
    raise DeadlineError(f"the traffic of {name} has not moved yet", f"see `gnomon describe service/{name}`")


def _version(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.removeprefix("v").isdecimal():
        raise UsageError(f"--to {text} is not a version", "give a number, such as --to 3; see `gnomon history`")
    return int(text.removeprefix("v"))


def _identity() -> Identity:
    """Return who the commit is by: the identity that Git has for this person."""

    def configured(key: str) -> str:
        return subprocess.run(["git", "config", key], capture_output=True, text=True, check=False).stdout.strip()

    name, email = configured("user.name"), configured("user.email")
    if not name or not email:
        raise UsageError("Git does not know who you are", "set it with `git config --global user.name` and `user.email`")
    return Identity(name, email)


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
