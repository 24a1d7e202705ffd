from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from gnomon.data.checks import CheckResult, run_checks
from gnomon.errors import DataError
from gnomon.resources.dataset import Check
from tests.data.tables import csv_table, flights_csv

ROWS = pl.DataFrame(
    {
        "delay": [1.0, None, 30.0, 9.0],
        "carrier": ["AA", "UA", "UA", "DL"],
        "late": [False, None, True, False],
        "seen": pl.Series([datetime(2013, 1, day, tzinfo=UTC) for day in range(1, 5)], dtype=pl.Datetime("us", "UTC")),
        "on_day": pl.Series([datetime(2013, 1, day).date() for day in range(1, 5)]),  # noqa: DTZ001 - a date has no zone
        "Two Words": [1, 2, 3, 4],
    }
)


def checked(expression: str, frame: pl.DataFrame = ROWS) -> CheckResult:
    (result,) = run_checks([Check(name="rule", expr=expression)], frame.lazy(), time_limit=timedelta(seconds=20))
    return result


@pytest.mark.parametrize(
    ("expression", "passed", "message"),
    [
        ("count(*) >= 4", True, "count(*) >= 4 holds: count(*) is 4"),
        ("count(*) >= 1000", False, "count(*) >= 1000 does not hold: count(*) is 4"),
        ("avg(delay is null) < 0.05", False, "avg(delay is null) < 0.05 does not hold: avg((delay IS NULL)) is 0.25"),
        ("avg(late) = 1/3", True, "avg(late) = 1/3 holds: avg(late) is 0.333333"),
        ("avg(DELAY > 5) FILTER (carrier = 'UA') = 1", True, "holds"),
        ("mean(carrier in ('AA', 'DL')) = 0.5", True, "holds"),
        ("avg(delay) > 10", True, "avg(delay) is 13.3333"),
        ("max(delay) < 30 or min(delay) > 5", False, "max(delay) < 30 or min(delay) > 5 does not hold"),
        ("bool_and(delay >= 0)", True, "bool_and(delay >= 0) holds"),
        ("max(seen) >= timestamp '2013-01-04'", True, "max(seen) is 2013-01-04 00:00:00"),
        ("max(seen) >= '2014-01-01T00:00:00Z'", False, "max(seen) is 2013-01-04 00:00:00"),
        ("max(seen) > now() - interval 7 day", False, "does not hold"),
        ("max(on_day) = date '2013-01-04'", True, "max(on_day) is 2013-01-04"),
        ('sum("Two Words") = 10', True, "holds"),
        ("(select count(*) from (select 1 from data group by carrier having count(*) > 1)) = 1", True, "holds"),
        ("count(distinct carrier) = 3 -- carriers", True, "holds: count(DISTINCT carrier) is 3"),
        ("max(delay) > (select avg(delay) * 2 from data)", True, "holds"),
        ("max(carrier) = min(carrier)", False, "max(carrier) is UA, min(carrier) is AA"),
        ("sum(delay) > null", False, "is neither true nor false, as a value is missing"),
    ],
)
def test_a_check_holds_or_does_not_and_tells_what_was_measured(expression: str, passed: bool, message: str) -> None:  # noqa: FBT001
    result = checked(expression)
    assert (result.passed, result.fail) == (passed, "block")
    assert result.message.startswith("check rule: ")
    assert message in result.message


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("count(*)", "it is not one value that is true or false"),
        ("delay > 1", "it is a condition on each row, not on the table"),
        ("count(*) > 1, true", "it is not one expression"),
        ("count(*) > 1; drop table data", "it is not one expression"),
        ("true; attach '/tmp/x.db'", "it is not one expression"),
        ("true as x", "it is not one expression"),
        ("true from data", "it is not one expression"),
        ("true where true", "it is not one expression"),
        ("true order by 1", "it is not one expression"),
        ("true union all select true", "it is not one expression"),
        ("1) = 1, (select 1", "syntax error"),
        ("count(* > 1", "syntax error"),
        (" ", "cannot be run"),
        ("cuont(*) > 1", "cuont"),
        ("sum(dealy) > 1", "dealy"),
        ("sum(carrier) > 1", "sum"),
        ("count(columns(*)) > 1", "it is not one value"),
        ("(with x as (select 1 as a) select max(a) from x) = 1", "it declares a table of its own"),
        ("(select count(*) from others) = 1", "it reads from others"),
    ],
)
def test_what_is_no_condition_on_the_table_is_refused_in_words(expression: str, told: str) -> None:
    with pytest.raises(DataError) as caught:
        checked(expression)
    assert caught.value.cause.startswith("check rule cannot be run: ")
    assert told in caught.value.cause
    assert len(caught.value.cause) < 400


HOSTILE = (
    "(select count(*) from read_text('{secret}')) > 0",
    "(select count(*) from read_blob('{secret}')) > 0",
    "(select count(*) from read_csv('{secret}', header = false)) > 0",
    "(select count(*) from '{secret}') > 0",
    "exists(from '{secret}.csv')",
    "exists(select 1 from data, read_text('{secret}'))",
    "exists(select 1 from data where exists(select * from read_text('{secret}')))",
    "count(*) > (select length(content) from read_text('{secret}'))",
    "(select count(*) from glob('/etc/*')) > 0",
    "(select count(*) from query('select 1')) > 0",
    "(select count(*) from query_table('secret')) > 0",
    "(select count(*) from duckdb_settings()) > 0",
    "(select count(*) from information_schema.tables) > 0",
    "(select count(*) from sqlite_master) > 0",
    "(select count(*) from secret) > 0",
    "getenv('SECRET') = 'x'",
    "true; copy (select 1) to '{target}'",
    "true; copy data to '{target}'",
    "true; install httpfs; load httpfs",
    "true; set enable_external_access = true",
    "true; pragma database_list",
    "true; export database '{target}'",
    "true; create table t as select 1",
    "set_config('enable_external_access', 'true', false) is null",
    "copy data to '{target}'",
    "pragma version",
    "load_extension('x') is null",
)


@pytest.mark.parametrize("expression", HOSTILE)
def test_an_expression_reaches_nothing_but_the_rows(tmp_path: Path, expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    secret, target = tmp_path / "secret.txt", tmp_path / "target"
    secret.write_text("open sesame")
    monkeypatch.setenv("SECRET", "open sesame")
    with pytest.raises(DataError) as caught:
        checked(expression.format(secret=secret, target=target))
    assert "open sesame" not in str(caught.value)
    assert not target.exists()


def test_an_expression_that_never_ends_is_stopped() -> None:
    endless = "(select sum(hash(a.x + b.y)) from (select unnest(range(3000000)) x) a, (select unnest(range(3000000)) y) b) = 1"
    with pytest.raises(DataError, match=r"takes longer than 0\.3 s"):
        run_checks([Check(name="slow", expr=endless)], ROWS.lazy(), time_limit=timedelta(seconds=0.3))


def test_an_expression_that_wants_all_memory_is_refused() -> None:
    greedy = "(select length(string_agg(repeat('x', 1000000), '')) from range(100000)) > 0"
    with pytest.raises(DataError, match="range"):
        checked(greedy)
    with pytest.raises(DataError, match="check rule cannot be run"):
        checked("length(repeat(max(carrier), 100000000000)) > 0")


def test_all_refused_expressions_are_told_at_once() -> None:
    checks = [Check(name="a", expr="count(* > 1"), Check(name="b", expr="count(*) > 1"), Check(name="c", expr="sum(dealy) > 1")]
    with pytest.raises(DataError) as caught:
        run_checks(checks, ROWS.lazy())
    assert "check a cannot be run" in caught.value.cause
    assert "check c cannot be run" in caught.value.cause
    assert "check b" not in caught.value.cause


def test_checks_end_in_their_order_with_what_a_failure_means() -> None:
    checks = [Check(name="few", expr="count(*) < 2", fail="warn"), Check(name="many", expr="count(*) > 2")]
    results = run_checks(checks, ROWS.lazy())
    assert [(result.name, result.passed, result.fail) for result in results] == [
        ("few", False, "warn"),
        ("many", True, "block"),
    ]
    assert run_checks([], ROWS.lazy()) == ()


def test_only_the_columns_that_are_named_are_read() -> None:
    def explode(batch: pl.Series) -> pl.Series:
        raise AssertionError(f"a column that no check names was read: {batch}")

    lazy = ROWS.lazy().with_columns(pl.col("carrier").map_batches(explode, return_dtype=pl.String))
    assert run_checks([Check(name="rule", expr="count(*) = 4 and sum(delay) = 40")], lazy)[0].passed
    assert run_checks([Check(name="rule", expr="count(*) = 4")], lazy)[0].passed


def test_text_that_looks_like_sql_stays_text(tmp_path: Path) -> None:
    frame = csv_table(tmp_path, 'a,b\n"x\'); drop table data; --",1\n')
    assert checked("max(a) = 'x''); drop table data; --'", frame).passed


def test_checks_on_real_flights_agree_with_polars(tmp_path: Path) -> None:
    frame = pl.read_csv(flights_csv(tmp_path), null_values="NA", columns=["arr_delay", "carrier"], infer_schema_length=None)
    missing = frame["arr_delay"].null_count() / frame.height
    result = checked("avg(arr_delay is null) < 0.02", frame)
    assert not result.passed
    assert f"is {missing:.6g}" in result.message
    assert checked("count(*) = 336776 and count(distinct carrier) = 16", frame).passed
