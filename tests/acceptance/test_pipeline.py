"""A repository of somebody's own, whose pipeline runs under `gnomon up`."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.live import Live

MANIFEST = """\
apiVersion: gnomon.dev/v1alpha1
kind: Pipeline
metadata: {name: weekly}
spec:
  params: {rate: 0.5, rows: 20000}
  inputs: {rides: {dataset: rides}}
  steps:
    - {name: clean, python: "flow/clean.py:clean", outputs: [wide, facts], timeout: 2m, memory: 2GiB}
    - {name: left, python: "flow/parts.py:left"}
    - {name: right, python: "flow/parts.py:right", params: {power: 2}}
    - {name: count, command: "wc -c < {inputs.left} > {outputs.bytes}", outputs: [bytes]}
    - {name: report, python: "flow/report.py:report", seed: 7}
  parallel: 2
---
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {name: rides}
spec: {source: {files: data/*.csv}}
"""
# Each step tells that it ran, and waits while a file tells it to, so that a test may kill the operator in the middle of it.
GATE = """\
import os, pathlib, time

PLACE = pathlib.Path({place!r})

def note(step):
    with (PLACE / "ran").open("a") as ran:
        ran.write(step + "\\n")
    while (PLACE / ("hold-" + step)).exists():
        time.sleep(0.01)
"""
CODE = {
    "flow/clean.py": """\
import numpy as np
import polars as pl
from flow.scaling import scaled
from gate import note

def clean(rides, rate, rows):
    note("clean")
    minutes = pl.from_arrow(rides)["minutes"].to_numpy()
    wide = np.tile(scaled(minutes, rate), rows)
    return {"wide": wide, "facts": {"rows": len(minutes)}}
""",
    "flow/scaling.py": """\
from flow.constants import FACTOR

def scaled(values, rate):
    return values * rate * FACTOR
""",
    "flow/constants.py": "FACTOR = 2.0\nUNUSED = 1\n",
    "flow/parts.py": """\
from gate import note

def left(wide):
    note("left")
    return wide[::2].copy()

def right(wide, facts, power):
    note("right")
    return {"total": float((wide ** power).sum()), "rows": facts["rows"]}
""",
    "flow/report.py": """\
import random
from gate import note

def report(bytes, right):
    note("report")
    print("the report is written")
    return {"bytes": int(bytes.read_text()), "rows": right["rows"], "total": right["total"], "luck": random.random()}
""",
    "flow/other.py": "def unrelated():\n    return 1\n",
}


class Story:
    """The pipeline of a live operator, and what its steps told."""

    def __init__(self, live: Live) -> None:
        self.live = live
        self.place = live.folder / "told"
        self.place.mkdir()
        self.seen = 0

    def files(self) -> dict[str, str | bytes]:
        rows = "\n".join(f"{number},{number % 7 + 1}.5" for number in range(50))
        gate = GATE.format(place=str(self.place))
        return {"pipeline.yaml": MANIFEST, "data/a.csv": f"id,minutes\n{rows}\n", "gate.py": gate, **CODE}

    def hold(self, step: str) -> Path:
        held = self.place / f"hold-{step}"
        held.touch()
        return held

    def told(self) -> list[str]:
        """What ran, in order."""
        return (self.place / "ran").read_text().split() if (self.place / "ran").exists() else []

    def ran(self) -> list[str]:
        """What ran since this was asked last, sorted."""
        told = self.told()
        news, self.seen = told[self.seen :], len(told)
        return sorted(news)

    def runs(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.live.api("/runs")["items"]
        return found

    def settled(self, runs: int) -> dict[str, Any]:
        """Wait until there are so many runs, and the newest has passed; return it with its steps."""

        def is_settled() -> bool:
            found = self.runs()
            assert all(run["state"] != "failed" for run in found), found[0]["message"]
            return (
                len(found) == runs and found[0]["state"] == "passed" and "StepsDone" in self.live.reason("Pipeline", "weekly")
            )

        self.live.until(is_settled, f"run {runs} of the pipeline")
        newest: dict[str, Any] = self.live.api(f"/runs/{self.runs()[0]['id']}")
        return newest

    def states(self) -> dict[str, str]:
        """The states of the steps of the newest run."""
        newest = self.runs()[:1]
        return {step["name"]: step["state"] for step in self.live.api(f"/runs/{newest[0]['id']}")["steps"]} if newest else {}


@pytest.fixture
def story(live: Live) -> Story:
    return Story(live)


def test_a_pipeline_resumes_and_runs_again_only_what_a_change_reaches(story: Story) -> None:
    live = story.live
    hold = story.hold("left")
    live.up()
    live.push_files("Declare a pipeline", story.files())

    # kill -9 of the operator in the middle of a step, when others are done: only what was not finished runs again.
    live.until(lambda: story.states().get("right") == "done" and "left" in story.told(), "the left branch")
    live.kill_operator()
    hold.unlink()
    live.up()
    first = story.settled(1)
    assert story.ran() == ["clean", "left", "left", "report", "right"]
    results = {step["name"]: step["results"] for step in first["steps"]}

    # A person asks for it again: nothing is run, and the results are the same.
    done = live.run_cli("run", "pipeline/weekly", "--wait", "-o", "json")
    assert done.returncode == 0, done.stderr
    again = json.loads(done.stdout)
    assert {step["name"]: step["results"] for step in again["steps"]} == results
    assert {step["state"] for step in again["steps"]} == {"cached"}

    # What a change does not reach starts no run.
    live.push_files(
        "Comment",
        {"flow/other.py": "# said better\n" + CODE["flow/other.py"], "flow/parts.py": CODE["flow/parts.py"] + "# end\n"},
    )
    live.push_files("Unused", {"flow/constants.py": CODE["flow/constants.py"].replace("UNUSED = 1", "UNUSED = 2")})
    live.until(lambda: live.resource("Pipeline", "weekly")["status"]["observedRevision"] == live.person.head(), "the commit")
    assert len(story.runs()) == 2
    assert story.ran() == []

    # A constant two imports away, one parameter of one step, and the data: each reaches as far as its results change.
    live.push_files("Factor", {"flow/constants.py": CODE["flow/constants.py"].replace("2.0", "3.0")})
    story.settled(3)
    assert story.ran() == ["clean", "left", "report", "right"]
    live.push_files("Power", {"pipeline.yaml": MANIFEST.replace("power: 2", "power: 3")})
    story.settled(4)
    assert story.ran() == ["report", "right"]
    data = str(story.files()["data/a.csv"])
    live.push_files("Data", {"data/a.csv": data.replace("\n49,1.5", "\n49,9.5")})
    story.settled(5)
    assert story.ran() == ["clean", "left", "report", "right"]

    # A person ends a run for good.
    hold = story.hold("clean")
    live.push_files("Rate", {"pipeline.yaml": MANIFEST.replace("rate: 0.5", "rate: 0.25")})
    live.until(lambda: "clean" in story.ran(), "clean")
    live.post(f"/runs/{story.runs()[0]['id']}/cancel")
    live.until(lambda: "Cancelled: " in live.reason("Pipeline", "weekly"), "the end of the run")
    assert story.runs()[0]["state"] == "failed"
    assert live.run_cli("why", "pipeline/weekly", "clean").stdout.startswith("clean: the parameter rate is 0.25 and was 0.5 ")
