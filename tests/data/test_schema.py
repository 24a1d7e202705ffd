import resource
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.schema import enforce, infer_columns
from gnomon.data.snapshot import SnapshotColumn
from gnomon.errors import DataError
from gnomon.resources.dataset import Column, ColumnType, DatasetSpec
from tests.data.tables import spec_of

ROWS = pl.DataFrame(
    {
        "id": [1, 2, 2, 4, None],
        "carrier": ["AA", "XX", "UA", None, "YY"],
        "delay": [1.5, -200.0, None, 2000.0, 3.0],
        "when": pl.Series(
            [datetime(2013, 1, day, tzinfo=UTC) for day in (1, 2, 2, 3)] + [None], dtype=pl.Datetime("us", "UTC")
        ),
    }
)


def messages(spec: DatasetSpec, frame: pl.DataFrame = ROWS) -> list[str]:
    return [str(violation) for violation in enforce(spec, frame.lazy())]


def declared(*columns: Column, **spec: object) -> DatasetSpec:
    return spec_of("rows.csv", columns, **spec)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (Column(name="delay", type="float64", nullable=False), "column delay: 1 row has no value: row 3"),
        (Column(name="delay", type="float64", min=-120), "column delay: 1 row holds values below -120: -200.0 (row 2)"),
        (Column(name="delay", type="float64", max=1500), "column delay: 1 row holds values above 1500: 2000.0 (row 4)"),
        (
            Column(name="carrier", type="string", values=("AA", "UA")),
            "column carrier: 2 rows hold values outside AA, UA: 'XX' (row 2); 'YY' (row 5)",
        ),
        (Column(name="id", type="int64", values=("1", "2")), "column id: 1 row holds values outside 1, 2: 4 (row 4)"),
        (Column(name="id", type="int64", unique=True), "column id: 1 row repeats a value of an earlier row: 2 (row 3)"),
    ],
)
def test_a_broken_rule_is_told_with_its_rows_and_values(column: Column, message: str) -> None:
    assert messages(declared(column)) == [message]


def test_a_row_that_repeats_a_key_is_told() -> None:
    assert messages(declared(key=("id", "when"))) == [
        "column id: 1 row has no value, but the key names this column: row 5",
        "column when: 1 row has no value, but the key names this column: row 5",
        "key id, when: 1 row repeats the key of an earlier row: 2, 2013-01-02T00:00:00Z (row 3)",
    ]
    assert messages(declared(key=("carrier",)), ROWS.drop_nulls("carrier")) == []


def test_a_row_without_a_time_is_told() -> None:
    assert messages(declared(time="when")) == ["column when: 1 row has no value, but this is the time column: row 5"]
    twice = declared(Column(name="when", type="timestamp", nullable=False), time="when")
    assert messages(twice) == ["column when: 1 row has no value: row 5"]


def test_missing_values_break_no_bound_and_repeat_nothing() -> None:
    frame = pl.DataFrame({"x": pl.Series([None, None, 1.0])})
    column = Column(name="x", type="float64", min=0, max=2, unique=True)
    assert messages(declared(column), frame) == []


def test_rows_that_hold_what_is_declared_break_nothing_and_neither_does_no_declaration() -> None:
    column = Column(name="carrier", type="string", values=("AA", "XX", "UA", "YY"))
    assert messages(declared(column)) == []
    assert messages(declared()) == []


def test_all_broken_rules_are_told_at_once_and_long_lists_are_cut() -> None:
    frame = pl.DataFrame({"a": ["x" * 200] * 5, "b": [9] * 5})
    columns = (Column(name="a", type="string", values=tuple("abcdefghijklm")), Column(name="b", type="int64", max=1))
    first, second = messages(declared(*columns), frame)
    assert first.startswith("column a: 5 rows hold values outside a, b, c, d, e, f, g, h, i, j, …: 'xxx")
    assert first.count("(row ") == 3
    assert len(first) < 400
    assert second == "column b: 5 rows hold values above 1: 9 (row 1); 9 (row 2); 9 (row 3)"


def test_a_bound_on_what_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="column carrier declares min, but is of type string"):
        messages(declared(Column(name="carrier", type="string", min=1)))


@given(
    st.lists(st.none() | st.integers(0, 5), min_size=1, max_size=30),
    st.integers(0, 5),
    st.integers(0, 5),
    st.sets(st.integers(0, 5)),
)
@settings(max_examples=30, deadline=None)
def test_the_counts_are_those_of_a_plain_loop(values: list[int | None], low: int, high: int, allowed: set[int]) -> None:
    column = Column(
        name="x", type="int64", nullable=False, min=low, max=high, values=tuple(map(str, sorted(allowed))), unique=True
    )
    frame = pl.DataFrame({"x": pl.Series(values, dtype=pl.Int64)})
    found = {violation.rule: violation.rows for violation in enforce(declared(column), frame.lazy())}
    present = [value for value in values if value is not None]
    expected = {
        "nullable": len(values) - len(present),
        "min": sum(value < low for value in present),
        "max": sum(value > high for value in present),
        "values": sum(value not in allowed for value in present),
        "unique": len(present) - len(set(present)),
    }
    assert found == {rule: rows for rule, rows in expected.items() if rows}


def test_twenty_rules_on_a_million_rows_are_one_scan(tmp_path: Path) -> None:
    numbers = np.random.default_rng(7).normal(size=(1_000_000, 8))
    frame = pl.DataFrame(numbers, schema=[f"x{place}" for place in range(8)]).with_row_index("id")
    frame.with_columns(pl.col("id").cast(pl.Int64)).write_parquet(tmp_path / "rows.parquet")
    columns = [Column(name=f"x{place}", type="float64", nullable=False, min=-9, max=9) for place in range(8)]
    spec = declared(*columns, Column(name="id", type="int64", nullable=False, min=0, unique=True), key=("id",))
    before = resource.getrusage(resource.RUSAGE_SELF)
    assert enforce(spec, pl.scan_parquet(tmp_path / "rows.parquet")) == ()
    after = resource.getrusage(resource.RUSAGE_SELF)
    # Half a CPU second on the slowest machine tried; a scan for each rule would take ten.
    assert after.ru_utime - before.ru_utime < 5


TYPES: dict[str, ColumnType] = {"id": "int64", "carrier": "string", "delay": "float64", "when": "timestamp"}


def proposed(frame: pl.DataFrame, types: dict[str, ColumnType]) -> tuple[Column, ...]:
    columns = [SnapshotColumn(name, types[name], nullable=bool(frame[name].null_count())) for name in frame.columns]
    return infer_columns(columns, frame.lazy())


def test_a_proposal_leaves_room_and_lists_short_texts() -> None:
    assert proposed(ROWS, TYPES) == (
        Column(name="id", type="int64", min=0, max=5.5),
        Column(name="carrier", type="string", values=("AA", "UA", "XX", "YY")),
        Column(name="delay", type="float64", min=-1300, max=3100),
        Column(name="when", type="timestamp"),
    )


def test_texts_with_many_values_and_numbers_without_a_range_are_not_bounded() -> None:
    frame = pl.DataFrame({"id": [5] * 30, "carrier": [f"c{n}" for n in range(30)], "delay": [float("inf"), 1.0] * 15})
    assert proposed(frame, TYPES) == tuple(Column(name=n, type=TYPES[n], nullable=False) for n in frame.columns)


@given(
    st.lists(
        st.tuples(
            st.none() | st.integers(-(2**62), 2**62), st.none() | st.sampled_from("abc"), st.none() | st.floats(allow_nan=False)
        ),
        min_size=1,
        max_size=20,
    )
)
@settings(max_examples=30, deadline=None)
def test_rows_meet_the_schema_that_is_proposed_from_them(rows: list[tuple]) -> None:
    frame = pl.DataFrame(rows, schema={"id": pl.Int64, "carrier": pl.String, "delay": pl.Float64}, orient="row")
    assert messages(declared(*proposed(frame, TYPES)), frame) == []
