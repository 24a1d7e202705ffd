import multiprocessing
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from gnomon.errors import StoreError, UsageError
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.stores.records.journal import SqliteJournal
from gnomon.stores.records.sql import SqlRecords, open_sqlite

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
MODEL = ResourceKey("Model", "pricing", "arrival-delay")

# Writes without end, and tells of each write after it has returned.
WRITER = """
import sys
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.stores.records.interface import StepRecord
from gnomon.stores.records.sql import open_sqlite

now = datetime.now(UTC)
model = ResourceKey("Model", "pricing", "arrival-delay")
records = open_sqlite(Path(sys.argv[1]))
for n in count():
    step = StepRecord("run", f"step-{n}", 1, f"key-{n}", "running", "boot:1:2", now)
    records.step_started(step)
    records.step_ended(replace(step, state="done", ended_at=now, result={"n": n}))
    records.register_version(model, Digest(f"sha256:{n:064x}"), "run", now, {})
    records.put_setting("last", n)
    print(n, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "records.db"


@pytest.fixture
def records(path: Path) -> Iterator[SqlRecords]:
    opened = open_sqlite(path)
    yield opened
    opened.close()


def test_what_was_acknowledged_outlives_a_killed_process(path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            acknowledged = [int(writer.stdout.readline()) for _ in range(60)]
        finally:
            writer.send_signal(signal.SIGKILL)
        acknowledged += [int(line) for line in writer.stdout if line.endswith("\n")]
    assert writer.returncode == -signal.SIGKILL

    records = open_sqlite(path)
    last = acknowledged[-1]
    assert records.setting("last") >= last
    assert all(records.cached_result(f"key-{n}") == {"n": n} for n in acknowledged)
    assert {step.name for step in records.steps("run") if step.state == "done"} >= {f"step-{n}" for n in acknowledged}
    numbers = [version.version for version in records.versions(MODEL)]
    assert numbers == list(range(len(numbers), 0, -1))
    assert len(numbers) > last
    records.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    connection.close()


def test_every_connection_is_set_so_that_an_acknowledged_row_is_durable(records: SqlRecords) -> None:
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    with records._database.reading() as one, records._database.writing() as other:
        for connection in (one, other):
            found = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in wanted}
            assert found == wanted


@pytest.mark.parametrize("revision", ["0999", "9999", "7f3a"])
def test_a_database_of_a_newer_version_is_refused_and_left_alone(path: Path, revision: str) -> None:
    open_sqlite(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (revision,))
    connection.close()
    before = path.read_bytes()

    with pytest.raises(StoreError) as caught:
        open_sqlite(path)
    assert revision in caught.value.cause
    assert str(path) in caught.value.cause
    assert "newer version" in caught.value.mend
    assert path.read_bytes() == before


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"a letter, not a database" * 100)
    with pytest.raises(StoreError, match="not a database") as caught:
        open_sqlite(path)
    assert str(path) in caught.value.cause
    assert path.read_bytes() == b"a letter, not a database" * 100


def test_a_path_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StoreError, match="make the folder"):
        open_sqlite(tmp_path / "file" / "records.db")
    with pytest.raises(StoreError, match="unable to open database file"):
        open_sqlite(tmp_path)


@pytest.mark.parametrize(
    "address", ["sqlite://", "sqlite:///:memory:", "nonsense", "oracle+nothing://x", "postgresql+absent://x"]
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError):
        SqlRecords(address)


def test_a_closed_database_says_so_and_can_be_opened_again(path: Path) -> None:
    records = open_sqlite(path)
    records.put_setting("a", 1)
    records.close()
    records.close()
    with pytest.raises(StoreError, match="is closed"):
        records.setting("a")
    assert not path.with_name("records.db-wal").exists()

    again = open_sqlite(path)
    assert again.setting("a") == 1
    again.close()


def test_a_number_beyond_64_bits_and_a_name_that_is_not_unicode_are_refused(records: SqlRecords) -> None:
    with pytest.raises(UsageError, match="cannot hold"):
        records.events(after=2**64)
    with pytest.raises(UsageError, match="cannot hold"):
        records.put_setting("\udce4", 1)
    assert records.setting("a") is None


def test_a_writer_that_fails_does_not_block_the_next(records: SqlRecords) -> None:
    for _ in range(30):  # more than the pool has connections
        with pytest.raises(UsageError):
            records.register_version(MODEL, Digest("sha256:1"), "run", NOW, {"rmse": float("nan")})
    assert records.register_version(MODEL, Digest("sha256:1"), "run", NOW, {}).version == 1


def _register_many(path: Path, process: int) -> None:
    records = open_sqlite(path)
    for number in range(15):
        records.register_version(MODEL, Digest(f"sha256:{process}-{number}"), "run", NOW, {})
    records.close()


def test_processes_open_a_new_database_and_register_at_the_same_time(path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_register_many, args=(path, process)) for process in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    assert [writer.exitcode for writer in writers] == [0, 0, 0]
    records = open_sqlite(path)
    assert [version.version for version in records.versions(MODEL)] == list(range(45, 0, -1))
    records.close()


def test_what_is_asked_reads_an_index_and_not_the_table(records: SqlRecords) -> None:
    asked: list[tuple[str, Any]] = []
    service = ResourceKey("Service", "pricing", "arrival-delay")
    event.listen(
        records._database._engine, "before_cursor_execute", lambda _c, _u, text, values, *_: asked.append((text, values))
    )
    assert isinstance(records._journal, SqliteJournal)
    records._journal._database.set_trace_callback(lambda text: asked.append((text, ())))
    records.cached_result("key")
    records.steps("run")
    records.closure("digest")
    records.resource(MODEL)
    records.resources("Model")
    records.add_event("Normal", MODEL, "Trained", "it is trained", NOW)
    records.events(key=MODEL, after=7)
    records.events()
    records.run("run")
    records.runs()
    records.runs(owner=MODEL)
    records.runs(state="running")
    records.versions(MODEL)
    records.version_of(Digest("sha256:1"))
    records.snapshots(MODEL)
    records.release_mark(service)
    records.setting("name")
    queries = [(text, values) for text, values in asked if text.startswith("SELECT")]
    assert len(queries) == 17

    with records._database.reading() as connection:
        for text, values in queries:
            plan = [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)]
            reads = [step for step in plan if step.startswith(("SCAN", "SEARCH"))]
            assert reads, text
            assert all("INDEX" in step or "PRIMARY KEY" in step for step in reads), (text, plan)
