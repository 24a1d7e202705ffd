import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.operator.outcomes import Done, Waiting
from gnomon.serving.process import find_gateway, stop_gateway
from gnomon.serving.routes import ROUTES_FILE
from tests.git_remote import content_at, subjects
from tests.operator.rig import DEADLINE_S, FILES, Rig, rows_csv
from tests.operator.states import DATASET, MODEL, MODEL_YAML, SERVICE, SERVICE_YAML

RELEASE = "releases/default/delay.yaml"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def test_one_commit_is_carried_to_a_served_version_and_then_nothing_is_left_to_do(rig: Rig) -> None:
    rig.push(dict(FILES))
    rig.until(lambda: rig.serves(1))
    assert subjects(rig.remote)[0] == "release(delay): delay v1"
    ends = len(rig.events())
    assert rig.assembly.operator.run_pass() == timedelta.max
    assert [(event.key, event.reason, event.message) for event in rig.events()[ends:]] == []
    for key in (DATASET, MODEL, SERVICE):
        record = rig.assembly.records.resource(key)
        assert record is not None
        assert record.status.is_ready
        assert record.status.observed_generation == record.generation == 1
        assert {condition.type for condition in record.status.conditions} == {"Ready"}
    told = [event.reason for event in rig.events()]
    assert all(told.count(reason) == 1 for reason in ("RunStarted", "GatesPassed", "Released", "Serving", "SnapshotTaken"))

    # A new operator on the same home tells nothing a second time.
    rig.assembly.close()
    rig.start()
    rig.assembly.operator.run_pass()
    assert [(event.key, event.reason, event.message) for event in rig.events()[ends:]] == []
    assert all(event.count == 1 for event in rig.events())

    # Where everything but Git is lost, the same model is made again and gets its number back.
    rig.assembly.close()
    stop_gateway(rig.home.gateway)
    digest = [line for line in content_at(rig.remote, RELEASE).splitlines() if "digest" in line]
    shutil.rmtree(rig.home.path)
    rig.start()
    rig.assembly.operator.run_pass()
    assert rig.reason(SERVICE).startswith("False ArtifactUnverified: no artifact is kept under sha256:")
    assert "nothing serves meanwhile" in rig.reason(SERVICE)
    rig.until(lambda: rig.serves(1))
    assert [line for line in content_at(rig.remote, RELEASE).splitlines() if "digest" in line] == digest
    rig.until(lambda: [version.version for version in rig.assembly.records.versions(MODEL)] == [1])

    # What is new from here on is new in number too, also where the old artifact cannot be had again.
    rig.assembly.close()
    stop_gateway(rig.home.gateway)
    shutil.rmtree(rig.home.path)
    rig.start()
    rig.push({"data/one.csv": rows_csv(140)})
    rig.until(lambda: rig.serves(2))
    assert subjects(rig.remote)[0] == "release(delay): delay v2"


def test_two_services_of_one_model_and_a_suspended_one_each_go_their_own_way(rig: Rig) -> None:
    second = SERVICE_YAML.replace("name: delay", "name: second")
    third = SERVICE_YAML.replace("name: delay", "name: third") + "  suspend: true\n"
    rig.push({**FILES, "second.yaml": second, "third.yaml": third})
    rig.until(lambda: rig.serves(1))
    rig.until(lambda: rig.reason(type(SERVICE)("Service", "default", "second")).startswith("True Serving"))
    assert rig.reason(type(SERVICE)("Service", "default", "third")).startswith("Unknown Suspended")
    assert len(rig.runs()) == 1

    # A service that leaves loses its route, and comes back with its release.
    rig.push({"second.yaml": None})
    rig.until(lambda: rig.reason(type(SERVICE)("Service", "default", "second")) == "absent")
    assert {route.key.name for route in rig.assembly.gateway.routes() or ()} == {"delay", "third"}
    rig.push({"second.yaml": second})
    rig.until(lambda: rig.reason(type(SERVICE)("Service", "default", "second")).startswith("True Serving"))

    # Routes that were broken by hand are put right, and so is a gateway that was killed: on the same address.
    before = find_gateway(rig.home.gateway)
    assert before is not None
    (rig.home.gateway / ROUTES_FILE).write_text("broken")
    rig.until(lambda: rig.serves(1) and rig.assembly.gateway.view().applied)
    os.killpg(before.pid, signal.SIGKILL)
    rig.until(lambda: not rig.assembly.gateway.is_up() or rig.assembly.gateway.ensure().pid != before.pid)
    rig.until(lambda: rig.serves(1) and rig.assembly.gateway.is_up())
    after = find_gateway(rig.home.gateway)
    assert after is not None
    assert (after.address, after.pid != before.pid) == (before.address, True)


def test_a_run_that_newer_data_supersede_twice_ends_once_each_and_the_newest_is_released(rig: Rig) -> None:
    rig.push({**FILES, "model.yaml": MODEL_YAML.replace("ridge", "random-forest")})
    rig.until(lambda: len(rig.runs()) == 1)
    rig.push({"data/one.csv": rows_csv(130)})
    rig.until(lambda: len(rig.runs()) == 2)
    rig.push({"data/one.csv": rows_csv(150)})
    rig.until(lambda: rig.serves(1))
    rig.until(lambda: all(run.state != "running" for run in rig.runs()))
    newest, *older = rig.runs()
    assert (len(older), newest.state) == (2, "passed")
    assert {run.state for run in older} == {"superseded"}
    cancelled = rig.events("RunCancelled")
    assert [event.count for event in cancelled] == [1] * len(cancelled)


def test_the_loop_revives_a_lost_gateway_while_the_remote_does_not_answer(rig: Rig) -> None:
    operator, gateway = rig.assembly.operator, rig.assembly.gateway
    operator.interval = timedelta(hours=1)
    rig.push(dict(FILES))
    is_asked, may_answer = threading.Event(), threading.Event()

    def hanging_poll() -> None:
        is_asked.set()
        may_answer.wait(DEADLINE_S)

    loop = threading.Thread(target=operator.run)
    operator.source.poll = hanging_poll  # type: ignore[method-assign]  # a remote that hangs for as long as the test wants
    loop.start()
    try:
        assert is_asked.wait(DEADLINE_S)
        _until(gateway.is_up)
        lost = find_gateway(rig.home.gateway)
        assert lost is not None
        os.killpg(lost.pid, signal.SIGKILL)
        _until(lambda: (now := find_gateway(rig.home.gateway)) is not None and now.pid != lost.pid)
    finally:
        may_answer.set()
        operator.stop()
        loop.join(DEADLINE_S)
    assert not loop.is_alive()


def test_a_fault_in_a_pass_or_a_poll_does_not_end_the_loop(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    operator = rig.assembly.operator
    operator.interval = timedelta(hours=1)
    polls = 0

    def failing_poll() -> None:
        nonlocal polls
        polls += 1
        raise ValueError("a fault of ours")

    operator.source.poll = failing_poll  # type: ignore[method-assign]  # no remote brings this about
    loop = threading.Thread(target=operator.run)
    loop.start()
    _until(lambda: polls == 1)
    operator.reconcile()
    _until(lambda: polls == 2)
    operator.stop()
    loop.join(DEADLINE_S)
    assert not loop.is_alive()
    assert "poll_failed" in caplog.messages


def test_what_takes_long_is_looked_at_ever_more_seldom(rig: Rig) -> None:
    operator, start = rig.assembly.operator, rig.clock.now
    switching = {SERVICE: Waiting(timedelta(milliseconds=50), "Switching", "loading")}
    pauses = [
        operator._look_again(switching, start + timedelta(seconds=seconds)).total_seconds() for seconds in (0, 0.1, 1, 5, 3600)
    ]
    assert pauses == [0.05, 0.05, 0.1, 0.5, 2.0]
    assert operator._look_again({SERVICE: Done("Serving", "")}, start) == timedelta.max
    assert operator._look_again(switching, start).total_seconds() == 0.05


def _until(is_so: object) -> None:
    assert callable(is_so)
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)
