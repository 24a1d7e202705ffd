import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from gnomon.data.reading import scan, schema
from gnomon.data.snapshot import Snapshot
from gnomon.errors import DataError
from gnomon.resources.dataset import Column
from gnomon.stores.objects.memory import MemoryObjectStore
from tests.data.tables import FLIGHT_TYPES, csv_table, flights_csv, spec_of, table_of, taken, written

CELLS: dict[str, st.SearchStrategy] = {
    "whole": st.integers(-(2**62), 2**62),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "flag": st.booleans(),
    "text": st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), min_size=1, max_size=6).map(
        lambda text: f"_{text}"
    ),
    "when": st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - bounds have none
    "day": st.dates(date(1900, 1, 1), date(2200, 1, 1)),
}
DTYPES: dict[str, pl.DataType] = {
    "whole": pl.Int64(),
    "number": pl.Float64(),
    "flag": pl.Boolean(),
    "text": pl.String(),
    "when": pl.Datetime("us", "UTC"),
    "day": pl.Date(),
}


@st.composite
def tables(draw: st.DrawFn) -> pl.DataFrame:
    """Draw a table that has a column of each type, each with a value."""
    rows = draw(st.lists(st.fixed_dictionaries({name: st.none() | cell for name, cell in CELLS.items()}), max_size=8))
    full = draw(st.fixed_dictionaries(CELLS))
    return pl.DataFrame([*rows, full], schema=DTYPES)


@given(tables())
@settings(max_examples=25, deadline=None)
def test_a_table_is_the_same_from_csv_and_from_parquet(tmp_path_factory: pytest.TempPathFactory, table: pl.DataFrame) -> None:
    folder = tmp_path_factory.mktemp("table")
    table.write_csv(folder / "t.csv", datetime_format="%Y-%m-%dT%H:%M:%S%.6fZ", quote_style="non_numeric")
    table.write_parquet(folder / "t.parquet")
    from_csv, from_parquet = table_of(spec_of(folder / "t.csv")), table_of(spec_of(folder / "t.parquet"))
    assert_frame_equal(from_csv, from_parquet, check_exact=True)
    assert_frame_equal(from_parquet, table, check_exact=True)


def test_the_flights_of_2013_are_read_as_polars_reads_them(tmp_path: Path) -> None:
    path = flights_csv(tmp_path)
    declared = tuple(Column(name=name, type=kind) for name, kind in FLIGHT_TYPES.items())
    ours = table_of(spec_of(path, declared))
    theirs = pl.read_csv(path, columns=list(FLIGHT_TYPES), null_values="NA", infer_schema_length=None)
    theirs = theirs.with_columns(pl.col("time_hour").str.to_datetime(time_unit="us", time_zone="UTC"))
    assert_frame_equal(ours, theirs.select(list(FLIGHT_TYPES)), check_exact=True)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_only_what_is_asked_for_is_read(tmp_path: Path, suffix: str) -> None:
    table = pl.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"], "c": [True, False, None]})
    table.write_csv(tmp_path / "t.csv")
    table.write_parquet(tmp_path / "t.parquet")
    objects = MemoryObjectStore()
    found = taken(spec_of(tmp_path / f"t.{suffix}"), objects).snapshot
    lazy = scan(found, [objects.path(file.digest) for file in found.files])
    assert lazy.collect_schema() == schema(found.columns)
    assert "PROJECT 1/3 COLUMNS" in lazy.select("b").explain()
    assert lazy.select("b").collect().rows() == [("x",), ("y",), ("z",)]
    assert lazy.filter(pl.col("a") > 1).select("c", "a").collect().rows() == [(False, 2), (None, 3)]
    assert lazy.head(2).select("a").collect().rows() == [(1,), (2,)]
    assert lazy.slice(1, 1).collect(engine="streaming").rows() == [(2, "y", False)]
    assert lazy.select(pl.len()).collect().item() == 3
    assert lazy.tail(1).collect().rows() == [(3, "z", None)]


def test_rows_come_in_the_order_of_the_files(tmp_path: Path) -> None:
    written(tmp_path, {f"{n:02}.csv": "n\n" + "".join(f"{n * 1000 + row}\n" for row in range(1000)) for n in range(12)})
    rows = table_of(spec_of(f"{tmp_path}/*.csv"))
    assert rows["n"].to_list() == list(range(12_000))


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        ("a,b\n1,x\n", [(1, "x")]),
        ("a,b\r\n1,x\r\n\r\n", [(1, "x")]),
        (b"\xef\xbb\xbfa,b\n1,x\n", [(1, "x")]),
        ('a,b\n1,"two\nlines"\nNA,\n', [(1, "two\nlines"), (None, None)]),
    ],
)
def test_well_formed_csv_is_read_as_it_is_meant(tmp_path: Path, content: str | bytes, rows: list) -> None:
    assert csv_table(tmp_path, content).rows() == rows


def test_a_scan_wants_one_path_for_each_file(tmp_path: Path) -> None:
    snapshot: Snapshot = taken(spec_of(written(tmp_path, {"1.csv": "a\n1\n"}) / "1.csv")).snapshot
    with pytest.raises(DataError, match="1 files, 0 paths"):
        scan(snapshot, [])


_FORKED = """
import os, sys
from pathlib import Path
import polars
from gnomon.data.reading import scan
from gnomon.data.snapshot import Snapshot
snapshot = Snapshot.from_json(Path(sys.argv[1]).read_bytes())
paths = [Path(path) for path in sys.argv[2:]]
children = []
for _ in range(3):
    child = os.fork()
    if child == 0:
        assert polars.thread_pool_size() == 1
        rows = scan(snapshot, paths).select(polars.col("n").sum()).collect().item()
        os._exit(0 if rows == 2 * sum(range(50_000)) else 1)
    children.append(child)
sys.exit(any(os.waitpid(child, 0)[1] for child in children))
"""


def test_forked_workers_with_one_thread_read_too(tmp_path: Path) -> None:
    table = pl.DataFrame({"n": range(50_000), "text": ["some text"] * 50_000})
    table.write_csv(tmp_path / "1.csv")
    table.write_parquet(tmp_path / "2.parquet")
    objects = MemoryObjectStore()
    found = taken(spec_of(f"{tmp_path}/*"), objects)
    paths = [str(objects.path(file.digest)) for file in found.snapshot.files]
    done = subprocess.run(
        [sys.executable, "-c", _FORKED, str(objects.path(found.digest)), *paths],
        env={**os.environ, "POLARS_MAX_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
