"""Runs of steps in real processes."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.errors import ConflictError, UsageError
from gnomon.pipeline.dag import Argument, Dag, FromStep, FromStore
from gnomon.pipeline.liveness import process_identity
from gnomon.pipeline.values import INLINE_BYTES, as_arguments, keep_result
from gnomon.resources.identity import Digest
from gnomon.runners.memory import InlineRunner
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.objects.memory import MemoryObjectStore
from gnomon.stores.records.interface import StepRecord
from gnomon.stores.records.sql import open_sqlite
from tests.pipeline.projects import write
from tests.pipeline.runs import ARITHMETIC, CHAIN, HELPERS, Lab

STEPS = """
    import os, signal, subprocess, sys, time
    from pathlib import Path
    import numpy as np
    from gnomon.errors import DataError

    UNIT = 2

    def number(n):
        return n * UNIT

    def repeated(n):
        return "x" * n

    def total(values):
        return sum(values)

    def table(n):
        import pyarrow as pa
        return {"rows": pa.table({"x": list(range(n))}), "count": n}

    def count(rows, expected):
        return [rows.num_rows, expected]

    def raises(n):
        print("about to fail")
        return [][n]

    def raises_ours(n):
        raise DataError("the column x is empty", "fill it")

    def segfaults(n):
        os.kill(os.getpid(), signal.SIGSEGV)

    def hangs(n):
        time.sleep(600)

    def greedy(n):
        kept = []
        while True:
            kept.append(bytearray(b"x") * (16 << 20))
            time.sleep(0.005)

    def noisy(n):
        for _ in range(10):
            print("y" * (1 << 20))
        return n

    def daemon(place):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                Path(place).write_text(str(os.getpid()))
                time.sleep(600)
            os._exit(0)
        while not Path(place).exists() or not Path(place).read_text():
            time.sleep(0.01)
        return "left"

    def big(n):
        return np.full(n, 7.0)

    def last(array):
        return [type(array).__name__, float(array[-1])]

    def unkeepable(n):
        return {"model": object()}

    def drawn(n):
        import random
        return [random.random(), float(np.random.random()), hash("text")]

    def where(n):
        Path("here.txt").write_text("scratch")
        return str(Path.cwd())

    def slow(n):
        time.sleep(n)
        return n
    """


@pytest.fixture
def lab(tmp_path: Path, runner: ProcessRunner) -> Lab:
    write(tmp_path / "project", {"steps.py": STEPS})
    return Lab(tmp_path, runner)


@pytest.fixture
def chain_lab(tmp_path: Path, runner: ProcessRunner) -> Lab:
    write(tmp_path / "project", {"steps.py": CHAIN, "helpers.py": HELPERS, "arithmetic.py": ARITHMETIC})
    return Lab(tmp_path, runner)


def states(records: Any) -> dict[str, str]:
    return {name: record.state for name, record in records.items()}


def test_a_chain_hands_results_on(chain_lab: Lab) -> None:
    records = chain_lab.run(chain_lab.chain(5))
    assert chain_lab.value(records["s4"]) == 10
    assert chain_lab.ran == ["0", "1", "2", "3", "4"]
    assert all(record.cpu_s > 0 and record.peak_rss_bytes > 1 << 20 and record.ended_at for record in records.values())
    assert not list((chain_lab.folder / "work").glob("*"))


def test_a_fan_out_and_in_takes_lists_of_results(lab: Lab) -> None:
    numbers = [lab.step(f"n{n}", "number", params={"n": n}) for n in range(6)]
    kept = keep_result(100, lab.objects, lab.folder)["value"]
    everything: Argument = (*(FromStep(step.name) for step in numbers), FromStore(Digest(kept["digest"]), "json"))
    seen: list[tuple[str, str]] = []
    records = lab.run(
        Dag((lab.step("sum", "total", {"values": everything}), *numbers)),
        observe=lambda step: seen.append((step.name, step.state)),
    )
    assert lab.value(records["sum"]) == 130
    assert Counter(state for _, state in seen) == {"running": 7, "done": 7}
    assert seen[-1] == ("sum", "done")


def test_named_items_go_to_different_steps(lab: Lab) -> None:
    made = lab.step("made", "table", params={"n": 3})
    counted = lab.step("counted", "count", {"rows": FromStep("made", "rows"), "expected": FromStep("made", "count")})
    assert lab.value(lab.run(Dag((made, counted)))["counted"]) == [3, 3]


def test_the_same_again_runs_nothing(chain_lab: Lab) -> None:
    chain_lab.run(chain_lab.chain(4))
    again = chain_lab.run(chain_lab.chain(4), "run-2")
    assert states(again) == dict.fromkeys(("s0", "s1", "s2", "s3"), "cached")
    assert chain_lab.value(again["s3"]) == 6
    assert len(chain_lab.ran) == 4


def test_a_result_whose_bytes_are_gone_is_made_again(lab: Lab) -> None:
    dag = Dag((lab.step("big", "big", params={"n": 1000}), lab.step("last", "last", {"array": FromStep("big")})))
    first = lab.run(dag)
    assert first["big"].result is not None
    lab.objects.delete(Digest(first["big"].result["value"]["digest"]))
    assert states(lab.run(dag, "run-2")) == {"big": "done", "last": "cached"}


def test_a_small_result_costs_no_file_and_a_large_one_does(lab: Lab) -> None:
    dag = Dag((lab.step("small", "number", params={"n": 3}), lab.step("large", "repeated", params={"n": INLINE_BYTES})))
    records = lab.run(dag)
    assert lab.value(records["small"]) == 6
    assert lab.value(records["large"]) == "x" * INLINE_BYTES
    results = {name: (record.result or {})["value"] for name, record in records.items()}
    assert {name: lab.objects.exists(Digest(kept["digest"])) for name, kept in results.items()} == {
        "small": False,
        "large": True,
    }
    assert as_arguments(records["small"].result or {}, lab.objects) == {
        "value": FromStore(Digest(results["small"]["digest"]), "json")
    }
    assert lab.objects.get(Digest(results["small"]["digest"])) == b"6"


@pytest.mark.parametrize(
    ("file", "old", "new", "value", "runs"),
    [
        ("arithmetic.py", "left + right", "left + right + 1", 10, 4),
        ("arithmetic.py", "left + right", "right + left", 6, 4),
        ("helpers.py", "# both are numbers", "# either is a number", 6, 0),
        ("helpers.py", "def total", "def unrelated(): pass\n\n    def total", 6, 0),
    ],
)
def test_an_edit_runs_what_it_reaches(chain_lab: Lab, file: str, old: str, new: str, value: int, runs: int) -> None:
    chain_lab.run(chain_lab.chain(4))
    chain_lab.log.unlink()
    path = chain_lab.project / file
    path.write_text(path.read_text().replace(old, new.replace("\n    ", "\n")))
    records = chain_lab.run(chain_lab.chain(4), "run-2")
    assert chain_lab.value(records["s3"]) == value
    assert len(chain_lab.ran) == runs


def test_a_refactoring_with_the_same_output_runs_one_step(lab: Lab) -> None:
    write(lab.project, {"steps.py": "def one(n):\n    return n + 1\ndef two(n):\n    return n * 2\n"})
    dag = Dag((lab.step("one", "one", params={"n": 1}), lab.step("two", "two", {"n": FromStep("one")})))
    lab.run(dag)
    write(lab.project, {"steps.py": "def one(n):\n    return 1 + n\ndef two(n):\n    return n * 2\n"})
    assert states(lab.run(dag, "run-2")) == {"one": "done", "two": "cached"}


def test_an_edit_within_the_same_second_and_of_the_same_size_is_what_runs(lab: Lab) -> None:
    dag = Dag((lab.step("one", "one", params={"n": 1}),))
    for digit in "3456":
        path = write(lab.project, {"steps.py": f"def one(n):\n    return n + {digit}\n"}) / "steps.py"
        os.utime(path, (1_700_000_000, 1_700_000_000))
        subprocess.run([sys.executable, "-c", "import steps"], cwd=lab.project, check=True)  # leaves bytecode of this second
        assert lab.value(lab.run(dag, f"run-{digit}")["one"]) == 1 + int(digit)


def test_settings_stay_out_of_the_key_and_seeds_are_in_it(lab: Lab) -> None:
    def run(name: str, **rest: Any) -> StepRecord:
        return lab.run(Dag((lab.step("one", "drawn", **rest),)), name)["one"]

    first = run("a", settings={"n": 1})
    assert run("b", settings={"n": 2}).state == "cached"
    other = run("c", settings={"n": 1}, seed=1)
    assert other.state == "done"
    assert lab.value(other) != lab.value(first)
    # The same draws, and the same order of sets, in a process that has nothing to do with the first.
    assert first.result is not None
    lab.objects.delete(Digest(first.result["value"]["digest"]))
    assert run("d", settings={"n": 1}).result == first.result


def test_a_failure_stops_only_what_needs_it(lab: Lab) -> None:
    dag = Dag(
        (
            lab.step("bad", "raises", params={"n": 7}),
            lab.step("next", "number", {"n": FromStep("bad")}),
            lab.step("after", "number", {"n": FromStep("next")}),
            lab.step("good", "number", params={"n": 1}),
            lab.step("better", "number", {"n": FromStep("good")}),
        )
    )
    records = lab.run(dag)
    assert states(records) == {"bad": "failed", "next": "cancelled", "after": "cancelled", "good": "done", "better": "done"}
    assert records["bad"].error == "steps.py:27 in raises: IndexError: list index out of range"
    assert records["after"].error == "step bad, which it depends on, ended as failed"
    assert records["bad"].log is not None
    log = lab.objects.get(records["bad"].log).decode()
    assert log.startswith("about to fail\n")
    assert "IndexError" in log


def test_a_failed_step_is_tried_again_in_the_next_attempt(lab: Lab) -> None:
    dag = Dag((lab.step("bad", "raises", params={"n": 7}),))
    assert lab.run(dag)["bad"].attempt == 1
    again = lab.run(dag)["bad"]
    assert (again.attempt, again.state) == (2, "failed")


@pytest.mark.parametrize(
    ("function", "state", "words", "limits"),
    [
        ("raises_ours", "failed", "the column x is empty (fill it)", {}),
        ("segfaults", "killed", "killed by SIGSEGV", {}),
        ("hangs", "timed-out", "timed out after 0.3 s", {"timeout": timedelta(seconds=0.3)}),
        ("greedy", "killed", "of 200 MiB allowed", {"memory_bytes": 200 << 20}),
        ("unkeepable", "failed", "model of the result is a object", {}),
        ("missing", "failed", "steps.py defines no 'missing'", {}),
    ],
)
def test_how_a_step_ended_is_told(lab: Lab, function: str, state: str, words: str, limits: dict[str, Any]) -> None:
    record = lab.run(Dag((lab.step("one", function, params={"n": 1}, **limits),)))["one"]
    assert record.state == state
    assert words in record.error
    assert record.result is None
    assert lab.journal.steps("run-1") == [record]


def test_ten_megabytes_of_output_are_kept_as_the_log(lab: Lab) -> None:
    record = lab.run(Dag((lab.step("one", "noisy", params={"n": 1}),)))["one"]
    assert record.state == "done"
    assert record.log is not None
    assert lab.objects.path(record.log).stat().st_size == 10 * ((1 << 20) + 1)


def test_a_daemon_does_not_outlive_its_step(lab: Lab) -> None:
    place = lab.folder / "daemon.pid"
    record = lab.run(Dag((lab.step("one", "daemon", params={"place": str(place)}),)))["one"]
    assert record.state == "done"
    assert not Path("/proc", place.read_text()).exists()


def test_a_hundred_megabytes_are_mapped_not_copied(lab: Lab) -> None:
    dag = Dag((lab.step("big", "big", params={"n": 13_000_000}), lab.step("last", "last", {"array": FromStep("big")})))
    records = lab.run(dag)
    assert lab.value(records["last"]) == ["memmap", 7.0]
    assert records["last"].peak_rss_bytes < 80 << 20
    assert isinstance(lab.value(records["big"]), np.memmap)


def test_a_step_starts_in_a_folder_of_its_own_that_is_gone_afterwards(lab: Lab) -> None:
    folder = Path(lab.value(lab.run(Dag((lab.step("one", "where", params={"n": 1}),)))["one"]))
    assert folder.is_relative_to(lab.folder / "work")
    assert not folder.exists()


def test_cancelling_kills_what_runs_and_ends_what_waits(lab: Lab) -> None:
    dag = Dag((lab.step("one", "hangs", params={"n": 1}), lab.step("two", "number", {"n": FromStep("one")})))
    started = threading.Event()
    records = lab.run(dag, cancelled=started.is_set, observe=lambda step: started.set() if step.state == "running" else None)
    assert states(records) == {"one": "cancelled", "two": "cancelled"}
    assert lab.runner.wait(timedelta(0)) == []


def test_an_error_of_the_journal_leaves_no_step_running(lab: Lab) -> None:
    class Broken(Exception):  # noqa: N818 - a name for one test
        pass

    def break_it(step: StepRecord) -> None:
        raise Broken(step.name)

    with pytest.raises(Broken):
        lab.run(Dag((lab.step("one", "hangs", params={"n": 1}), lab.step("two", "hangs", params={"n": 2}))), observe=break_it)
    assert lab.runner.wait(timedelta(0)) == []
    assert states(lab.run(Dag((lab.step("good", "number", params={"n": 1}),)))) == {"good": "done"}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([("a", []), ("a", [])], "two steps are named a"),
        ([("a", ["b"]), ("bb", [])], "step a needs the step b, which does not exist"),
        ([("a", ["c"]), ("b", ["a"]), ("c", ["b"]), ("d", [])], "a needs c needs b needs a"),
        ([("a", ["a"])], "a needs a"),
    ],
)
def test_a_graph_that_cannot_be_run_is_refused_before_the_first_step(
    lab: Lab, steps: list[tuple[str, list[str]]], words: str
) -> None:
    dag = Dag(tuple(lab.step(name, "total", {"values": tuple(map(FromStep, needs))}) for name, needs in steps))
    with pytest.raises(UsageError, match=words):
        lab.run(dag)
    assert lab.journal.steps("run-1") == []


def test_an_argument_given_twice_is_refused(lab: Lab) -> None:
    with pytest.raises(UsageError, match="is given n twice"):
        lab.run(Dag((lab.step("one", "number", params={"n": 1}, settings={"n": 2}),)))


def test_parameters_that_are_no_json_fail_their_step(lab: Lab) -> None:
    record = lab.run(Dag((lab.step("one", "number", params={"n": {1}}),)))["one"]
    assert "parameters or settings of step one are not JSON" in record.error


def test_a_store_that_processes_cannot_open_is_refused(lab: Lab) -> None:
    from gnomon.pipeline.driver import execute  # noqa: PLC0415 - the other tests go through the lab

    with pytest.raises(UsageError, match="MemoryObjectStore"):
        execute(
            Dag(()),
            run="r",
            journal=lab.journal,
            objects=MemoryObjectStore(),
            runner=lab.runner,
            workspace=lab.folder,
            clock=lab.clock,
            process=process_identity(),
        )


def test_a_run_that_another_live_process_drives_is_left_alone(lab: Lab) -> None:
    other = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
    boot = process_identity().split()[0]
    lab.journal.step_started(StepRecord("run-1", "one", 1, "k", "running", f"{boot} 1 {other}", lab.clock()))
    with pytest.raises(ConflictError, match="step one of run run-1"):
        lab.run(Dag((lab.step("one", "number", params={"n": 1}),)))


def test_an_attempt_of_a_dead_process_is_followed_by_the_next(lab: Lab) -> None:
    lab.journal.step_started(StepRecord("run-1", "one", 3, "k", "running", "boot 1 1", lab.clock()))
    record = lab.run(Dag((lab.step("one", "number", params={"n": 1}),)))["one"]
    assert (record.state, record.attempt) == ("done", 4)


def test_two_runs_share_a_zygote_from_two_threads(lab: Lab) -> None:
    found: dict[str, Any] = {}

    def drive(name: str) -> None:
        mine = Lab(lab.folder, ProcessRunner(2, zygote=lab.runner._shared), lab.journal)  # type: ignore[attr-defined]
        steps = [lab.step(f"{name}{n}", "number", params={"n": n + 100 * len(name)}) for n in range(8)]
        found[name] = {key: mine.value(record) for key, record in mine.run(Dag(tuple(steps)), name).items()}
        mine.runner.close()

    threads = [threading.Thread(target=drive, args=(name,)) for name in ("x", "yy")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found["x"] == {f"x{n}": 2 * (n + 100) for n in range(8)}
    assert found["yy"] == {f"yy{n}": 2 * (n + 200) for n in range(8)}


def test_the_runner_for_tests_runs_the_same_steps(tmp_path: Path) -> None:
    write(tmp_path / "project", {"steps.py": CHAIN, "helpers.py": HELPERS, "arithmetic.py": ARITHMETIC})
    lab = Lab(tmp_path, InlineRunner())
    assert lab.value(lab.run(lab.chain(3))["s2"]) == 3
    path = lab.project / "arithmetic.py"
    path.write_text(path.read_text().replace("left + right", "left - right"))
    assert lab.value(lab.run(lab.chain(3), "run-2")["s2"]) == -3


def processes_of(folder: Path) -> list[str]:
    """Return the command lines of processes that name a folder or come from a zygote, as far as they live."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"TMPDIR={folder}\0".encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return [each for each in found if each]


@pytest.mark.parametrize("_attempt", range(3))
def test_a_driver_killed_at_any_moment_carries_on_and_leaves_nobody_behind(tmp_path: Path, _attempt: int) -> None:
    write(tmp_path / "project", {"steps.py": CHAIN, "helpers.py": HELPERS, "arithmetic.py": ARITHMETIC})
    command = [sys.executable, "-m", "tests.pipeline.runs", str(tmp_path), "run-1"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # tells its processes from others
    log = tmp_path / "ran.log"
    with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as driver:
        wanted = random.randrange(1, 8)
        deadline = time.monotonic() + 60
        while driver.poll() is None and (not log.exists() or len(log.read_text().split()) < wanted):
            assert time.monotonic() < deadline
        assert len(processes_of(tmp_path)) > 1 or driver.poll() is not None, "the zygote is one of them"
        driver.send_signal(signal.SIGKILL)
    while processes_of(tmp_path):
        assert time.monotonic() < deadline, processes_of(tmp_path)
    journal = open_sqlite(tmp_path / "records.db")
    done = [step.name for step in journal.steps("run-1") if step.state == "done"]
    journal.close()
    before = log.read_text().split()
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert finished.stdout == "28\n"
    after = log.read_text().split()[len(before) :]
    assert after == [str(number) for number in range(len(done), 8)]
    assert len(before) - len(done) <= 1
