"""How columns may change from snapshot to snapshot where no schema is declared."""

from pathlib import Path

import polars as pl
import pytest

from gnomon.data.reading import scan
from gnomon.data.snapshot import Snapshot, TakenSnapshot, take_snapshot
from gnomon.data.sources import list_files
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, DatasetSpec
from gnomon.stores.objects.memory import MemoryObjectStore
from tests.data.tables import no_blob, spec_of, written

OBJECTS = MemoryObjectStore()


def snapshot_of(folder: Path, files: dict[str, str], last: Snapshot | None = None, **spec: object) -> TakenSnapshot:
    for old in folder.glob("*.csv"):
        old.unlink()
    declared: DatasetSpec = spec_of(written(folder, dict(files)) / "*.csv", **spec)  # type: ignore[arg-type] # the tests' own
    return take_snapshot(declared, list_files(declared.source, ()), OBJECTS, no_blob, last=last)


def rows_of(taken: TakenSnapshot) -> pl.DataFrame:
    return scan(taken.snapshot, [OBJECTS.path(file.digest) for file in taken.snapshot.files]).collect()


def types_of(taken: TakenSnapshot) -> dict[str, str]:
    return {column.name: column.type for column in taken.snapshot.columns}


@pytest.fixture
def last(tmp_path: Path) -> Snapshot:
    return snapshot_of(tmp_path, {"a.csv": "id,delay,zip\n1,1.5,01234\n"}).snapshot


def test_the_same_columns_are_taken_in_any_order_and_stand_as_they_stood(tmp_path: Path, last: Snapshot) -> None:
    taken = snapshot_of(tmp_path, {"a.csv": "zip,id,delay\n01234,1,1.5\n"}, last)
    assert (list(types_of(taken)), taken.warnings) == (["id", "delay", "zip"], ())


def test_a_new_column_is_left_out_with_a_warning_until_it_is_accepted(tmp_path: Path, last: Snapshot) -> None:
    files = {"a.csv": "id,delay,zip\n1,1.5,01234\n", "b.csv": "id,delay,zip,dist\n2,2.5,01235,7\n"}
    taken = snapshot_of(tmp_path, files, last)
    assert list(types_of(taken)) == ["id", "delay", "zip"]
    assert [warning.startswith("not in the last snapshot and left out: dist (") for warning in taken.warnings] == [True]
    both = {"a.csv": "id,delay,zip,dist\n1,1.5,01234,6\n"}
    assert list(types_of(snapshot_of(tmp_path, both, last, accept=("dist",)))) == ["id", "delay", "zip", "dist"]


def test_a_renamed_header_stops_everything_and_says_how_it_may_be_meant(tmp_path: Path, last: Snapshot) -> None:
    files = {"a.csv": "id,late,zip\n1,1.5,01234\n"}
    with pytest.raises(DataError) as caught:
        snapshot_of(tmp_path, files, last)
    assert "compared with the last snapshot" in caught.value.cause
    assert "a.csv lacks delay and has besides late" in caught.value.cause
    assert "accept: [delay, late]" in caught.value.mend
    assert list(types_of(snapshot_of(tmp_path, files, last, accept=("delay", "late")))) == ["id", "zip", "late"]
    declared = tuple(Column(name=name, type="string") for name in ("id", "late"))
    assert list(types_of(snapshot_of(tmp_path, files, last, columns=declared))) == ["id", "late"]


def test_what_is_accepted_must_be_in_every_file_or_in_none(tmp_path: Path, last: Snapshot) -> None:
    files = {"a.csv": "id,zip\n1,01234\n", "b.csv": "id,delay,zip\n2,2.5,01235\n"}
    taken = snapshot_of(tmp_path, files, last, accept=("delay",))
    assert list(types_of(taken)) == ["id", "zip"]
    assert any("left out: delay" in warning for warning in taken.warnings)


@pytest.mark.parametrize(
    ("content", "column", "now", "warns"),
    [
        ("id,delay,zip\n1,2,01234\n", "delay", "float64", False),
        ("id,delay,zip\n1.5,2,01234\n", "id", "float64", True),
        ("id,delay,zip\n1,2,12345\n", "zip", "string", False),
        ("id,delay,zip\n,2,01234\n", "id", "int64", False),
    ],
)
def test_types_that_hold_both_are_kept_or_widened(
    tmp_path: Path, last: Snapshot, content: str, column: str, now: str, *, warns: bool
) -> None:
    taken = snapshot_of(tmp_path, {"a.csv": content}, last)
    assert types_of(taken)[column] == now
    assert bool(taken.warnings) == warns
    rows = rows_of(taken)
    assert rows["zip"].to_list() == [content.split()[1].split(",")[2]]


def test_a_retyped_column_stops_everything_and_names_the_files(tmp_path: Path, last: Snapshot) -> None:
    files = {"a.csv": "id,delay,zip\n1,1.5,01234\n", "b.csv": "id,delay,zip\n1,late,01234\n"}
    with pytest.raises(DataError) as caught:
        snapshot_of(tmp_path, files, last)
    assert "column delay was float64 in the last snapshot and is string in " in caught.value.cause
    assert caught.value.cause.endswith("b.csv")
    taken = snapshot_of(tmp_path, {"b.csv": files["b.csv"]}, last, accept=("delay",))
    assert types_of(taken)["delay"] == "string"
