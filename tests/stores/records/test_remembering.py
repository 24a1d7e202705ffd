import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gnomon.resources.identity import ResourceKey
from gnomon.resources.status import Status
from gnomon.stores.records.interface import ReleaseMark
from gnomon.stores.records.remembering import RememberingRecords, open_records
from gnomon.stores.records.sql import open_sqlite
from tests.operator.states import MANIFESTS, MODEL, NOW, SERVICE, desired_of, digest, recorded, run_of, settled

DESIRED = desired_of(MANIFESTS)
RECORDED = recorded(DESIRED)
RUN = run_of(DESIRED, settled(DESIRED), "running")


@pytest.fixture
def records(tmp_path: Path) -> Iterator[RememberingRecords]:
    opened = open_records(tmp_path / "records.db")
    yield opened
    opened.close()


def write(records: RememberingRecords, what: str, key: ResourceKey, number: int) -> None:
    match what:
        case "resource":
            records.put_resource(replace(RECORDED[key], generation=number))
        case "status":
            records.put_status(key, Status(observed_generation=number))
        case "delete":
            records.delete_resource(key)
        case "run":
            records.put_run(replace(RUN, id=f"run-{number}", message=key.kind, started_at=NOW + timedelta(seconds=number)))
        case "mark":
            records.put_release_mark(ReleaseMark(SERVICE, number, (digest("1"),)))
        case _:
            records.put_setting("name", number)


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["resource", "status", "delete", "run", "mark", "setting"]),
            st.sampled_from(sorted(RECORDED)),
            st.integers(1, 5),
        ),
        max_size=12,
    )
)
def test_what_is_remembered_is_what_the_database_holds(
    records: RememberingRecords, tmp_path: Path, writes: list[tuple[str, ResourceKey, int]]
) -> None:
    plain = open_sqlite(tmp_path / "records.db")
    try:
        for what, key, number in writes:
            write(records, what, key, number)
            assert list(records.resources()) == list(plain.resources())
            assert list(records.resources("Model")) == list(plain.resources("Model"))
            assert list(records.runs(owner=MODEL, limit=3)) == list(plain.runs(owner=MODEL, limit=3))
            assert records.release_mark(SERVICE) == plain.release_mark(SERVICE)
            assert records.setting("name") == plain.setting("name")
    finally:
        plain.close()


def test_a_value_that_is_read_while_it_is_written_is_not_kept_at_its_old_state(records: RememberingRecords) -> None:
    is_over = threading.Event()
    seen: list[int] = []

    def read() -> None:
        while not is_over.is_set():
            seen.append(records.setting("number") or 0)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 60):
        records.put_setting("number", number)
        assert records.setting("number") == number
    is_over.set()
    reader.join()
    assert seen == sorted(seen)
