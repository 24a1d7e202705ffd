import gzip
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.snapshot import Snapshot, SnapshotColumn, SnapshotFile, take_snapshot
from gnomon.data.sources import list_files
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType, DatasetSpec
from gnomon.resources.identity import Digest
from gnomon.stores.objects.memory import MemoryObjectStore
from gnomon.stores.repositories.interface import TreeEntry
from tests.data.tables import no_blob, spec_of, table_of, taken, written

TWO_FILES = {"data/1.csv": "a,b\n1,x\n2,y\n", "data/2.csv": "a,b\n3,z\n"}


def digest_in(folder: Path, files: Mapping[str, str | bytes], pattern: str = "**/*.csv*") -> Digest:
    written(folder, files)
    return taken(spec_of(f"{folder}/{pattern}")).digest


def commit(folder: Path, files: Mapping[str, str | bytes]) -> tuple[TreeEntry, ...]:
    """Commit files with Git, and return the commit's tree."""
    written(folder, files)

    def git(*arguments: str) -> str:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.com")
        return subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    git("add", "-A")
    git("commit", "-q", "-m", "data")
    entries = []
    for line in git("ls-tree", "-r", "-l", "HEAD").splitlines():
        meta, _, path = line.partition("\t")
        mode, _, blob, size = meta.split()
        entries.append(TreeEntry(path, mode, blob, int(size)))
    return tuple(entries)


def blobs_of(folder: Path) -> Callable[[str, Path], None]:
    def export(blob: str, destination: Path) -> None:
        with destination.open("wb") as target:
            subprocess.run(["git", "cat-file", "blob", blob], cwd=folder, check=True, stdout=target)

    return export


def test_the_same_content_has_the_same_digest_in_every_folder_and_in_git(tmp_path: Path) -> None:
    here = digest_in(tmp_path / "here", TWO_FILES)
    assert digest_in(tmp_path / "there/and/deeper", TWO_FILES) == here
    tree = commit(tmp_path / "repository", TWO_FILES)
    spec = spec_of("data/*.csv")
    in_git = take_snapshot(spec, list_files(spec.source, tree), MemoryObjectStore(), blobs_of(tmp_path / "repository"))
    assert in_git.digest == here


def test_files_that_are_renamed_in_the_same_order_have_the_same_digest(tmp_path: Path) -> None:
    renamed = {"b/first.csv": TWO_FILES["data/1.csv"], "b/second.csv": TWO_FILES["data/2.csv"]}
    assert digest_in(tmp_path / "renamed", renamed) == digest_in(tmp_path / "before", TWO_FILES)


def test_other_rows_another_order_and_other_types_have_another_digest(tmp_path: Path) -> None:
    before = digest_in(tmp_path / "0", TWO_FILES)
    swapped = {"data/1.csv": TWO_FILES["data/2.csv"], "data/2.csv": TWO_FILES["data/1.csv"]}
    changed = {**TWO_FILES, "data/2.csv": "a,b\n3,w\n"}
    declared = (Column(name="a", type="float64"), Column(name="b", type="string"))
    as_declared = taken(spec_of(f"{tmp_path}/0/**/*.csv", declared)).digest
    assert len({before, digest_in(tmp_path / "1", swapped), digest_in(tmp_path / "2", changed), as_declared}) == 4


def test_packing_a_file_with_gzip_changes_nothing(tmp_path: Path) -> None:
    plain = digest_in(tmp_path / "plain", {"t.csv": TWO_FILES["data/1.csv"]})
    for when in (1, 10**9):
        packed = gzip.compress(TWO_FILES["data/1.csv"].encode(), mtime=when)
        assert digest_in(tmp_path / f"packed-{when}", {"t.csv.gz": packed}) == plain


@given(st.randoms(use_true_random=False))
@settings(max_examples=8, deadline=None)
def test_the_order_in_which_files_are_listed_does_not_matter(
    tmp_path_factory: pytest.TempPathFactory, shuffle: random.Random
) -> None:
    folder = written(tmp_path_factory.mktemp("files"), {f"{n}.csv": f"a\n{n}\n" for n in range(5)})
    spec = spec_of(f"{folder}/*.csv")
    files = list(list_files(spec.source, ()))
    shuffle.shuffle(files)
    assert take_snapshot(spec, files, MemoryObjectStore(), no_blob).digest == taken(spec).digest


def test_a_snapshot_is_kept_under_its_digest_with_the_bytes_of_every_file(tmp_path: Path) -> None:
    written(tmp_path, TWO_FILES)
    objects = MemoryObjectStore()
    found = taken(spec_of(f"{tmp_path}/data/*.csv"), objects)
    assert Snapshot.from_json(objects.get(found.digest)) == found.snapshot
    assert [objects.get(file.digest).decode() for file in found.snapshot.files] == list(TWO_FILES.values())
    assert [file.rows for file in found.snapshot.files] == [2, 1]
    assert found.snapshot.rows == 3


COUNTS = st.integers(0, 2**62)
COLUMNS = st.builds(SnapshotColumn, st.text(min_size=1), st.sampled_from(("float64", "string", "date")), st.booleans())
FILES = st.builds(SnapshotFile, st.text().map(Digest), st.sampled_from(("csv", "parquet")), COUNTS, COUNTS)


@settings(max_examples=40, deadline=None)
@given(st.builds(Snapshot, st.lists(COLUMNS, max_size=4).map(tuple), st.lists(FILES, max_size=4).map(tuple), COUNTS))
def test_every_manifest_is_read_back(snapshot: Snapshot) -> None:
    assert Snapshot.from_json(snapshot.to_json()) == snapshot


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"columns":[],"files":[{}],"rows":0}'])
def test_bytes_that_are_no_manifest_are_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="no snapshot"):
        Snapshot.from_json(content)


def test_files_that_stay_are_not_read_again(tmp_path: Path) -> None:
    tree = commit(tmp_path, TWO_FILES)
    spec = spec_of("data/*.csv")
    objects = MemoryObjectStore()
    first = take_snapshot(spec, list_files(spec.source, tree), objects, blobs_of(tmp_path))
    again = take_snapshot(spec, list_files(spec.source, tree), objects, no_blob, first.known)
    assert again == first
    # Moving the folder gives the same blobs.
    moved = [TreeEntry(entry.path.replace("data", "moved"), entry.mode, entry.blob, entry.size) for entry in tree]
    spec = spec_of("moved/*.csv")
    assert take_snapshot(spec, list_files(spec.source, moved), objects, no_blob, first.known).digest == first.digest


def test_only_a_new_file_is_read(tmp_path: Path) -> None:
    tree = commit(tmp_path / "1", TWO_FILES)
    spec = spec_of("data/*.csv")
    objects = MemoryObjectStore()
    first = take_snapshot(spec, list_files(spec.source, tree), objects, blobs_of(tmp_path / "1"))
    grown = commit(tmp_path / "2", {**TWO_FILES, "data/3.csv": "a,b\n4,w\n"})
    read: list[str] = []

    def export(blob: str, destination: Path) -> None:
        read.append(blob)
        blobs_of(tmp_path / "2")(blob, destination)

    second = take_snapshot(spec, list_files(spec.source, grown), objects, export, first.known)
    assert read == [entry.blob for entry in grown if entry.path == "data/3.csv"]
    assert second.snapshot.rows == 4


def test_known_files_are_read_again_where_the_store_lost_them_or_the_schema_is_another(tmp_path: Path) -> None:
    written(tmp_path, TWO_FILES)
    objects = MemoryObjectStore()
    spec = spec_of(f"{tmp_path}/data/*.csv")
    files = list_files(spec.source, ())
    first = take_snapshot(spec, files, objects, no_blob)
    objects.delete(first.snapshot.files[0].digest)
    assert take_snapshot(spec, files, objects, no_blob, first.known) == first
    assert objects.exists(first.snapshot.files[0].digest)
    for digest in first.known.values():
        objects.delete(digest)
    assert take_snapshot(spec, files, objects, no_blob, first.known) == first
    declared = spec_of(f"{tmp_path}/data/*.csv", (Column(name="b", type="float64"),))
    with pytest.raises(DataError, match="do not fit float64"):
        take_snapshot(declared, files, objects, no_blob, first.known)


class _Interloper(MemoryObjectStore):
    """A store during whose copying somebody else writes to the source."""

    def put_file(self, path: Path, *, move: bool = False) -> Digest:
        digest = super().put_file(path, move=move)
        if not move:
            with path.open("a") as file:
                file.write("9,late\n")
        return digest


def test_a_file_that_changes_while_it_is_read_is_not_taken_in(tmp_path: Path) -> None:
    written(tmp_path, TWO_FILES)
    with pytest.raises(DataError, match=r"1\.csv changed while it was read"):
        taken(spec_of(f"{tmp_path}/data/1.csv"), _Interloper())


def test_a_kept_file_does_not_change_with_its_source(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_FILES) / "data/1.csv"
    objects = MemoryObjectStore()
    found = taken(spec_of(path), objects)
    path.write_text("a,b\n9,changed\n")
    assert objects.get(found.snapshot.files[0].digest).decode() == TWO_FILES["data/1.csv"]


def test_a_pointer_of_git_lfs_is_refused(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    with pytest.raises(DataError, match=r"t\.csv is a Git LFS pointer") as caught:
        digest_in(tmp_path / "machine", {"t.csv": pointer})
    assert "git lfs" in caught.value.mend
    tree = commit(tmp_path / "repository", {"t.csv": pointer})
    spec = spec_of("t.csv")
    with pytest.raises(DataError, match=r"t\.csv is a Git LFS pointer"):
        take_snapshot(spec, list_files(spec.source, tree), MemoryObjectStore(), blobs_of(tmp_path / "repository"))


@pytest.mark.parametrize("content", [b"a,b\n1,2\n", gzip.compress(b"a,b\n" * 1000, mtime=0)[:-20], b""])
def test_a_damaged_gzip_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"t\.csv\.gz (is not a whole gzip file|is empty)"):
        digest_in(tmp_path, {"t.csv.gz": content})


def test_a_file_that_is_gone_or_unreadable_is_named(tmp_path: Path) -> None:
    spec = spec_of(written(tmp_path, TWO_FILES) / "data/1.csv")
    files = list_files(spec.source, ())
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(DataError, match=r"1\.csv cannot be read"):
        take_snapshot(spec, files, MemoryObjectStore(), no_blob)


def agreed(folder: Path, *contents: str) -> dict[str, ColumnType]:
    written(folder, {f"{n}.csv": content for n, content in enumerate(contents)})
    return {column.name: column.type for column in taken(spec_of(f"{folder}/*.csv")).snapshot.columns}


def test_files_agree_on_the_wider_type(tmp_path: Path) -> None:
    assert agreed(tmp_path / "1", "a\n1\n", "a\n2.5\n", "a\nNA\n") == {"a": "float64"}
    assert agreed(tmp_path / "2", "a\n2013-01-01\n", "a\n2013-01-01T10:00Z\n") == {"a": "timestamp"}
    assert agreed(tmp_path / "3", "a\nNA\n", "a\n\n") == {"a": "string"}
    assert agreed(tmp_path / "4", "a,b\n1,2\n", "b,a\nx,3\n".replace("x", "4")) == {"a": "int64", "b": "int64"}


def test_columns_in_another_order_are_the_same_columns(tmp_path: Path) -> None:
    written(tmp_path, {"1.csv": "a,b\n1,x\n", "2.csv": "b,a\ny,2\n"})
    assert table_of(spec_of(f"{tmp_path}/*.csv")).rows() == [(1, "x"), (2, "y")]


def test_files_that_do_not_agree_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column a is int64 in .*0\.csv, string in .*1\.csv"):
        agreed(tmp_path / "types", "a\n1\n", "a\nx\n")
    with pytest.raises(DataError, match=r"1\.csv lacks b and has besides c, compared with .*0\.csv"):
        agreed(tmp_path / "columns", "a,b\n1,2\n", "a,c\n1,2\n")


def test_parquet_and_csv_files_may_stand_side_by_side(tmp_path: Path) -> None:
    pl.DataFrame({"a": pl.Series([1, 2], dtype=pl.Int16), "b": ["x", None]}).write_parquet(tmp_path / "1.parquet")
    written(tmp_path, {"2.csv": "b,a\nz,2.5\n"})
    assert table_of(spec_of(f"{tmp_path}/*")).rows() == [(1.0, "x"), (2.0, None), (2.5, "z")]


def test_everything_that_is_wrong_with_all_files_is_told_at_once(tmp_path: Path) -> None:
    written(tmp_path, {"1.csv": "a,b\n1\n", "2.csv": "", "3.csv": "a,b\n1,2\n"})
    with pytest.raises(DataError) as caught:
        taken(spec_of(f"{tmp_path}/*.csv"))
    assert "2 files cannot be taken in" in caught.value.cause
    assert "1.csv, line 2" in caught.value.cause
    assert "2.csv is empty" in caught.value.cause


def test_a_dataset_without_rows_is_refused(tmp_path: Path) -> None:
    written(tmp_path, {"1.csv": "a,b\n"})
    with pytest.raises(DataError, match=r"1\.csv: no rows, only column names"):
        taken(spec_of(f"{tmp_path}/*.csv"))
    written(tmp_path, {"2.csv": "a,b\n1,2\n"})
    assert taken(spec_of(f"{tmp_path}/*.csv")).snapshot.rows == 1


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ({"time": "when"}, "when, which time or key names, is no column of the files"),
        ({"key": ("a", "id")}, "id, which time or key names, is no column of the files"),
        ({"time": "a"}, "the time column a is of type int64"),
    ],
)
def test_time_and_key_must_be_columns_that_fit(tmp_path: Path, declared: dict, told: str) -> None:
    written(tmp_path, {"1.csv": "a,b\n1,2\n"})
    with pytest.raises(DataError, match=told):
        taken(spec_of(f"{tmp_path}/*.csv", **declared))


def test_what_should_be_looked_at_is_warned_of(tmp_path: Path) -> None:
    written(tmp_path, {"1.csv": "a,b,c\n1,NA,2\n", "2.csv": "a,b,c\n1,x,2\n"})
    declared = (Column(name="a", type="int64"), Column(name="b", type="string"))
    warnings = taken(spec_of(f"{tmp_path}/*.csv", declared)).warnings
    assert [warning.split(":")[0] for warning in warnings] == [
        "not in the schema and left out",
        "column b holds a text such as NA or null in 1 rows",
    ]
    pl.DataFrame({"a": [1], "deep": [[1]]}).write_parquet(tmp_path / "3.parquet")
    assert taken(spec_of(tmp_path / "3.parquet")).warnings == ("column deep is left out: it holds List(Int64)",)


def test_an_index_that_pandas_kept_without_a_name_is_no_column_unless_declared(tmp_path: Path) -> None:
    file = tmp_path / "1.parquet"
    pd.DataFrame({"a": [1, 2, 3]}, index=[5, 1, 2]).to_parquet(file)
    found = taken(spec_of(file))
    assert [column.name for column in found.snapshot.columns] == ["a"]
    assert found.warnings == ("column __index_level_0__ is left out: it holds the index of a pandas frame",)
    declared = (Column(name="__index_level_0__", type="int64"),)
    assert [column.name for column in taken(spec_of(file, declared)).snapshot.columns] == ["__index_level_0__"]


def test_a_parquet_column_without_a_name_is_refused(tmp_path: Path) -> None:
    pl.DataFrame({"a": [1], " ": [2]}).write_parquet(tmp_path / "1.parquet")
    with pytest.raises(DataError, match=r"1\.parquet has a column without a name"):
        taken(spec_of(tmp_path / "1.parquet"))


def test_whether_values_may_be_missing_is_as_declared_else_as_found(tmp_path: Path) -> None:
    written(tmp_path, {"1.csv": "a,b\n1,\n2,x\n"})
    found = taken(spec_of(tmp_path / "1.csv")).snapshot.columns
    assert found == (SnapshotColumn("a", "int64", nullable=False), SnapshotColumn("b", "string", nullable=True))
    declared = (Column(name="a", type="int64"), Column(name="b", type="string", nullable=False))
    assert [column.nullable for column in taken(spec_of(tmp_path / "1.csv", declared)).snapshot.columns] == [True, False]


def test_a_moved_home_changes_nothing(tmp_path: Path) -> None:
    written(tmp_path / "home", TWO_FILES)
    spec: DatasetSpec = spec_of(f"{tmp_path}/home/data/*.csv")
    before = taken(spec).digest
    os.rename(tmp_path / "home", tmp_path / "new-home")  # noqa: PTH104 - a folder
    assert taken(spec_of(f"{tmp_path}/new-home/data/*.csv")).digest == before
