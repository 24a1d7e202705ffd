import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.source_file import SourceFile
from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import DataError
from gnomon.resources.dataset import Source
from gnomon.stores.repositories.interface import TreeEntry
from tests.data.tables import written

LONG_AGO_NS = 10**18


def entry(path: str, blob: str = "b", mode: str = "100644") -> TreeEntry:
    return TreeEntry(path, mode, blob, 10)


TREE = tuple(
    entry(path, blob=f"blob-of-{path}")
    for path in (
        "README.md",
        "data/.hidden.csv",
        "data/2013/01.parquet",
        "data/2013/02.parquet",
        "data/2014/q1/01.parquet",
        "data/flights.csv",
        "data/packed.csv.gz",
        "top.parquet",
    )
)


def paths(pattern: str) -> list[str]:
    return [file.path for file in list_files(Source(files=pattern), TREE)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("data/flights.csv", ["data/flights.csv"]),
        ("./data/flights.csv", ["data/flights.csv"]),
        ("data/*.csv", ["data/flights.csv"]),
        ("data/.h*.csv", ["data/.hidden.csv"]),
        ("data/2013/*.parquet", ["data/2013/01.parquet", "data/2013/02.parquet"]),
        ("data/*/0[2-9].parquet", ["data/2013/02.parquet"]),
        ("data/*/0[!2].parquet", ["data/2013/01.parquet"]),
        ("data/2013/0?.parquet", ["data/2013/01.parquet", "data/2013/02.parquet"]),
        ("data/**/*.parquet", ["data/2013/01.parquet", "data/2013/02.parquet", "data/2014/q1/01.parquet"]),
        ("**/01.parquet", ["data/2013/01.parquet", "data/2014/q1/01.parquet"]),
        ("**/*.parquet", ["data/2013/01.parquet", "data/2013/02.parquet", "data/2014/q1/01.parquet", "top.parquet"]),
        ("data/2014/**", ["data/2014/q1/01.parquet"]),
        ("data/packed.csv.gz", ["data/packed.csv.gz"]),
    ],
)
def test_a_relative_pattern_names_files_of_the_commit(pattern: str, expected: list[str]) -> None:
    assert paths(pattern) == expected


@settings(max_examples=50, deadline=None)
@given(st.permutations(TREE))
def test_the_order_of_the_listing_does_not_matter(tree: list[TreeEntry]) -> None:
    source = Source(files="data/**/*.parquet")
    assert list_files(source, tree) == list_files(source, TREE)


def test_globs_mean_the_same_on_the_machine_as_in_the_commit(tmp_path: Path) -> None:
    written(tmp_path, {entry.path: "a\n1\n" for entry in TREE})
    patterns = ("data/*.csv", "data/.h*.csv", "data/2013/0?.parquet", "**/*.parquet", "data/**/0[!2].parquet", "data/2014/**")
    for pattern in patterns:
        found = list_files(Source(files=f"{tmp_path}/{pattern}"), ())
        assert [str(Path(file.path).relative_to(tmp_path)) for file in found] == paths(pattern), pattern


def test_a_name_that_holds_glob_characters_is_found_as_it_is_written(tmp_path: Path) -> None:
    written(tmp_path, {"a[1].csv": "x\n1\n"})
    assert [file.path for file in list_files(Source(files=f"{tmp_path}/a[1].csv"), ())] == [f"{tmp_path}/a[1].csv"]
    assert list_files(Source(files="a[1].csv"), (entry("a[1].csv"),))[0].path == "a[1].csv"


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("data/flight.csv", "did you mean data/flights.csv?"),
        ("flights.csv", "did you mean data/flights.csv?"),
        ("data/2013", "name its files: data/2013/*.parquet"),
        ("data/README.md", "commit .parquet, .csv, .jsonl and .arrow files"),
        ("../other/data.csv", "leaves the repository"),
        ("~/data.csv", "absolute"),
        ("README.md", "no suffix that tells its format"),
        ("**/*", "README.md"),
    ],
)
def test_what_names_no_data_file_is_refused_with_what_may_be_meant(pattern: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        paths(pattern)
    assert told in str(caught.value)


def test_a_declared_format_stands_in_for_the_suffix() -> None:
    assert list_files(Source(files="README.md", format="csv"), TREE)[0].format == "csv"


@pytest.mark.parametrize(("mode", "told"), [("120000", "a symbolic link"), ("160000", "a submodule")])
def test_links_and_submodules_of_the_commit_are_refused(mode: str, told: str) -> None:
    with pytest.raises(DataError, match=told):
        list_files(Source(files="data/x.csv"), (entry("data/x.csv", mode=mode),))


def test_a_near_miss_on_the_machine_is_told(tmp_path: Path) -> None:
    written(tmp_path, {"flights.csv": "a\n1\n"})
    with pytest.raises(DataError, match=r"did you mean .*flights\.csv"):
        list_files(Source(files=f"{tmp_path}/flight.csv"), ())
    with pytest.raises(DataError, match=r"it is a folder.*/\*\.csv"):
        list_files(Source(files=str(tmp_path)), ())


def test_a_pipe_is_no_data_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(DataError, match=r"pipe\.csv"):
        list_files(Source(files=f"{tmp_path}/*.csv"), ())


def test_a_dangling_link_on_the_machine_is_named(tmp_path: Path) -> None:
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"gone\.csv.*No such file"):
        list_files(Source(files=f"{tmp_path}/*.csv"), ())


def test_the_fingerprint_is_that_of_the_blobs_and_not_of_their_names() -> None:
    def printed(*files: tuple[str, str]) -> str:
        return fingerprint(list_files(Source(files="**/*.csv"), [entry(path, blob) for path, blob in files]))

    assert printed(("a.csv", "x"), ("b.csv", "y")) == printed(("moved/a2.csv", "x"), ("moved/b2.csv", "y"))
    assert printed(("a.csv", "x"), ("b.csv", "y")) != printed(("a.csv", "y"), ("b.csv", "x"))
    assert printed(("a.csv", "x")) != printed(("a.csv", "z"))
    assert printed(("a.csv", "x")) != printed(("a.csv", "x"), ("b.csv", "x"))


def listed(path: Path, now_ns: int | None = None) -> tuple[SourceFile, ...]:
    return list_files(Source(files=str(path)), (), now_ns=now_ns)


def test_the_fingerprint_of_a_file_of_the_machine_stays_until_it_is_written_again(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.csv": "x\n1\n"}) / "a.csv"
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    before = fingerprint(listed(path))
    assert fingerprint(listed(path)) == before
    path.write_text("x\n2\n")
    # The same size, and even the same time of modification.
    os.utime(path, ns=(LONG_AGO_NS, LONG_AGO_NS))
    assert fingerprint(listed(path)) != before


def test_a_file_that_changed_just_now_is_looked_at_once_more(tmp_path: Path) -> None:
    path = written(tmp_path, {"a.csv": "x\n1\n"}) / "a.csv"
    changed = path.stat().st_mtime_ns
    at_once = fingerprint(listed(path, changed + 1))
    assert fingerprint(listed(path, changed + 10**9)) == at_once
    later = fingerprint(listed(path, changed + 3 * 10**9))
    assert later != at_once
    assert fingerprint(listed(path, changed + 10**12)) == later
