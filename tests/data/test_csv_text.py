from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.csv_text import header, text_batches
from gnomon.errors import DataError
from tests.data.tables import package_file, written


def rows(folder: Path, content: str | bytes, columns: tuple[str, ...] = ()) -> list[tuple[object, ...]]:
    path = written(folder, {"t.csv": content}) / "t.csv"
    wanted = columns or header(path, "t.csv")
    return [row for batch in text_batches(path, wanted, "t.csv") for row in batch.iter_rows()]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("a,b\n1,2\n", [("1", "2")]),
        ("a,b\n1,2", [("1", "2")]),
        ("a,b\r\n1,2\r\n3,4\r\n", [("1", "2"), ("3", "4")]),
        (b"\xef\xbb\xbfa,b\n1,2\n", [("1", "2")]),
        ('a,b\n"x\ny","p, q"\n', [("x\ny", "p, q")]),
        ('a,b\n"say ""hi""",\n', [('say "hi"', "")]),
        ("a,b\n1,2\n\n3,4\n\n", [("1", "2"), ("3", "4")]),
        ('"a","b"\n1,2\n', [("1", "2")]),
        ("\na,b\n1,2\n", [("1", "2")]),
        ("a , b\n1, 2\n", [("1", " 2")]),
        ("a,b\n", []),
        ("a,b", []),
        ("a\n1\n", [("1",)]),
        ("a,b\nä,日本\n", [("ä", "日本")]),
    ],
)
def test_well_formed_files_are_read_as_they_are_meant(tmp_path: Path, content: str | bytes, expected: list) -> None:
    assert rows(tmp_path, content) == expected


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "t.csv is empty"),
        ("\n\n", "t.csv is empty"),
        (b"\xef\xbb\xbf", "t.csv is empty"),
        ("a,b\n1,2\n3\n", "t.csv, line 3: the row has 1 fields, the header 2"),
        ("a,b\n1,2\n3,4,5\n", "t.csv, line 3: the row has 3 fields, the header 2"),
        ('a,b\n"x\ny",2\n3\n', "t.csv, line 4: the row has 1 fields, the header 2"),
        ("a,b,a\n1,2,3\n", "the header names 'a' more than once"),
        ("a,,c\n1,2,3\n", "the header names no column in field 2"),
        (",a\n0,1\n", "the header names no column in field 1"),
        ("a;b\n1;2\n", "separates its columns by semicolons"),
        ("a\tb\n1\t2\n", "separates its columns by tabs"),
        ("name,city\nJosé,León\n".encode("latin-1"), "t.csv, line 2: byte 0xe9 is not UTF-8"),
        ("größe,b\n1,2\n".encode("latin-1"), "t.csv, line 1: byte 0xf6 is not UTF-8"),
        ("a,b\n1,2\n".encode("utf-16"), "encoded as UTF-16"),
        ('a,b\n"1,2\n', "t.csv"),
    ],
)
def test_malformed_files_are_refused_with_the_place(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(DataError) as caught:
        rows(tmp_path, content)
    assert told in caught.value.cause
    assert caught.value.mend


def test_the_index_that_pandas_writes_is_known_for_what_it_is(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        rows(tmp_path, ",a\n0,1\n")
    assert "to_csv(..., index=False)" in caught.value.mend


@pytest.mark.parametrize("late", [b"only one\n", b"1,\xff\n", b"1,2,3\n"])
def test_a_fault_far_below_the_first_block_is_named_by_its_line(tmp_path: Path, late: bytes) -> None:
    good = b"some text,more text\n" * 300_000
    with pytest.raises(DataError, match=r"t\.csv, line 300002: "):
        rows(tmp_path, b"a,b\n" + good + late)


def test_only_the_columns_asked_for_are_given_in_their_order(tmp_path: Path) -> None:
    assert rows(tmp_path, "a,b,c\n1,2,3\n", ("c", "a")) == [("3", "1")]


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("breast_cancer.csv", "line 2: the row has 31 fields, the header 4"),
        ("wine_data.csv", "line 2: the row has 14 fields, the header 5"),
    ],
)
def test_tables_whose_header_is_no_header_are_refused(path: str, told: str) -> None:
    file = package_file("sklearn", f"datasets/data/{path}")
    with pytest.raises(DataError, match=told):
        list(text_batches(file, header(file, path), path))


@settings(max_examples=50, deadline=None)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(
                st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=8), min_size=width, max_size=width
            ),
            min_size=1,
            max_size=12,
        )
    )
)
def test_every_table_of_texts_is_read_back(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    quoted = [['"' + text.replace('"', '""') + '"' for text in row] for row in table]
    names = ",".join(f"c{place}" for place in range(len(table[0])))
    content = "\n".join([names, *(",".join(row) for row in quoted)])
    assert rows(tmp_path_factory.mktemp("table"), content) == [tuple(row) for row in table]
