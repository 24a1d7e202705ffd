import os
from pathlib import Path

import pytest

from gnomon.data.intake import Intake, take_in
from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import CheckFailedError, DataError
from gnomon.resources.dataset import Check, Column, DatasetSpec
from gnomon.resources.identity import Digest
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.objects.memory import MemoryObjectStore
from tests.data.tables import dataset_of, flights_csv, no_blob, spec_of, written

CSV = "id,when,level\n1,2013-01-01T00:00:00Z,low\n2,2013-01-02T00:00:00Z,high\n3,2013-01-03T00:00:00Z,low\n"
COLUMNS = (
    Column(name="id", type="int64", min=1, unique=True),
    Column(name="when", type="timestamp", nullable=False),
    Column(name="level", type="string", values=("low", "high")),
)


def taken_in(spec: DatasetSpec) -> Intake:
    return take_in(dataset_of(spec), (), MemoryObjectStore(), no_blob)


def test_good_rows_are_taken_in(tmp_path: Path) -> None:
    path = written(tmp_path, {"t.csv": CSV}) / "t.csv"
    spec = spec_of(path, COLUMNS, time="when", key=("id",), checks=(Check(name="rows", expr="count(*) = 3"),))
    intake = taken_in(spec)
    assert (intake.rows, intake.warnings, intake.paths) == (3, (), (str(path),))
    assert intake.fingerprint == fingerprint(list_files(spec.source, ()))


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = CSV + "3,,medium\n"
    checks = (Check(name="rows", expr="count(*) > 100"), Check(name="typo", expr="cuont(*) > 1"))
    with pytest.raises(DataError) as caught:
        taken_in(spec_of(written(tmp_path, {"t.csv": rows}) / "t.csv", COLUMNS, key=("id", "when"), checks=checks))
    assert not isinstance(caught.value, CheckFailedError)
    for told in (
        "column id: 1 row repeats a value of an earlier row: 3 (row 4)",
        "column when: 1 row has no value: row 4",
        "column level: 1 row holds values outside low, high: 'medium' (row 4)",
        "check typo cannot be run",
    ):
        assert told in caught.value.cause
    assert "last good snapshot stays" in caught.value.mend


def test_a_failed_check_blocks_or_warns_as_declared(tmp_path: Path) -> None:
    path = written(tmp_path, {"t.csv": CSV}) / "t.csv"
    many = "count(*) > 100"
    assert taken_in(spec_of(path, checks=(Check(name="many", expr=many, fail="warn"),))).warnings == (
        "check many: count(*) > 100 does not hold: count(*) is 3",
    )
    with pytest.raises(CheckFailedError, match=r"check many: count\(\*\) > 100 does not hold: count\(\*\) is 3"):
        taken_in(spec_of(path, checks=(Check(name="many", expr=many),)))


def test_many_faults_are_cut_to_a_bearable_message(tmp_path: Path) -> None:
    names = [f"c{place}" for place in range(40)]
    path = written(tmp_path, {"t.csv": f"{','.join(names)}\n{','.join(['5'] * 40)}\n"}) / "t.csv"
    with pytest.raises(DataError, match="and 20 more"):
        taken_in(spec_of(path, tuple(Column(name=name, type="int64", max=1) for name in names)))


def test_unchanged_flights_are_taken_in_without_reading_them(tmp_path: Path) -> None:
    path = flights_csv(tmp_path)
    os.utime(path, (1_700_000_000, 1_700_000_000))  # long settled
    dataset = dataset_of(spec_of(path, time="time_hour", checks=(Check(name="rows", expr="count(*) > 300000"),)))
    objects = DiskObjectStore(tmp_path / "objects")
    first = take_in(dataset, (), objects, no_blob)
    assert first.rows == 336_776

    # A file that cannot be read any more shows that it is not.
    class _NoFiles(DiskObjectStore):
        def put_file(self, path: Path, *, move: bool = False) -> Digest:
            raise AssertionError(path, move)

    again = take_in(dataset, (), _NoFiles(tmp_path / "objects"), no_blob, first.known)
    assert (again.digest, again.known) == (first.digest, first.known)
