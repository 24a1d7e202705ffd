import logging
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from gnomon.stores.records import migrations
from gnomon.stores.records.schema import METADATA, REVISION
from gnomon.stores.records.sql import open_sqlite

OPEN_AND_LIST_MODULES = """
import sys
from pathlib import Path
from gnomon.stores.records.sql import open_sqlite

open_sqlite(Path(sys.argv[1])).close()
print("alembic" in sys.modules)
"""


def _engine(path: Path) -> sa.Engine:
    return sa.create_engine(f"sqlite:///{path}")


def test_the_migrations_of_an_empty_database_come_to_the_tables_of_the_schema(tmp_path: Path) -> None:
    open_sqlite(tmp_path / "records.db").close()
    engine = _engine(tmp_path / "records.db")
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, METADATA) == []
        tables = set(sa.inspect(connection).get_table_names())
    engine.dispose()
    assert tables == {*METADATA.tables, "alembic_version"}


def test_the_revision_of_the_schema_is_the_newest_migration() -> None:
    revisions = migrations.revisions()
    assert revisions[-1] == REVISION
    assert list(revisions) == sorted(revisions)
    assert all(len(revision) == 4 and revision.isdigit() for revision in revisions)


def test_an_upgrade_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = command.upgrade

    def upgrade_and_fail(*arguments: object) -> None:
        upgrade(*arguments)  # type: ignore[arg-type]  # handed through as they are
        raise RuntimeError("the power is gone")

    with monkeypatch.context() as patch:
        patch.setattr(command, "upgrade", upgrade_and_fail)
        with pytest.raises(RuntimeError, match="the power is gone"):
            open_sqlite(tmp_path / "records.db")
    engine = _engine(tmp_path / "records.db")
    with engine.connect() as connection:
        assert sa.inspect(connection).get_table_names() == []
    engine.dispose()

    records = open_sqlite(tmp_path / "records.db")
    records.put_setting("a", 1)
    assert records.setting("a") == 1
    records.close()


def test_only_a_database_that_is_behind_imports_alembic(tmp_path: Path) -> None:
    found = [
        subprocess.run(
            [sys.executable, "-c", OPEN_AND_LIST_MODULES, str(tmp_path / "records.db")],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert found == ["True", "False"]


def test_migrations_work_below_a_folder_with_odd_characters(tmp_path: Path) -> None:
    folder = tmp_path / "a % b?c#d é"
    records = open_sqlite(folder / "records.db")
    records.put_setting("a", 1)
    records.close()
    assert (folder / "records.db").is_file()


def test_migrations_leave_logging_as_it_is(tmp_path: Path) -> None:
    before = (logging.getLogger().level, list(logging.getLogger().handlers))
    open_sqlite(tmp_path / "records.db").close()
    assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before
