"""Columns that folders such as ``year=2013`` make."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, DatasetSpec, Source
from gnomon.stores.repositories.interface import TreeEntry
from tests.data.tables import table_of, taken, written


def partitioned(folder: Path, files: dict[str, str], pattern: str = "**/*.csv", **source: object) -> DatasetSpec:
    written(folder, dict(files))
    return DatasetSpec(source=Source(files=str(folder / pattern), **source))  # type: ignore[arg-type] # the tests' own


def test_folders_that_all_files_share_are_typed_columns(tmp_path: Path) -> None:
    spec = partitioned(
        tmp_path,
        {
            "year=2013/month=01/day=2013-01-05/city=S%C3%A3o/a.csv": "x\n1\n2\n",
            "year=2014/month=12/day=2014-12-06/city=__HIVE_DEFAULT_PARTITION__/a.csv": "x\n3\n",
        },
    )
    assert table_of(spec).rows() == [
        (1, 2013, 1, date(2013, 1, 5), "São"),
        (2, 2013, 1, date(2013, 1, 5), "São"),
        (3, 2014, 12, date(2014, 12, 6), None),
    ]


def test_the_same_content_in_other_folders_is_another_snapshot(tmp_path: Path) -> None:
    tree = [TreeEntry(f"data/year={year}/a.csv", "100644", "same", 4) for year in (2013, 2014)]
    source = Source(files="data/*/*.csv")
    first, second = (fingerprint(list_files(source, [entry])) for entry in tree)
    assert first != second
    content = {"year=2013/a.csv": "x\n1\n", "year=2014/a.csv": "x\n1\n"}
    found = taken(partitioned(tmp_path, content))
    assert [dict(file.folders) for file in found.snapshot.files] == [{"year": "2013"}, {"year": "2014"}]
    assert type(found.snapshot).from_json(found.snapshot.to_json()) == found.snapshot
    assert table_of(partitioned(tmp_path, content))["year"].to_list() == [2013, 2014]


def test_declared_columns_bind_what_folders_say(tmp_path: Path) -> None:
    spec = partitioned(tmp_path, {"zip=01234/x=5/a.csv": "y\n1\n"})
    columns = (Column(name="zip", type="string"), Column(name="y", type="float64"))
    found = taken(spec.model_copy(update={"columns": columns}))
    assert ([c.name for c in found.snapshot.columns], found.warnings) == (["zip", "y"], ("not in the schema and left out: x",))
    wrong = (Column(name="zip", type="date"),)
    with pytest.raises(DataError, match=r"a\.csv lies in the folder zip=01234, which does not fit date"):
        taken(spec.model_copy(update={"columns": wrong}))


def test_folders_are_no_columns_where_the_files_do_not_agree_or_nobody_wants_them(tmp_path: Path) -> None:
    files = {"year=2013/a.csv": "x\n1\n", "b.csv": "x\n2\n"}
    assert table_of(partitioned(tmp_path, files)).columns == ["x"]
    with pytest.raises(DataError, match=r"do not lie in folders of the same columns: .*b\.csv \(none\)"):
        taken(partitioned(tmp_path, files, partitioned=True))
    assert table_of(partitioned(tmp_path, files, "year=2013/*.csv")).columns == ["x"]
    assert table_of(partitioned(tmp_path, files, "*/*.csv", partitioned=False)).columns == ["x"]
    assert table_of(partitioned(tmp_path, files, "*/*.csv")).columns == ["x", "year"]


def test_what_folders_say_wins_over_the_file_with_a_warning(tmp_path: Path) -> None:
    pl.DataFrame({"x": [1, 2], "year": [1, 1]}).write_parquet(tmp_path / "made.parquet")
    written(tmp_path, {"all/year=2013/a.parquet": (tmp_path / "made.parquet").read_bytes()})
    spec = DatasetSpec(source=Source(files=str(tmp_path / "all/*/*.parquet")))
    assert table_of(spec).sort("x").rows() == [(1, 2013), (2, 2013)]
    assert taken(spec).warnings == ("folders and files both hold year: what the folders say is taken",)
