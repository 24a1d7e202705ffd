"""Calls in processes, and what becomes of the processes."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.errors import DataError, StepFailedError, UsageError
from gnomon.runners.child import print_error
from gnomon.runners.interface import Call, Outcome, Runner
from gnomon.runners.memory import InlineRunner
from gnomon.runners.processes import ProcessRunner
from gnomon.runners.warm import Zygote

ROOT = Path(__file__).resolve().parent.parent.parent
LONG = timedelta(seconds=60)


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    shared = Zygote(["numpy"])
    yield shared
    shared.close()


@pytest.fixture
def processes(zygote: Zygote) -> Iterator[ProcessRunner]:
    runner = ProcessRunner(2, zygote=zygote)
    yield runner
    runner.close()


@pytest.fixture(params=["processes", "inline"])
def either(request: pytest.FixtureRequest, processes: ProcessRunner) -> Runner:
    return processes if request.param == "processes" else InlineRunner()


def call(folder: Path, entry: str, payload: bytes = b"", token: str = "t", **rest: Any) -> Call:
    return Call(token, f"tests.runners.calls:{entry}", payload, folder / f"{token}.log", path=(ROOT,), **rest)


def outcome_of(runner: Runner, made: Call) -> Outcome:
    runner.submit(made)
    (outcome,) = runner.wait(LONG)
    assert outcome.token == made.token
    return outcome


def test_a_call_gives_back_its_bytes_and_what_it_used(either: Runner, tmp_path: Path) -> None:
    outcome = outcome_of(either, call(tmp_path, "echo", bytes(range(256))))
    assert (outcome.state, outcome.result, outcome.error) == ("done", bytes(range(256)), "")
    assert outcome.cpu_s >= 0


def test_output_goes_to_the_log(either: Runner, tmp_path: Path) -> None:
    outcome = outcome_of(either, call(tmp_path, "shout", b"x"))
    assert outcome.result == b"X"
    log = (tmp_path / "t.log").read_text()
    assert "on stdout\n" in log
    assert "on stderr\n" in log


def test_an_error_is_told_with_its_place_and_ours_with_its_mend(either: Runner, tmp_path: Path) -> None:
    outcome = outcome_of(either, call(tmp_path, "raise_value_error", b"seven is odd"))
    assert outcome.state == "failed"
    assert outcome.error.startswith("tests/runners/calls.py:")
    assert outcome.error.endswith("in raise_value_error: ValueError: seven is odd")
    assert "Traceback" in (tmp_path / "t.log").read_text()
    assert outcome_of(either, call(tmp_path, "raise_ours", b"x is empty")).error == "x is empty (give other data)"


def test_the_log_shows_what_was_written_and_then_the_caller_s_own_lines(processes: ProcessRunner, tmp_path: Path) -> None:
    outcome_of(processes, call(tmp_path, "print_and_raise", b"seven is odd"))
    log = (tmp_path / "t.log").read_text()
    assert log.startswith("before\nTraceback")
    assert [line for line in log.splitlines() if line.startswith("  File ")] == [
        line for line in log.splitlines() if line.endswith("in print_and_raise")
    ]


def test_an_error_of_ours_that_no_line_of_the_caller_led_to_is_logged_by_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(DataError("x is empty", "give other data"))
    assert capsys.readouterr().err == "x is empty (give other data)\n"


@pytest.mark.parametrize("how", [b"none", b"close"])
def test_a_call_may_close_its_output(processes: ProcessRunner, tmp_path: Path, how: bytes) -> None:
    outcome = outcome_of(processes, call(tmp_path, "close_stdout", how))
    assert (outcome.state, outcome.result) == ("done", b"closed")


def test_an_entry_that_does_not_exist_fails(either: Runner, tmp_path: Path) -> None:
    assert "no_such_entry" in outcome_of(either, call(tmp_path, "no_such_entry")).error


def test_equal_seeds_draw_equal_numbers(either: Runner, tmp_path: Path) -> None:
    assert np.random is not None  # loaded here and in the zygote: what is not loaded yet when a call begins cannot be seeded
    first, second, other = (outcome_of(either, call(tmp_path, "random_numbers", seed=seed)).result for seed in (1, 1, -2))
    assert first == second != other


def test_a_descriptor_s_output_goes_to_the_log_too(processes: ProcessRunner, tmp_path: Path) -> None:
    outcome_of(processes, call(tmp_path, "shout"))
    assert "straight to the descriptor\n" in (tmp_path / "t.log").read_text()


def test_a_call_has_a_process_and_session_of_its_own_with_one_thread(processes: ProcessRunner, tmp_path: Path) -> None:
    seen = [
        outcome_of(processes, call(tmp_path, "facts", environment=(("COLOUR", "blue"),))).result.decode().split()
        for _ in range(2)
    ]
    pid, parent, session, threads, colour, stdin = seen[0]
    assert pid == session != str(os.getpid())
    assert parent != str(os.getpid())
    assert (threads, colour, stdin) == ("1", "blue", "''")
    assert seen[1][0] != pid


def test_a_large_result_comes_back_whole(processes: ProcessRunner, tmp_path: Path) -> None:
    assert len(outcome_of(processes, call(tmp_path, "megabytes", b"40")).result) == 40 << 20


@pytest.mark.parametrize(
    ("entry", "payload", "state", "words"),
    [
        ("leave", b"3", "failed", "SystemExit: 3"),
        ("leave_at_once", b"3", "failed", "left early, with exit code 3"),
        ("leave_at_once", b"0", "failed", "left early, with exit code 0"),
        ("segfault", b"", "killed", "killed by SIGSEGV"),
    ],
)
def test_a_call_that_ends_its_process_is_told_from_one_that_is_done(
    processes: ProcessRunner, tmp_path: Path, entry: str, payload: bytes, state: str, words: str
) -> None:
    outcome = outcome_of(processes, call(tmp_path, entry, payload))
    assert outcome.state == state
    assert words in outcome.error
    assert outcome.result == b""


def test_a_call_that_hangs_is_killed_at_its_timeout(processes: ProcessRunner, tmp_path: Path) -> None:
    outcome = outcome_of(processes, call(tmp_path, "hang", timeout=timedelta(seconds=0.2)))
    assert (outcome.state, outcome.error) == ("timed-out", "timed out after 0.2 s")


@pytest.mark.parametrize("entry", ["grow", "grow_in_children"])
def test_a_call_that_passes_its_memory_limit_is_killed(processes: ProcessRunner, tmp_path: Path, entry: str) -> None:
    payload = b"60" if entry == "grow" else b"10"
    outcome = outcome_of(processes, call(tmp_path, entry, payload, memory_bytes=120 << 20))
    assert outcome.state == "killed"
    assert outcome.error.startswith("killed for memory: used 1")
    assert outcome.error.endswith("of 120 MiB allowed")


def test_a_call_within_its_memory_limit_is_left_alone(processes: ProcessRunner, tmp_path: Path) -> None:
    assert outcome_of(processes, call(tmp_path, "grow", b"5", memory_bytes=120 << 20)).result == b"5"


def test_nothing_that_a_call_started_outlives_it(processes: ProcessRunner, tmp_path: Path) -> None:
    places = tmp_path / "places"
    places.mkdir()
    assert outcome_of(processes, call(tmp_path, "leave_daemons", str(places).encode())).result == b"left two behind"
    assert [each.name for each in places.iterdir() if Path("/proc", each.read_text()).exists()] == []


def test_the_daemons_of_one_call_end_while_another_call_goes_on(processes: ProcessRunner, tmp_path: Path) -> None:
    places = tmp_path / "places"
    places.mkdir()
    processes.submit(call(tmp_path, "hang", token="hangs"))
    processes.submit(call(tmp_path, "leave_daemons", str(places).encode(), token="leaves"))
    (outcome,) = processes.wait(LONG)
    assert (outcome.token, outcome.state) == ("leaves", "done")
    assert [each.name for each in places.iterdir() if Path("/proc", each.read_text()).exists()] == []
    processes.cancel()
    assert [each.token for each in processes.wait(LONG)] == ["hangs"]


def test_as_many_calls_run_at_once_as_there_are_slots(processes: ProcessRunner, tmp_path: Path) -> None:
    for token in "ab":
        processes.submit(call(tmp_path, "hang", token=token))
    with pytest.raises(UsageError, match="one call more than the 2 slots"):
        processes.submit(call(tmp_path, "echo", token="c"))
    assert processes.wait(timedelta(0)) == []
    processes.cancel()
    ended: list[Outcome] = []
    while len(ended) < 2:
        ended.extend(processes.wait(LONG))
    assert {(each.token, each.state) for each in ended} == {("a", "cancelled"), ("b", "cancelled")}
    assert outcome_of(processes, call(tmp_path, "echo", b"again")).result == b"again"


def test_cancelling_one_runner_leaves_another_of_the_same_zygote_alone(zygote: Zygote, tmp_path: Path) -> None:
    one, two = ProcessRunner(1, zygote=zygote), ProcessRunner(1, zygote=zygote)
    one.submit(call(tmp_path, "hang", token="one"))
    two.submit(call(tmp_path, "grow", b"20", token="two"))
    one.cancel()
    assert one.wait(LONG)[0].state == "cancelled"
    assert two.wait(LONG)[0].state == "done"
    one.close()
    two.close()


def pids_below(parent: int) -> set[int]:
    children: dict[int, set[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            stat = path.read_text()
        except OSError:
            continue
        if stat.rpartition(")")[2].split()[0] != "Z":
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), set()).add(int(path.parent.name))
    found, todo = set(), [parent]
    while todo:
        new = children.get(todo.pop(), set())
        found |= new
        todo.extend(new)
    return found


def wait_until_gone(pids: set[int]) -> None:
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in pids):
        assert time.monotonic() < deadline, pids


def test_closing_a_runner_ends_its_calls_and_its_own_zygote(tmp_path: Path) -> None:
    before = pids_below(os.getpid())
    runner = ProcessRunner(2)
    runner.submit(call(tmp_path, "hang"))
    started = pids_below(os.getpid()) - before
    assert started
    runner.close()
    wait_until_gone(started)


def test_a_zygote_outlives_the_thread_that_started_it(tmp_path: Path) -> None:
    zygote = Zygote()
    found: list[Outcome] = []

    def use() -> None:
        runner = ProcessRunner(1, zygote=zygote)
        found.append(outcome_of(runner, call(tmp_path, "facts")))
        runner.close()

    for _ in range(2):
        thread = threading.Thread(target=use)
        thread.start()
        thread.join()
    zygote.close()
    parents = {outcome.result.decode().split()[1] for outcome in found}
    assert len(found) == 2
    assert len(parents) == 1


def test_a_zygote_that_dies_takes_its_calls_along_and_is_started_again(tmp_path: Path) -> None:
    runner = ProcessRunner(1)
    zygote = int(outcome_of(runner, call(tmp_path, "facts")).result.split()[1])
    runner.submit(call(tmp_path, "hang"))
    below = pids_below(zygote)
    os.kill(zygote, signal.SIGKILL)
    (outcome,) = runner.wait(LONG)
    assert (outcome.state, outcome.error) == ("killed", "killed together with the process it was forked from")
    wait_until_gone(below)
    assert outcome_of(runner, call(tmp_path, "echo", b"back")).result == b"back"
    runner.close()


def test_a_module_that_starts_threads_is_left_to_the_calls(tmp_path: Path) -> None:
    text = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), daemon=True).start()\n"
    (tmp_path / "threaded.py").write_text(text)
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(tmp_path)
    try:
        zygote = Zygote(["json", "threaded", "decimal"])
        runner = ProcessRunner(1, zygote=zygote)
        assert outcome_of(runner, call(tmp_path, "facts")).result.split()[3] == b"1"
    finally:
        if path is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = path
    assert zygote.skipped == ("threaded",)
    runner.close()
    zygote.close()


def test_a_preload_that_does_not_exist_is_named(tmp_path: Path) -> None:
    runner = ProcessRunner(1, ["no_such_module_anywhere"])
    with pytest.raises(StepFailedError, match="no_such_module_anywhere"):
        runner.submit(call(tmp_path, "echo"))
    runner.close()


def test_a_runner_without_slots_is_refused() -> None:
    with pytest.raises(UsageError, match="0 slots"):
        ProcessRunner(0)


def test_a_killed_driver_leaves_no_process_behind(tmp_path: Path) -> None:
    program = (
        "import sys, time\nfrom pathlib import Path\nfrom tests.runners.test_processes import *\n"
        "runner = ProcessRunner(2)\nfolder = Path(sys.argv[1])\n"
        "runner.submit(call(folder, 'hang', token='a'))\n"
        "runner.submit(call(folder, 'leave_daemons', sys.argv[1].encode(), token='b'))\n"
        "print('started', flush=True)\ntime.sleep(600)\n"
    )
    places = tmp_path / "places"
    places.mkdir()
    with subprocess.Popen([sys.executable, "-c", program, str(places)], cwd=ROOT, stdout=subprocess.PIPE) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == b"started\n"
        deadline = time.monotonic() + 30
        while len(below := pids_below(driver.pid)) < 2:
            assert time.monotonic() < deadline
        driver.kill()
    wait_until_gone(below)
