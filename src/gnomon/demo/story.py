"""The demo: a real Git remote, a real operator, real flights; told as it happens."""

import contextlib
import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from gnomon.demo.operator_process import OperatorProcess
from gnomon.demo.replay import Replay
from gnomon.demo.repository import MODEL, SERVICE, DemoRepository
from gnomon.errors import DeadlineError, GatewayError

_TRAIN_DEADLINE_S = 240.0
_SWITCH_DEADLINE_S = 30.0
_SETTLE_S = 3.0
"""How long the replay goes on after each change, so that the new state is seen under traffic."""


@dataclass
class Story:
    """What happened, with its measures."""

    versions: list[dict[str, Any]] = field(default_factory=list)
    revert_to_served_s: float | None = None
    refused: str = ""
    requests: int = 0
    failed_requests: int = 0
    mixed_answers: int = 0

    def as_json(self) -> dict[str, Any]:
        """Return the summary as plain JSON values; durations are in seconds."""
        first = self.versions[0]["commitToServedSeconds"] if self.versions else None
        return {
            "commit_to_served_s": first,
            "revert_to_served_s": self.revert_to_served_s,
            "requests": self.requests,
            "failed_requests": self.failed_requests,
            "mixed_answers": self.mixed_answers,
            "versions": self.versions,
            "refused": self.refused,
        }


class Teller:
    """Carries the demo out and tells it."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._console = console
        self._folder = folder
        self._story = Story()
        self._began = time.monotonic()

    @contextlib.contextmanager
    def told(self) -> Iterator[tuple[Story, OperatorProcess]]:
        """Run the story; operator and gateway go on until the block is left."""
        self._say(f"a new Git remote and its clone in {self._folder}")
        repository = DemoRepository.create(self._folder)
        operator = OperatorProcess.start(repository.remote, self._folder / "home")
        try:
            self._say(f"operator up: control plane http://{operator.listen}, gateway http://{operator.serve}")
            self._play(repository, operator)
            yield self._story, operator
        finally:
            operator.down()

    def _play(self, repository: DemoRepository, operator: OperatorProcess) -> None:
        self._say("[b]1. January to March are pushed[/b]: dataset, model with its gates, service")
        repository.add_months(1, 2, 3)
        self._version(operator, 1, repository.push("Predict arrival delays from January to March"))
        with Replay(operator.serve, SERVICE, repository.april_requests()) as replay:
            self._say("real April flights arrive as requests, from now on without a break")
            self._settle(replay)
            self._say("[b]2. April's flights are pushed[/b]: a month of new data")
            repository.add_months(4)
            self._version(operator, 2, repository.push("Add the flights of April"))
            self._settle(replay)
            self._say("[b]3. a bad change is pushed[/b]: somebody drops the departure delay from the features")
            self._refusal(operator, repository.push_without_best_feature())
            self._settle(replay)
            self._say("[b]4. git revert[/b] of the release of v2")
            self._revert(operator, repository, replay)
            self._settle(replay)
        self._story.requests = replay.requests
        self._story.failed_requests = replay.failed
        self._story.mixed_answers = replay.mixed
        for failure in replay.failures[:5]:
            self._say(f"[red]failed request[/red]: {failure}")

    def _version(self, operator: OperatorProcess, version: int, pushed: float) -> None:
        served = self._wait(
            operator, lambda: operator.serves(SERVICE, version), _TRAIN_DEADLINE_S, f"v{version} of {SERVICE} to serve"
        )
        run = operator.latest_run(MODEL)
        seconds = round(served - pushed, 2)
        metrics = {name: measured["value"] for name, measured in run["summary"]["metrics"].items() if _is_number(measured)}
        self._story.versions.append(
            {"version": version, "commitToServedSeconds": seconds, "winner": run["summary"]["winner"], "metrics": metrics}
        )
        self._say(f"{run['message']}")
        for gate in run["summary"]["gates"]:
            self._say(f"   gate {gate['description']}: {gate['message']}")
        self._say(f"release committed and pushed; [green]v{version} serves[/green] {seconds:.1f} s after the commit")

    def _refusal(self, operator: OperatorProcess, pushed: float) -> None:
        def refused() -> bool:
            run = operator.latest_run(MODEL)
            return bool(run) and run["state"] == "refused"

        ended = self._wait(operator, refused, _TRAIN_DEADLINE_S, "the gates to refuse the change")
        self._story.refused = operator.latest_run(MODEL)["message"]
        self._say(f"[yellow]refused[/yellow] after {ended - pushed:.1f} s: {self._story.refused}")
        self._say("v2 goes on serving" if operator.serves(SERVICE, 2) else "[red]v2 does not serve any more[/red]")

    def _revert(self, operator: OperatorProcess, repository: DemoRepository, replay: Replay) -> None:
        pushed = repository.revert_release(version=2)
        deadline = pushed + _SWITCH_DEADLINE_S
        while replay.last_version != "1":
            if time.monotonic() > deadline:
                raise DeadlineError("v1 did not come back after the revert", f"see {operator.log}")
            time.sleep(0.005)
        self._story.revert_to_served_s = round(time.monotonic() - pushed, 3)
        self._say(f"[green]v1 serves again[/green] {self._story.revert_to_served_s:.2f} s after the revert was pushed")

    def _settle(self, replay: Replay) -> None:
        time.sleep(_SETTLE_S)
        self._say(f"   {replay.requests} requests answered by now, {replay.failed} failed")

    def _wait(self, operator: OperatorProcess, is_true: Callable[[], bool], seconds: float, what: str) -> float:
        deadline, told = time.monotonic() + seconds, ""
        while not is_true():
            operator.require_alive()
            if time.monotonic() > deadline:
                raise DeadlineError(f"waited {seconds:.0f} s in vain for {what}", f"see {operator.log}")
            progress = operator.progress(MODEL)
            if progress and progress != told:
                self._say(f"   [dim]{progress}[/dim]")
                told = progress
            time.sleep(0.05)
        return time.monotonic()

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{time.monotonic() - self._began:6.1f} s[/dim]  {text}", highlight=False)


def _is_number(measured: Any) -> bool:
    return isinstance(measured, dict) and isinstance(measured.get("value"), int | float)


def summary_table(story: Story, metric: str) -> Table:
    """Return the closing table: one row a version, and how the requests went."""
    table = Table(title="What happened", show_edge=False)
    for column in ("version", "winner", f"{metric} on its test rows", "commit → served"):
        table.add_column(column, justify="right")
    for version in story.versions:
        measured = version["metrics"].get(metric)
        table.add_row(
            f"v{version['version']}",
            version["winner"],
            f"{measured:.4g}" if measured is not None else "-",
            f"{version['commitToServedSeconds']:.1f} s",
        )
    reverted = f"{story.revert_to_served_s:.2f} s" if story.revert_to_served_s is not None else "-"
    table.caption = (
        f"revert → served {reverted}; {story.requests} requests answered, {story.failed_requests} failed, "
        f"{story.mixed_answers} mixed; the bad change was {'refused' if story.refused else 'not refused'}"
    )
    return table


def run_demo(folder: Path, *, once: bool, summary: Path | None, metric: str) -> None:
    """Tell the story in ``folder``, which is emptied first; without ``once``, go on serving until Ctrl-C."""
    console = Console()
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    with Teller(folder, console).told() as (story, operator):
        console.print(summary_table(story, metric))
        if summary is not None:
            summary.write_text(json.dumps(story.as_json(), indent=2) + "\n")
        if story.failed_requests or story.mixed_answers:
            raise GatewayError(
                f"{story.failed_requests} requests failed and {story.mixed_answers} answers were mixed",
                f"see {folder / 'home' / 'gateway'} and {operator.log}",
            )
        if once:
            return
        console.print(
            f"\nStill serving: try GNOMON_URL=http://{operator.listen} gnomon status, or push from {folder / 'clone'}."
        )
        console.print("Ctrl-C ends it.")
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(1)
