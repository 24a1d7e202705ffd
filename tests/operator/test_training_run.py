import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from gnomon.data.intake import take_in
from gnomon.errors import StoreError
from gnomon.operator import training_run
from gnomon.operator.actions import StartRun, TargetVersion
from gnomon.operator.assemble import Assembly
from gnomon.operator.controllers.model import INTERRUPTED
from gnomon.resources.dataset import Dataset, Source
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord, StepRecord
from tests.operator.rig import DEADLINE_S, FILES, Rig
from tests.operator.states import COMMIT, DATASET, MODEL, MODEL_YAML, desired_of


class Bench:
    """Carries out runs of one model on one snapshot, without a loop."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig
        self.assembly: Assembly = rig.assembly
        rig.push(dict(FILES))
        desired = rig.assembly.operator.source.desired()
        assert desired is not None
        dataset = desired.compiled.declared[DATASET].resource
        assert isinstance(dataset, Dataset)
        self.dataset = dataset
        self.snapshot = self.snapshot_of(FILES["data/one.csv"])

    def snapshot_of(self, table: str) -> Digest:
        """Return the snapshot of a table that lies outside the repository."""
        path = self.rig.folder / "table.csv"
        path.write_text(table)
        outside = self.dataset.model_copy(
            update={"spec": self.dataset.spec.model_copy(update={"source": Source(files=str(path))})}
        )
        return take_in(outside, (), self.assembly.stores.objects, self.assembly.repository.export_blob, {}).digest

    def start(
        self,
        manifest: str = MODEL_YAML,
        *,
        resume: str | None = None,
        released: tuple[TargetVersion, ...] = (),
        snapshot: Digest | None = None,
    ) -> str:
        """Begin a run of a model and return its id."""
        model = desired_of({**FILES, "model.yaml": manifest}).compiled.declared[MODEL].resource
        assert isinstance(model, Model)
        action = StartRun(MODEL, "fingerprint", (), snapshot or self.snapshot, None, "a test", resume, released)
        return self.assembly.runs.start(action, model, self.dataset, Revision(COMMIT))

    def ended(self, run_id: str) -> RunRecord:
        """Return a run when nobody is at it any more."""
        self.until(lambda: run_id not in self.assembly.runs.under_way())
        return self.record(run_id)

    def record(self, run_id: str) -> RunRecord:
        """Return a run as it is now."""
        run = self.assembly.records.run(run_id)
        assert run is not None
        return run

    def steps(self, run_id: str) -> dict[str, StepRecord]:
        """Return the steps of a run by name."""
        return {step.name: step for step in self.assembly.records.steps(run_id)}

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that jobs do."""
        deadline = time.monotonic() + DEADLINE_S
        while not is_so():
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    rig = Rig(tmp_path_factory.mktemp("runs"))
    yield Bench(rig)
    rig.close()


def test_the_same_inputs_twice_give_the_same_digest_and_one_version(bench: Bench) -> None:
    first = bench.ended(bench.start())
    second = bench.ended(bench.start())
    assert (first.state, first.version, first.reason) == ("passed", 1, "GatesPassed")
    assert (second.state, second.version, second.artifact) == ("passed", 1, first.artifact)
    assert first.artifact is not None
    assert {"done"} == {step.state for step in bench.steps(first.id).values()}
    fitted = {name: step.state for name, step in bench.steps(second.id).items() if name != "render"}
    assert set(fitted.values()) == {"cached"}, fitted
    assert [version.run for version in bench.assembly.records.versions(MODEL)] == [first.id]
    assert bench.assembly.stores.artifacts.tags()["delay:1"] == first.artifact
    assert first.summary["winner"] == "ridge"
    assert first.report is not None
    assert first.report_page is not None
    assert bench.assembly.stores.objects.get(first.report_page).startswith(b"<!doctype html>")
    assert not (bench.rig.home.workspaces / first.id).exists()


def test_many_candidates_race_and_the_run_tells_what_was_decided(bench: Bench) -> None:
    boosters = "{algorithm: lightgbm, params: {n_estimators: 30, early_stopping_round: 5}, search: {num_leaves: [3, 5, 7, 9]}}"
    forests = "{algorithm: random-forest, params: {n_estimators: 10}, search: {max_depth: [2, 4, 6, 8]}}"
    manifest = MODEL_YAML.replace("{algorithm: ridge}", f"{boosters}, {forests}, {{algorithm: ridge}}")
    run = bench.ended(bench.start(manifest))
    assert (run.state, run.summary["winner"]) == ("passed", "ridge"), run.message
    search = run.summary["search"]
    assert (search["raced"], search["candidates"], search["tried"], search["stopped"]) == (True, 9, 9, None)
    assert search["order"][0]["name"] == "ridge"
    states = {row["name"]: row["state"] for row in run.summary["candidates"]}
    assert states["ridge"] == "fitted"
    assert "beaten" in states.values()
    steps = bench.steps(run.id)
    assert {"encode", "fit-ridge", "refit-ridge", "fit-random-forest-1.5"} <= steps.keys()
    assert all(step.error == "" for step in steps.values())


def test_a_gate_that_says_no_ends_the_run_as_refused_without_a_version(bench: Bench) -> None:
    before = len(bench.assembly.records.versions(MODEL))
    run = bench.ended(bench.start(MODEL_YAML + "  gates: [{metric: rmse, max: 0.000001}]\n"))
    assert (run.state, run.reason, run.version) == ("refused", "GatesRefused", None)
    assert "rmse" in run.message
    assert run.artifact is not None
    assert run.report is not None
    assert len(bench.assembly.records.versions(MODEL)) == before


def test_where_every_candidate_fails_the_run_tells_why(bench: Bench) -> None:
    rows = "".join(f"{row % 7},{row % 5},{'yes' if row in {3, 4} else 'no'}\n" for row in range(100))
    rare = bench.snapshot_of(f"distance,hour,delay\n{rows}")
    two = "{algorithm: logistic}, {algorithm: random-forest, params: {n_estimators: 5}}"
    manifest = MODEL_YAML.replace("regression", "classification").replace("{algorithm: ridge}", two)
    both_rare_rows_are_test_rows = "  split: {by: random, seed: 13}\n"
    run = bench.ended(bench.start(manifest + both_rare_rows_are_test_rows, snapshot=rare))
    assert (run.state, run.reason) == ("failed", "NoCandidate"), run.message
    assert "one class" in run.message
    assert [row["state"] for row in run.summary["candidates"]] == ["failed", "failed"]
    assert run.artifact is None


def test_an_artifact_that_cannot_be_measured_is_no_version(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = Digest("sha256:" + "0" * 64)
    monkeypatch.setattr(training_run, "pack", lambda *_: lost)
    before = len(bench.assembly.records.versions(MODEL))
    run = bench.ended(bench.start(MODEL_YAML.replace("{algorithm: ridge}", "{algorithm: ridge, params: {alpha: 7.5}}")))
    assert (run.state, run.reason, run.version) == ("failed", "NotMeasured", None)
    assert lost in run.message
    assert len(bench.assembly.records.versions(MODEL)) == before


def test_a_target_that_is_not_there_is_told_by_its_name(bench: Bench) -> None:
    run = bench.ended(bench.start(MODEL_YAML.replace("target: delay", "target: dealy")))
    assert run.state == "failed"
    assert "dealy" in run.message


def test_a_run_that_was_interrupted_goes_on_under_its_id_from_what_was_finished(bench: Bench) -> None:
    slow = MODEL_YAML.replace("{algorithm: ridge}", "{algorithm: random-forest, search: {n_estimators: [60, 61, 62, 63]}}")
    run_id = bench.start(slow)
    bench.until(lambda: any(s.state == "done" and n.startswith("fit-") for n, s in bench.steps(run_id).items()))
    job = bench.assembly.runs._jobs[run_id]
    job.cancelled.set()
    assert bench.ended(run_id).state == "running"
    finished = {name: step.attempt for name, step in bench.steps(run_id).items() if step.state == "done"}
    assert bench.start(slow, resume=run_id) == run_id
    run = bench.ended(run_id)
    assert run.state == "passed"
    assert all(bench.steps(run_id)[name].attempt == attempt for name, attempt in finished.items())


def test_a_cancelled_run_ends_as_superseded_and_is_cancelled_once(bench: Bench) -> None:
    slow = MODEL_YAML.replace("{algorithm: ridge}", "{algorithm: random-forest, params: {n_estimators: 3000}}")
    run_id = bench.start(slow)
    bench.until(lambda: any(step.state == "running" for step in bench.steps(run_id).values()))
    assert bench.assembly.runs.cancel(run_id, "newer data")
    assert not bench.assembly.runs.cancel(run_id, "newer data")
    run = bench.ended(run_id)
    assert (run.state, run.message) == ("superseded", "newer data")
    assert not bench.assembly.runs.cancel(run_id, "newer data")
    assert bench.record(run_id) == run


def test_a_run_that_is_cancelled_before_its_turn_never_begins(bench: Bench) -> None:
    gate, runs = threading.Event(), bench.assembly.runs
    for _ in range(runs.at_once):
        runs._pool.submit(gate.wait, DEADLINE_S)
    run_id = bench.start()
    assert runs.under_way()[run_id] == "waiting for its turn"
    assert runs.cancel(run_id, "newer data")
    gate.set()
    assert bench.ended(run_id).state == "superseded"
    assert bench.steps(run_id) == {}
    assert [event for event in bench.rig.events("RunStarted") if event.run == run_id] == []


def test_a_run_that_another_process_left_running_is_only_marked(bench: Bench) -> None:
    left = replace(bench.ended(bench.start()), id="left-behind", state="running")
    bench.assembly.records.put_run(left)
    assert bench.assembly.runs.cancel(left.id, "newer data")
    assert bench.record(left.id).state == "superseded"


def test_numbers_go_on_from_those_that_git_names(bench: Bench) -> None:
    tuned = MODEL_YAML.replace("{algorithm: ridge}", "{algorithm: ridge, params: {alpha: 2.5}}")
    other = Digest("sha256:" + "e" * 64)
    run = bench.ended(bench.start(tuned, released=(TargetVersion(41, other),)))
    assert run.version == 42


def test_a_store_that_fails_interrupts_a_run_and_a_fault_is_told_as_one(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(*_: object) -> bytes:
        raise StoreError("the disk is full", "make room")

    monkeypatch.setattr(bench.assembly.stores.objects, "get", full_disk)
    run = bench.ended(bench.start())
    assert (run.state, run.reason, run.message) == ("failed", INTERRUPTED, "the disk is full (make room)")

    def fault(*_: object) -> bytes:
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(bench.assembly.stores.objects, "get", fault)
    run = bench.ended(bench.start())
    assert (run.reason, run.message) == ("InternalError", "ZeroDivisionError: oh")
