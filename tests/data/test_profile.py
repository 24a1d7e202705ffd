from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.profile import Content, FileProfile, profile
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType
from gnomon.resources.identity import Digest
from tests.data.tables import flights_csv, package_file, written


def profiled(path: Path, columns: tuple[Column, ...] = ()) -> FileProfile:
    file_format = "csv" if path.suffix == ".csv" else "parquet"
    return profile(Content(path.name, path, Digest("sha256:0"), file_format), columns)  # type: ignore[arg-type] # two suffixes


def types(folder: Path, content: str) -> dict[str, ColumnType | None]:
    found = profiled(written(folder, {"t.csv": content}) / "t.csv")
    return {column.name: column.type for column in found.columns}


def parquet(folder: Path, **columns: pl.Series | list) -> Path:
    path = folder / "t.parquet"
    pl.DataFrame(columns).write_parquet(path)
    return path


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["1", "-2", "+3"], "int64"),
        (["1", "2.5"], "float64"),
        (["1", "NA", ""], "int64"),
        (["NA", "2"], "int64"),
        (["1e3", "nan"], "float64"),
        (["true", "False", "NA"], "boolean"),
        (["2013-01-01", "2013-02-28"], "date"),
        (["2013-01-01", "2013-02-28T10:00:00Z"], "timestamp"),
        (["2013-02-28 10:00", "2013-01-01"], "timestamp"),
        (["2013-01-01", "5"], "string"),
        (["1", "true"], "string"),
        (["1", "x"], "string"),
        (["x", "1"], "string"),
        (["01234", "99999"], "string"),
        (["99999", "01234.5"], "string"),
        (["0", "0.5", "-0"], "float64"),
        (["123456789012345678901", "1"], "string"),
        (["NA", ""], None),
    ],
)
def test_the_type_is_the_narrowest_that_every_value_fits(
    tmp_path: Path, values: list[str], expected: ColumnType | None
) -> None:
    rows = "".join(f"{value},-\n" for value in values)
    assert types(tmp_path, f"x,other\n{rows}")["x"] == expected


@pytest.mark.parametrize(
    ("usual", "last", "expected"),
    [("1", "2.5", "float64"), ("1", "x", "string"), ("2013-01-01", "2013-01-01T10:00Z", "timestamp"), ("true", "1", "string")],
)
def test_the_last_of_many_rows_decides_as_much_as_the_first(
    tmp_path: Path, usual: str, last: str, expected: ColumnType
) -> None:
    content = "x,y\n" + f"{usual},some text to fill blocks\n" * 200_000 + f"{last},z\n"
    assert types(tmp_path, content) == {"x": expected, "y": "string"}


def test_missing_values_before_the_first_text_are_counted_by_the_rule_of_text(tmp_path: Path) -> None:
    filler = "NA,some text to fill blocks with\n" * 100_000
    found = profiled(written(tmp_path, {"t.csv": f"x,y\n{filler},y\n1,y\nlate,y\n"}) / "t.csv")
    (column,) = (column for column in found.columns if column.name == "x")
    assert (column.type, column.missing, column.markers) == ("string", 1, 100_000)


def test_the_flights_of_2013_are_typed_as_they_should_be(tmp_path: Path) -> None:
    found = profiled(flights_csv(tmp_path))
    kinds = {column.name: column.type for column in found.columns}
    assert found.rows == 336_776
    assert {name for name, kind in kinds.items() if kind == "string"} == {"carrier", "tailnum", "origin", "dest"}
    assert kinds["time_hour"] == "timestamp"
    assert {column.name: column.missing for column in found.columns if column.missing} == {
        "dep_time": 8255,
        "dep_delay": 8255,
        "arr_time": 8713,
        "arr_delay": 9430,
        "air_time": 9430,
    }


def test_the_penguins_are_typed_as_they_should_be() -> None:
    found = profiled(package_file("palmerpenguins", "data/penguins.csv"))
    assert {column.name: column.type for column in found.columns} == {
        "species": "string",
        "island": "string",
        "bill_length_mm": "float64",
        "bill_depth_mm": "float64",
        "flipper_length_mm": "int64",
        "body_mass_g": "int64",
        "sex": "string",
        "year": "int64",
    }
    assert next(column.markers for column in found.columns if column.name == "sex") == 11


def test_values_that_do_not_fit_are_all_told_with_file_column_row_and_value(tmp_path: Path) -> None:
    path = written(tmp_path, {"t.csv": "n,when,ok\n1,2013-01-01,a\ntwo,2013-01-01,b\n3,soon,c\n2.5,NA,d\n"}) / "t.csv"
    declared = (Column(name="n", type="int64"), Column(name="when", type="date"), Column(name="ok", type="string"))
    with pytest.raises(DataError) as caught:
        profiled(path, declared)
    assert caught.value.cause == (
        "t.csv: column n holds 2 values that do not fit int64: 'two' (row 2), '2.5' (row 4); "
        "t.csv: column when holds 1 value that does not fit date: 'soon' (row 3)"
    )


def test_misfits_far_below_are_told_by_their_row(tmp_path: Path) -> None:
    content = "n,y\n" + "1,some text to fill blocks with\n" * 200_000 + "many,z\n"
    path = written(tmp_path, {"t.csv": content}) / "t.csv"
    with pytest.raises(DataError, match=r"'many' \(row 200001\)"):
        profiled(path, (Column(name="n", type="int32"),))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_absent_column_is_told_with_the_nearest_name(tmp_path: Path, suffix: str) -> None:
    pl.DataFrame({"arr_delay": [1], "b": [2]}).write_csv(tmp_path / "t.csv")
    pl.DataFrame({"arr_delay": [1], "b": [2]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.\w+ has no column arr_dely \(did you mean arr_delay\?\)"):
        profiled(tmp_path / f"t.{suffix}", (Column(name="arr_dely", type="int64"),))


def test_columns_that_are_not_declared_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, {"t.csv": "a,b,c\n1,2,3\n"}) / "t.csv"
    assert profiled(path, (Column(name="b", type="int64"),)).undeclared == ("a", "c")


def test_parquet_misfits_are_told(tmp_path: Path) -> None:
    path = parquet(tmp_path, n=[1.0, 2.5, None], text=["1", "x", "NA"])
    declared = (Column(name="n", type="int64"), Column(name="text", type="float64"))
    with pytest.raises(DataError) as caught:
        profiled(path, declared)
    assert caught.value.cause == (
        "t.parquet: column n holds 1 value that does not fit int64: 2.5 (row 2); "
        "t.parquet: column text holds 1 value that does not fit float64: 'x' (row 2)"
    )


def test_parquet_columns_that_cannot_become_the_declared_type_are_told(tmp_path: Path) -> None:
    path = parquet(tmp_path, flags=[True], lists=[[1, 2]])
    with pytest.raises(DataError, match=r"column flags holds Boolean, which cannot become timestamp"):
        profiled(path, (Column(name="flags", type="timestamp"),))
    with pytest.raises(DataError, match=r"column lists holds List\(Int64\), which cannot become float64"):
        profiled(path, (Column(name="lists", type="float64"),))


def test_nested_parquet_columns_are_left_out_by_name(tmp_path: Path) -> None:
    found = profiled(parquet(tmp_path, a=[1], lists=[[1, 2]], record=[{"b": 1}]))
    assert [column.name for column in found.columns] == ["a"]
    assert set(found.unusable) == {"lists", "record"}


@pytest.mark.parametrize("content", [b"", b"PAR1", b"a,b\n1,2\n", b"PAR1" + b"\0" * 100 + b"PAR1"])
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
        profiled(written(tmp_path, {"t.parquet": content}) / "t.parquet")


def test_a_parquet_file_with_damaged_pages_is_refused(tmp_path: Path) -> None:
    path = parquet(tmp_path, a=[f"text number {n}" for n in range(20_000)])
    content = bytearray(path.read_bytes())
    content[200:20_000] = b"\xff" * 19_800
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"t\.parquet cannot be read as Parquet"):
        profiled(path)


@given(
    st.lists(
        st.one_of(
            st.integers(-(10**6), 10**6).map(str),
            st.floats(-1e6, 1e6).map(repr),
            st.sampled_from(["", "NA", "true", "2013-01-01", "2013-01-01T00:00:00Z", "x"]),
        ),
        min_size=1,
        max_size=6,
    ),
)
@settings(max_examples=20, deadline=None)
def test_the_order_of_the_rows_does_not_decide_the_type(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    def typed(rows: list[str]) -> ColumnType | None:
        content = "x,y\n" + "".join(f"{row},-\n" for row in rows)
        return types(tmp_path_factory.mktemp("table"), content)["x"]

    assert typed(values) == typed(sorted(values)) == typed(values[::-1])
