"""The journal beside the records in one file."""

import itertools
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from gnomon.errors import StoreError
from gnomon.stores.records.database import Database
from gnomon.stores.records.interface import Journal, StepRecord
from gnomon.stores.records.journal import open_journal
from gnomon.stores.records.sql import open_sqlite
from gnomon.stores.records.sql_journal import SqlJournal
from tests.strategies import records as strategies

NOW = datetime(2026, 3, 1, 12, 30, 15, 123456, tzinfo=UTC)
STEP = StepRecord("run-1", "fit", 1, "key-1", "running", "boot:1:2", NOW)


runs = itertools.count()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    open_sqlite(tmp_path / "records.db").close()
    return tmp_path / "records.db"


def test_the_records_see_what_the_journal_wrote_and_the_other_way_round(path: Path) -> None:
    with closing(open_sqlite(path)) as records, closing(open_journal(path)) as journal:
        journal.step_ended(replace(STEP, state="done", ended_at=NOW, result={"value": 1}))
        records.step_started(replace(STEP, name="other"))
        assert records.cached_result("key-1") == {"value": 1}
        assert list(records.steps("run-1")) == list(journal.steps("run-1"))


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(strategies.ended_steps)
def test_a_row_is_the_same_whoever_wrote_it(path: Path, step: StepRecord) -> None:
    database = Database(f"sqlite:///{path}")
    slow = SqlJournal(database)
    with closing(open_journal(path)) as quick, closing(database):
        names = f"quick-{next(runs)}", f"slow-{next(runs)}"
        writers: tuple[Journal, Journal] = (quick, slow)
        for writer, run in zip(writers, names, strict=True):
            writer.step_ended(replace(step, run=run))
            writer.write([], {run: {"parts": {"a": "b"}}})
        for run in names:
            assert list(quick.attempts(run)) == list(slow.attempts(run)) == [replace(step, run=run)]
            assert quick.closure(run) == slow.closure(run) == {"parts": {"a": "b"}}
        assert quick.cached_result(step.key) == slow.cached_result(step.key)


def test_a_journal_is_made_where_there_is_none(tmp_path: Path) -> None:
    with closing(open_journal(tmp_path / "new" / "records.db")) as journal:
        journal.step_started(STEP)
    with closing(open_sqlite(tmp_path / "new" / "records.db")) as records:
        assert list(records.steps("run-1")) == [STEP]


def test_a_journal_that_is_up_to_date_is_opened_without_sqlalchemy(path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from gnomon.stores.records.journal import open_journal;"
        "open_journal(Path(sys.argv[1])).close(); print('sqlalchemy' in sys.modules, 'pydantic' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program, str(path)], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["False", "False"]


def test_a_file_that_is_no_database_is_told(tmp_path: Path) -> None:
    (tmp_path / "records.db").write_text("this is a letter to a friend, not a database\n" * 40)
    with pytest.raises(StoreError, match="not a database"):
        open_journal(tmp_path / "records.db")


def test_a_closed_journal_says_so(path: Path) -> None:
    journal = open_journal(path)
    journal.close()
    with pytest.raises(StoreError, match="is closed"):
        journal.steps("run-1")
