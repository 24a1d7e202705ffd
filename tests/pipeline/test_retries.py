"""Steps that fail, and are tried again."""

from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from gnomon.pipeline.dag import Dag, FromStep, Retry
from gnomon.runners.processes import ProcessRunner
from tests.pipeline.projects import write
from tests.pipeline.runs import Lab

STEPS = """
    import os, signal, time
    from pathlib import Path

    def flaky(counter, good_at):
        with open(counter, "a") as file:
            file.write("x")
        tries = len(Path(counter).read_text())
        if tries < good_at:
            raise OSError(f"try {tries}")
        return tries

    def after(value):
        return value + 100

    def greedy(n):
        raise MemoryError

    def kills_the_zygote_once(counter):
        with open(counter, "a") as file:
            file.write("x")
        if len(Path(counter).read_text()) == 1:
            os.kill(os.getppid(), signal.SIGKILL)
            time.sleep(60)
        return len(Path(counter).read_text())

    def killed(n):
        os.kill(os.getpid(), signal.SIGKILL)
    """
AT_ONCE = timedelta(0)


@pytest.fixture
def lab(tmp_path: Path, runner: ProcessRunner) -> Lab:
    write(tmp_path / "project", {"steps.py": STEPS})
    return Lab(tmp_path, runner)


def test_every_attempt_is_journaled_and_the_steps_after_wait_for_the_good_one(lab: Lab) -> None:
    settings = {"counter": str(lab.folder / "counter")}
    retry = Retry(3, timedelta(seconds=2), 3.0)
    flaky = lab.step("flaky", "flaky", params={"good_at": 3}, settings=settings, retry=retry)
    seen = []
    records = lab.run(
        Dag((flaky, lab.step("after", "after", {"value": FromStep("flaky")}))),
        observe=lambda step: seen.append((step.name, step.attempt, step.state)),
    )
    assert lab.value(records["after"]) == 103
    attempts = [step for step in lab.journal.attempts("run-1") if step.name == "flaky"]
    assert [(step.attempt, step.state, step.reason) for step in attempts] == [
        (1, "failed", "error"),
        (2, "failed", "error"),
        (3, "done", ""),
    ]
    waits = [later.started_at - (before.ended_at or before.started_at) for before, later in pairwise(attempts)]
    assert timedelta(seconds=2) <= waits[0] < timedelta(seconds=6) <= waits[1]
    assert seen.index(("flaky", 3, "done")) < seen.index(("after", 1, "running"))


def test_a_step_that_stays_bad_fails_after_its_tries_and_the_next_run_tries_anew(lab: Lab) -> None:
    settings = {"counter": str(lab.folder / "counter")}
    bad = lab.step("bad", "flaky", params={"good_at": 4}, settings=settings, retry=Retry(1, AT_ONCE))
    after = lab.step("after", "after", {"value": FromStep("bad")})
    records = lab.run(Dag((bad, after)))
    assert (records["bad"].state, records["bad"].attempt, records["after"].state) == ("failed", 2, "cancelled")
    records = lab.run(Dag((bad, after)))
    assert (records["bad"].state, records["bad"].attempt, records["after"].state) == ("done", 4, "done")


def test_cancelling_does_not_wait_for_the_next_try(lab: Lab) -> None:
    settings = {"counter": str(lab.folder / "counter")}
    bad = lab.step("bad", "flaky", params={"good_at": 9}, settings=settings, retry=Retry(5, timedelta(days=1)))
    records = lab.run(Dag((bad,)), cancelled=lambda: any(step.state == "failed" for step in lab.journal.attempts("run-1")))
    assert (records["bad"].state, records["bad"].attempt) == ("cancelled", 2)


def test_running_out_of_memory_is_told_from_other_failures(lab: Lab) -> None:
    record = lab.run(Dag((lab.step("greedy", "greedy", params={"n": 1}),)))["greedy"]
    assert (record.state, record.reason) == ("failed", "memory")
    killed = lab.run(Dag((lab.step("killed", "killed", params={"n": 1}),)), "run-2")["killed"]
    assert (killed.state, killed.reason) == ("killed", "signal")


def test_what_was_lost_with_the_process_it_was_forked_from_is_tried_again(tmp_path: Path) -> None:
    write(tmp_path / "project", {"steps.py": STEPS})
    runner = ProcessRunner(1, ["gnomon.pipeline.child"])
    lab = Lab(tmp_path, runner)
    step = lab.step("lost", "kills_the_zygote_once", settings={"counter": str(tmp_path / "counter")})
    record = lab.run(Dag((step,)))["lost"]
    runner.close()
    assert (record.state, record.attempt) == ("done", 2)
    assert [each.reason for each in lab.journal.attempts("run-1")] == ["lost", ""]
