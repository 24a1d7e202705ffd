from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gnomon.errors import ManifestError
from gnomon.operator.actions import Apply, CancelRun, Prune, WriteRelease
from gnomon.operator.plan import plan
from gnomon.operator.state import Desired, Observed
from tests.git_remote import install_hook, subjects
from tests.operator.rig import FILES, Rig
from tests.operator.states import DATASET, MANIFESTS, MODEL, NOW, SERVICE, desired_of, digest, run_of, settled

DESIRED = desired_of(MANIFESTS)
RUN = replace(run_of(DESIRED, settled(DESIRED), "passed", 1), id="run-1")
WRITE = WriteRelease(SERVICE, "delay", 1, digest("1"), RUN.id)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    rig.push(dict(FILES))
    rig.assembly.records.put_run(RUN)
    yield rig
    rig.close()


def desired_by(rig: Rig) -> Desired:
    desired = rig.assembly.operator.source.desired()
    assert desired is not None
    return desired


def test_a_release_that_landed_or_was_there_already_makes_git_worth_asking(rig: Rig) -> None:
    executor, desired = rig.assembly.operator.executor, desired_by(rig)
    assert executor.act((WRITE,), desired)
    assert subjects(rig.remote)[0] == "release(delay): delay v1"
    # The same plan once more, as after a crash between the push and the next look.
    assert executor.act((WRITE,), desired)
    assert len(rig.events("Released")) == 1
    assert executor.blocked == {}


def test_a_refused_push_blocks_ever_longer_and_a_vanished_remote_only_defers(rig: Rig) -> None:
    install_hook(rig.remote, "pre-receive", "echo 'main is protected' >&2; exit 1")
    executor, desired = rig.assembly.operator.executor, desired_by(rig)
    assert not executor.act((WRITE,), desired)
    first = executor.blocked[SERVICE]
    assert first.is_final
    assert "main is protected" in first.message
    assert first.until - rig.clock.now <= timedelta(seconds=5)
    assert not executor.act((WRITE,), desired)
    assert executor.blocked[SERVICE].until - rig.clock.now > timedelta(seconds=9)
    # The loop looks again when the time has come, not at the next poll.
    assert rig.assembly.operator.run_pass() <= timedelta(seconds=10)

    rig.remote.rename(rig.folder / "away.git")
    assert not executor.act((WRITE,), desired)
    assert not executor.blocked[SERVICE].is_final
    assert [event.reason for event in rig.events() if event.reason.startswith("WriteBack")] == [
        "WriteBackBlocked",
        "WriteBackDeferred",
    ]


def test_a_release_that_cannot_be_written_keeps_nothing_else_from_being_done(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    executor, desired = rig.assembly.operator.executor, desired_by(rig)

    def refuse(*_: object) -> None:
        raise ManifestError("it makes no valid release", "report it")

    monkeypatch.setattr("gnomon.operator.writeback.ReleaseWriter.write", refuse)
    apply = Apply(desired.compiled.declared[DATASET], desired.revision, "create")
    assert not executor.act((WRITE, apply), desired)
    assert rig.assembly.records.resource(DATASET) is not None
    assert "no valid release" in executor.blocked[SERVICE].message


def test_one_action_that_fails_keeps_no_other_from_being_done(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    desired = desired_by(rig)
    (rig.home.gateway / "routes.json").mkdir(parents=True)
    planned = plan(desired, Observed(), NOW)
    rig.assembly.operator.executor.act(planned.actions, desired)
    assert rig.assembly.records.resource(SERVICE) is not None
    assert "action_failed" in caplog.messages
    (rig.home.gateway / "routes.json").rmdir()


def test_applying_twice_counts_generations_by_content(rig: Rig) -> None:
    executor, desired, records = rig.assembly.operator.executor, desired_by(rig), rig.assembly.records
    declared = desired.compiled.declared[MODEL]
    for change, generation in (("create", 1), ("moved", 1), ("update", 2)):
        executor.act((Apply(declared, desired.revision, change),), desired)  # type: ignore[arg-type]  # the three changes
        record = records.resource(MODEL)
        assert record is not None
        assert record.generation == generation
    assert [event.reason for event in rig.events() if event.key == MODEL] == ["Created", "Updated"]


def test_a_pruned_model_stops_its_run_and_keeps_its_history(rig: Rig) -> None:
    executor, desired, records = rig.assembly.operator.executor, desired_by(rig), rig.assembly.records
    executor.act((Apply(desired.compiled.declared[MODEL], desired.revision, "create"),), desired)
    records.put_run(replace(RUN, id="run-2", state="running"))
    executor.act((Prune(MODEL),), desired)
    stopped = records.run("run-2")
    assert stopped is not None
    assert stopped.state == "superseded"
    assert records.resource(MODEL) is None
    assert records.run("run-1") == RUN


def test_a_run_is_told_to_be_cancelled_once(rig: Rig) -> None:
    executor, desired = rig.assembly.operator.executor, desired_by(rig)
    rig.assembly.records.put_run(replace(RUN, id="run-2", state="running"))
    for _ in range(3):
        executor.act((CancelRun(MODEL, "run-2", "newer data"),), desired)
    (told,) = rig.events("RunCancelled")
    assert told.count == 1
