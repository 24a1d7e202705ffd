import itertools
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.errors import GnomonError, UsageError
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Condition, Status
from gnomon.stores.records.interface import (
    Records,
    ReleaseMark,
    ResourceRecord,
    RunRecord,
    SnapshotRecord,
    StepRecord,
    VersionRecord,
)
from gnomon.stores.records.memory import MemoryRecords
from gnomon.stores.records.sql import open_sqlite
from tests.strategies import records as strategies

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
MODEL = ResourceKey("Model", "pricing", "arrival-delay")
OTHER = ResourceKey("Model", "pricing", "departure-delay")
DATASET = ResourceKey("Dataset", "pricing", "flights")
SERVICE = ResourceKey("Service", "pricing", "arrival-delay")
REVISION = Revision("1" * 40)
RUN = RunRecord("run-1", MODEL, "f", REVISION, Digest("sha256:" + "0" * 64), "running", "Started", "it runs", NOW)
STEP = StepRecord("run-1", "fit", 1, "key-1", "running", "boot:1:2", NOW)
DONE = replace(STEP, state="done", ended_at=NOW + timedelta(seconds=2), result={"model": "sha256:1"}, cpu_s=1.5)
STATUS = Status(3, REVISION, (Condition("Ready", "True", "Serving", "it serves", NOW, 3),), {"version": 7})
RESOURCE = ResourceRecord(MODEL, {"kind": "Model"}, "d", 1, "models/a.yaml", 1, "b" * 40, REVISION, STATUS)

law = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


numbers = itertools.count()


def a_new_key() -> ResourceKey:
    return ResourceKey("Model", "examples", str(next(numbers)))


def digest(number: int) -> Digest:
    return Digest(f"sha256:{number:064x}")


@pytest.fixture(params=["memory", "sqlite"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Records]:
    opened: Records = MemoryRecords() if request.param == "memory" else open_sqlite(tmp_path / "records.db")
    yield opened
    opened.close()


# What is put comes back.


@law
@given(strategies.resources, strategies.statuses)
def test_a_resource_comes_back_and_its_status_can_be_replaced(records: Records, record: ResourceRecord, status: Status) -> None:
    records.put_resource(record)
    assert records.resource(record.key) == record
    records.put_status(record.key, status)
    assert records.resource(record.key) == replace(record, status=status)
    records.delete_resource(record.key)
    assert records.resource(record.key) is None


@law
@given(strategies.runs)
def test_a_run_comes_back(records: Records, run: RunRecord) -> None:
    records.put_run(run)
    assert records.run(run.id) == run


@law
@given(strategies.ended_steps)
def test_a_step_comes_back(records: Records, step: StepRecord) -> None:
    step = replace(step, run=str(next(numbers)))
    records.step_ended(step)
    assert list(records.steps(step.run)) == [step]
    if step.state == "done":
        assert records.cached_result(step.key) == step.result


@law
@given(strategies.versions)
def test_a_version_comes_back(records: Records, version: VersionRecord) -> None:
    version = replace(version, model=a_new_key())
    registered = records.register_version(version.model, version.digest, version.run, version.created_at, version.metrics)
    assert registered == version
    assert list(records.versions(version.model)) == [version]


@law
@given(strategies.snapshots)
def test_a_snapshot_comes_back(records: Records, snapshot: SnapshotRecord) -> None:
    snapshot = replace(snapshot, dataset=a_new_key())
    records.put_snapshot(snapshot)
    assert list(records.snapshots(snapshot.dataset)) == [snapshot]


@law
@given(strategies.release_marks)
def test_a_release_mark_comes_back(records: Records, mark: ReleaseMark) -> None:
    records.put_release_mark(mark)
    assert records.release_mark(mark.service) == mark


@law
@given(strategies.texts, strategies.json_values)
def test_a_setting_comes_back(records: Records, name: str, value: object) -> None:
    records.put_setting(name, value)
    assert records.setting(name) == value


def test_times_come_back_in_utc_with_their_microseconds(records: Records) -> None:
    japan = timedelta(hours=9)
    for at in (NOW, NOW.replace(microsecond=0), NOW.replace(microsecond=1), (NOW + japan).replace(tzinfo=None).astimezone()):
        records.put_run(replace(RUN, started_at=at, ended_at=at))
        run = records.run("run-1")
        assert run is not None
        assert run.started_at == run.ended_at == at
        assert run.started_at.utcoffset() == timedelta(0)


def test_what_is_not_there_is_none_or_empty(records: Records) -> None:
    assert records.resource(MODEL) is None
    assert records.run("run-1") is None
    assert records.release_mark(SERVICE) is None
    assert records.setting("last-applied") is None
    assert records.cached_result("key-1") is None
    assert records.version_of(digest(1)) is None
    for found in (records.resources(), records.events(), records.runs(), records.steps("run-1"), records.versions(MODEL)):
        assert list(found) == []
    assert list(records.snapshots(DATASET)) == []
    records.delete_resource(MODEL)
    records.put_status(MODEL, STATUS)
    assert records.resource(MODEL) is None


# Resources.


def test_resources_are_sorted_by_key_and_can_be_asked_by_kind(records: Records) -> None:
    keys = [SERVICE, OTHER, MODEL, DATASET, ResourceKey("Model", "pricing", "B"), ResourceKey("Model", "a", "z")]
    for key in keys:
        records.put_resource(replace(RESOURCE, key=key))
    assert [record.key for record in records.resources()] == sorted(keys)
    assert [record.key for record in records.resources("Model")] == sorted(key for key in keys if key.kind == "Model")


def test_putting_a_resource_again_replaces_it(records: Records) -> None:
    records.put_resource(RESOURCE)
    newer = replace(RESOURCE, generation=2, declaration={"kind": "Model", "spec": [1]}, status=Status())
    records.put_resource(newer)
    assert list(records.resources()) == [newer]


def test_what_is_kept_does_not_change_with_what_was_given(records: Records) -> None:
    declaration = {"spec": {"task": "regression"}}
    records.put_resource(replace(RESOURCE, declaration=declaration))
    declaration["spec"]["task"] = "classification"
    record = records.resource(MODEL)
    assert record is not None
    assert record.declaration == {"spec": {"task": "regression"}}


def test_events_runs_and_versions_outlive_their_resource(records: Records) -> None:
    records.put_resource(RESOURCE)
    records.put_run(RUN)
    records.add_event("Normal", MODEL, "Trained", "it is trained", NOW)
    records.register_version(MODEL, digest(1), "run-1", NOW, {})
    records.delete_resource(MODEL)
    assert len(records.runs(owner=MODEL)) == len(records.events(key=MODEL)) == len(records.versions(MODEL)) == 1


# Events.


def test_equal_events_within_an_hour_are_counted_in_one(records: Records) -> None:
    for minutes in (0, 1, 59):
        records.add_event("Warning", MODEL, "Failed", "no data", NOW + timedelta(minutes=minutes), REVISION, f"run-{minutes}")
    (event,) = records.events()
    assert (event.type, event.key, event.reason, event.message) == ("Warning", MODEL, "Failed", "no data")
    assert (event.count, event.first_seen, event.last_seen) == (3, NOW, NOW + timedelta(minutes=59))
    assert (event.revision, event.run) == (REVISION, "run-59")


def test_an_hour_after_the_first_an_equal_event_is_a_new_one(records: Records) -> None:
    for minutes in (0, 40, 60, 80):
        records.add_event("Warning", MODEL, "Failed", "no data", NOW + timedelta(minutes=minutes))
    assert [(event.count, event.first_seen - NOW) for event in records.events()] == [
        (2, timedelta(0)),
        (2, timedelta(hours=1)),
    ]


def test_events_that_differ_are_kept_apart(records: Records) -> None:
    records.add_event("Normal", MODEL, "Trained", "a", NOW)
    records.add_event("Normal", OTHER, "Trained", "a", NOW)
    records.add_event("Normal", MODEL, "Released", "a", NOW)
    records.add_event("Normal", MODEL, "Trained", "b", NOW)
    assert [event.count for event in records.events()] == [1, 1, 1, 1]


def test_an_event_of_the_past_does_not_turn_back_the_last_time(records: Records) -> None:
    records.add_event("Normal", MODEL, "Trained", "a", NOW)
    records.add_event("Normal", MODEL, "Trained", "a", NOW - timedelta(minutes=5))
    (event,) = records.events()
    assert (event.count, event.last_seen) == (2, NOW)


def test_the_newest_events_are_given_oldest_first(records: Records) -> None:
    for number in range(6):
        records.add_event("Normal", (MODEL, OTHER)[number % 2], "Counted", str(number), NOW)
    everything = records.events()
    ids = [event.id for event in everything]
    assert ids == sorted(set(ids))
    assert [event.message for event in everything] == list("012345")
    assert [event.message for event in records.events(limit=2)] == list("45")
    assert [event.message for event in records.events(key=OTHER)] == list("135")
    assert [event.message for event in records.events(key=OTHER, limit=1)] == ["5"]
    assert [event.message for event in records.events(after=ids[3])] == list("45")
    assert list(records.events(after=ids[-1])) == []
    assert list(records.events(limit=0)) == list(records.events(limit=-1)) == []


# Runs.


def test_putting_a_run_again_replaces_it(records: Records) -> None:
    records.put_run(RUN)
    ended = replace(
        RUN, state="passed", ended_at=NOW + timedelta(minutes=1), artifact=digest(1), version=1, summary={"rmse": 4.5}
    )
    records.put_run(ended)
    assert list(records.runs()) == [ended]


def test_runs_are_given_newest_first_by_model_and_state(records: Records) -> None:
    failed = replace(RUN, state="failed")
    for number, run in ((1, failed), (3, RUN), (2, replace(RUN, owner=OTHER)), (4, replace(failed, owner=OTHER))):
        records.put_run(replace(run, id=f"run-{number}", started_at=NOW + timedelta(number)))
    assert [run.id for run in records.runs()] == ["run-4", "run-3", "run-2", "run-1"]
    assert [run.id for run in records.runs(limit=3)] == ["run-4", "run-3", "run-2"]
    assert [run.id for run in records.runs(owner=MODEL)] == ["run-3", "run-1"]
    assert [run.id for run in records.runs(state="running")] == ["run-3", "run-2"]
    assert [run.id for run in records.runs(owner=MODEL, state="running")] == ["run-3"]
    assert list(records.runs(limit=0)) == list(records.runs(limit=-1)) == []


# Steps.


def test_a_result_is_kept_only_by_the_end_of_a_step_that_is_done(records: Records) -> None:
    records.step_started(STEP)
    assert records.cached_result("key-1") is None
    for state in ("failed", "killed", "timed-out", "cancelled", "cached"):
        records.step_ended(replace(DONE, state=state))
        assert records.cached_result("key-1") is None
    records.step_ended(DONE)
    assert records.cached_result("key-1") == {"model": "sha256:1"}
    assert records.cached_result("key-2") is None


def test_the_newest_result_of_a_key_is_given_to_every_run(records: Records) -> None:
    records.step_ended(DONE)
    records.step_ended(replace(DONE, run="run-2", result={"model": "sha256:2"}))
    records.step_started(replace(STEP, run="run-3"))
    assert records.cached_result("key-1") == {"model": "sha256:2"}


def test_a_start_that_is_none_and_an_end_that_is_none_are_refused(records: Records) -> None:
    for step in (DONE, replace(STEP, state="done"), replace(STEP, ended_at=NOW)):
        with pytest.raises(UsageError, match="step fit of run run-1"):
            records.step_started(step)
    for step in (STEP, replace(DONE, ended_at=None), replace(STEP, ended_at=NOW)):
        with pytest.raises(UsageError, match="step fit of run run-1"):
            records.step_ended(step)
    assert list(records.steps("run-1")) == []
    assert records.cached_result("key-1") is None


def test_the_end_of_an_attempt_takes_the_place_of_its_start(records: Records) -> None:
    records.step_started(STEP)
    assert list(records.steps("run-1")) == [STEP]
    records.step_ended(DONE)
    assert list(records.steps("run-1")) == [DONE]


def test_the_last_attempt_of_each_step_is_given_in_the_order_of_starting(records: Records) -> None:
    for name, attempt in (("load", 1), ("fit", 1), ("fit", 2), ("judge", 1)):
        records.step_started(replace(STEP, name=name, attempt=attempt))
    records.step_started(replace(STEP, run="run-2"))
    records.step_ended(replace(DONE, name="fit", attempt=1, state="killed"))
    records.step_ended(replace(DONE, name="judge"))
    records.step_ended(replace(DONE, name="load"))
    assert [(step.name, step.attempt, step.state) for step in records.steps("run-1")] == [
        ("load", 1, "done"),
        ("fit", 2, "running"),
        ("judge", 1, "done"),
    ]


# Versions.


def test_a_digest_is_registered_once_per_model(records: Records) -> None:
    first = records.register_version(MODEL, digest(1), "run-1", NOW, {"rmse": 4.5})
    again = records.register_version(MODEL, digest(1), "run-2", NOW + timedelta(1), {"rmse": 5.0})
    second = records.register_version(MODEL, digest(2), "run-2", NOW, {})
    other = records.register_version(OTHER, digest(1), "run-3", NOW + timedelta(2), {})

    assert first == again == VersionRecord(MODEL, 1, digest(1), "run-1", NOW, {"rmse": 4.5})
    assert (second.version, other.version) == (2, 1)
    assert list(records.versions(MODEL)) == [second, first]
    assert records.version_of(digest(2)) == second
    assert records.version_of(digest(1)) == other


def test_records_that_begin_anew_go_on_from_the_numbers_that_others_know_of(records: Records) -> None:
    given = {digest(1): 1, digest(3): 3}
    again = records.register_version(MODEL, digest(3), "run-1", NOW, {}, given)
    new = records.register_version(MODEL, digest(9), "run-2", NOW, {}, given)
    old = records.register_version(MODEL, digest(1), "run-3", NOW, {}, given)

    assert (again.version, new.version, old.version) == (3, 4, 1)
    assert list(records.versions(MODEL)) == [new, again, old]
    assert records.register_version(MODEL, digest(8), "run-4", NOW, {}, {digest(8): 4}).version == 5


@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.integers(0, 6), min_size=8, max_size=16))
def test_threads_that_register_at_once_get_one_number_for_each_digest(records: Records, wanted: list[int]) -> None:
    model = a_new_key()
    together = threading.Barrier(4)

    def register(share: list[int]) -> list[VersionRecord]:
        together.wait(30)
        return [records.register_version(model, digest(number), "run-1", NOW, {}) for number in share]

    with ThreadPoolExecutor(4) as threads:
        registered = [version for found in threads.map(register, (wanted[n::4] for n in range(4))) for version in found]
    by_digest = {version.digest: version.version for version in registered}
    assert all(by_digest[version.digest] == version.version for version in registered)
    assert [version.version for version in records.versions(model)] == list(range(len(set(wanted)), 0, -1))


# Snapshots, release marks, settings.


def test_snapshots_are_given_newest_first(records: Records) -> None:
    snapshot = SnapshotRecord(DATASET, digest(1), REVISION, 10, 100, NOW)
    older = replace(snapshot, digest=digest(2), created_at=NOW - timedelta(1))
    newest = replace(snapshot, revision=Revision("2" * 40))
    for each in (snapshot, older, newest, snapshot, replace(snapshot, rows=11)):
        records.put_snapshot(each)
    records.put_snapshot(replace(snapshot, dataset=replace(DATASET, name="weather")))
    assert list(records.snapshots(DATASET)) == [newest, snapshot, older]
    assert list(records.snapshots(DATASET, limit=1)) == [newest]
    assert list(records.snapshots(DATASET, limit=0)) == []


def test_putting_a_mark_or_a_setting_again_replaces_it(records: Records) -> None:
    records.put_release_mark(ReleaseMark(SERVICE, 4))
    records.put_release_mark(ReleaseMark(SERVICE, 5, (digest(1), digest(2))))
    assert records.release_mark(SERVICE) == ReleaseMark(SERVICE, 5, (digest(1), digest(2)))
    records.put_setting("last-applied", {"revision": REVISION})
    records.put_setting("last-applied", None)
    assert records.setting("last-applied") is None


# What cannot be kept.


def test_what_cannot_be_kept_is_refused_and_leaves_nothing(records: Records) -> None:
    naive = NOW.replace(tzinfo=None)
    refused: list[Callable[[], object]] = [
        lambda: records.put_run(replace(RUN, started_at=naive)),
        lambda: records.put_run(replace(RUN, summary={"rmse": float("nan")})),
        lambda: records.put_run(replace(RUN, summary={"at": NOW})),
        lambda: records.step_ended(replace(DONE, ended_at=naive)),
        lambda: records.add_event("Normal", MODEL, "Trained", "a", naive),
        lambda: records.register_version(MODEL, digest(1), "run-1", NOW, {"rmse": float("inf")}),
        lambda: records.put_setting("x", object()),
        lambda: records.put_resource(
            replace(RESOURCE, status=Status(conditions=(replace(STATUS.conditions[0], last_transition_time=naive),)))
        ),
    ]
    for put in refused:
        with pytest.raises(GnomonError) as caught:
            put()
        assert caught.value.mend
    for found in (records.runs(), records.events(), records.versions(MODEL), records.resources(), records.steps("run-1")):
        assert list(found) == []
    assert records.setting("x") is None
    assert records.cached_result("key-1") is None


def test_text_for_people_is_kept_even_where_it_is_not_unicode(records: Records) -> None:
    broken, mended = "naïve 😀 \udce4\0", "naïve 😀 \ufffd\ufffd"
    records.put_run(replace(RUN, reason=broken, message=broken))
    records.step_ended(replace(DONE, error=broken))
    for _ in range(2):
        records.add_event("Normal", MODEL, "Trained", broken, NOW)
    run = records.run("run-1")
    assert run is not None
    assert (run.reason, run.message) == (mended, mended)
    assert [step.error for step in records.steps("run-1")] == [mended]
    assert [(event.message, event.count) for event in records.events()] == [(mended, 2)]


def test_threads_write_and_read_side_by_side(records: Records) -> None:
    def work(number: int) -> int:
        for turn in range(10):
            records.step_started(replace(STEP, run=f"run-{number}", name=str(turn)))
            records.step_ended(replace(DONE, run=f"run-{number}", name=str(turn), key=f"{number}-{turn}"))
            records.add_event("Normal", MODEL, "Counted", "one more", NOW)
            assert records.cached_result(f"{number}-{turn}") == DONE.result
        return len(records.steps(f"run-{number}"))

    with ThreadPoolExecutor(6) as threads:
        assert list(threads.map(work, range(6))) == [10] * 6
    assert [event.count for event in records.events()] == [60]


def test_every_attempt_at_a_step_is_told_and_the_last_one_counts(records: Records) -> None:
    failed = replace(STEP, state="failed", ended_at=NOW, reason="memory", error="killed for memory")
    again = replace(DONE, attempt=2)
    for step in (failed, replace(STEP, name="other"), again):
        (records.step_ended if step.ended_at else records.step_started)(step)
    assert [(step.name, step.attempt, step.reason) for step in records.attempts("run-1")] == [
        ("fit", 1, "memory"),
        ("other", 1, ""),
        ("fit", 2, ""),
    ]
    assert [(step.name, step.attempt) for step in records.steps("run-1")] == [("other", 1), ("fit", 2)]


def test_what_a_closure_consists_of_is_kept_once(records: Records) -> None:
    assert records.closure("abc") is None
    records.write([], {"abc": {"parts": {"a.py:f": "1"}}})
    records.write([], {"abc": {"parts": {}}})
    assert records.closure("abc") == {"parts": {"a.py:f": "1"}}


def test_starts_and_ends_are_written_together_or_not_at_all(records: Records) -> None:
    ended = replace(DONE, name="other", attempt=1)
    records.write(
        [STEP, replace(DONE, attempt=1), replace(ended, state="running", ended_at=None, result=None)], {"abc": {"parts": {}}}
    )
    assert [(step.name, step.state) for step in records.steps("run-1")] == [("fit", "done"), ("other", "running")]
    with pytest.raises(UsageError):
        records.write([ended, replace(ended, name="third", result={"x": float("nan")})], {"new": {}})
    assert [(step.name, step.state) for step in records.steps("run-1")] == [("fit", "done"), ("other", "running")]
    assert records.closure("new") is None
    records.write([], {})
