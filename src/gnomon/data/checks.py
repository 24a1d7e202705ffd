"""Declared SQL expressions are evaluated over the table ``data`` by DuckDB, which can reach nothing else.

The database is in memory, without access to files, network or extensions, and its settings are locked.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

import duckdb
import polars as pl

from gnomon.data.expressions import Expression, parse, refused, shortened
from gnomon.errors import DataError
from gnomon.resources.dataset import Check

_TIME_LIMIT = timedelta(seconds=60)
_MEMORY_LIMIT = "2GiB"
_MOST_THREADS = 4


@dataclass(frozen=True)
class CheckResult:
    """How one check ended. ``message`` holds the measured value where the expression is a comparison."""

    name: str
    passed: bool
    fail: Literal["block", "warn"]
    message: str


def run_checks(checks: Sequence[Check], frame: pl.LazyFrame, *, time_limit: timedelta = _TIME_LIMIT) -> tuple[CheckResult, ...]:
    """Return how each check ends on the rows of ``frame``. Only the columns that the checks name are read.

    Timestamps are in UTC; the mean of a condition is the share of rows in which it holds. ``time_limit`` is for each check.

    Raises:
        DataError: An expression is not one boolean expression over ``data``, or DuckDB refuses it; all of them at once.
    """
    if not checks:
        return ()
    schema = frame.collect_schema()
    booleans = [name for name, dtype in schema.items() if dtype == pl.Boolean()]
    results: list[CheckResult] = []
    errors: list[DataError] = []
    with _sandbox() as database:
        parsed: list[tuple[Check, Expression]] = []
        for check in checks:
            try:
                parsed.append((check, parse(check, booleans, database)))
            except DataError as error:
                errors.append(error)
        _register(frame, schema.names(), [expression for _, expression in parsed], database)
        for check, expression in parsed:
            try:
                results.append(_run(check, expression, database, time_limit))
            except DataError as error:
                errors.append(error)
    if errors:
        raise DataError("; ".join(error.cause for error in errors), errors[0].mend)
    return tuple(results)


@contextmanager
def _sandbox() -> Iterator[duckdb.DuckDBPyConnection]:
    settings: dict[str, Any] = {
        "enable_external_access": False,
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        # Python variables are no tables.
        "python_enable_replacements": False,
        "threads": min(_MOST_THREADS, os.cpu_count() or 1),
        "memory_limit": _MEMORY_LIMIT,
    }
    with duckdb.connect(":memory:", config=settings) as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute("SET lock_configuration = true")
        yield database


def _register(
    frame: pl.LazyFrame, names: Sequence[str], expressions: Sequence[Expression], database: duckdb.DuckDBPyConnection
) -> None:
    wanted = {
        name for expression in expressions for name in names if expression.columns is None or name.lower() in expression.columns
    }
    rows = frame.select([name for name in names if name in wanted] or names[:1]).collect(engine="streaming")
    # DuckDB compares timestamps without a zone as they are; all of ours are in UTC.
    database.register("data", rows.with_columns(pl.selectors.datetime().dt.replace_time_zone(None)).to_arrow())


def _run(check: Check, expression: Expression, database: duckdb.DuckDBPyConnection, time_limit: timedelta) -> CheckResult:
    # As text, values need no conversion to Python, and look as they do in SQL.
    sides = "".join(f", CAST({sql} AS VARCHAR)" for _, sql in expression.sides)
    query = f"SELECT {expression.sql}{sides}"
    timer = threading.Timer(time_limit.total_seconds(), database.interrupt)
    timer.start()
    try:
        rows, types = _answer(f"{query} FROM data LIMIT 2", database)
        if len(rows) > 1:
            rows, types = _answer_without_rows(check, query, database)
    except duckdb.InterruptException as error:
        raise refused(check, f"it takes longer than {time_limit.total_seconds():g} s", "write a cheaper expression") from error
    except duckdb.Error as error:
        raise refused(check, shortened(str(error)), "correct the expression") from error
    finally:
        timer.cancel()
    if len(types) != 1 + len(expression.sides) or types[0] != "BOOLEAN":
        raise refused(check, "it is not one value that is true or false")
    passed, *measured = rows[0]
    return CheckResult(check.name, passed is True, check.fail, _message(check, expression, passed, measured))


def _answer(query: str, database: duckdb.DuckDBPyConnection) -> tuple[list[tuple[Any, ...]], list[str]]:
    answer = database.execute(query)
    types = [str(column[1]) for column in answer.description]
    return answer.fetchall(), types


def _answer_without_rows(
    check: Check, query: str, database: duckdb.DuckDBPyConnection
) -> tuple[list[tuple[Any, ...]], list[str]]:
    """Answer an expression whose subqueries do all the reading; any other that gives a value for each row is refused."""
    try:
        return _answer(query, database)
    except duckdb.BinderException as error:
        mend = f"write bool_and({check.expr}) for what must hold in every row, or compare an aggregate"
        raise refused(check, "it is a condition on each row, not on the table", mend) from error


def _message(check: Check, expression: Expression, passed: bool | None, measured: Sequence[str | None]) -> str:  # noqa: FBT001
    verdict = {True: "holds", False: "does not hold", None: "is neither true nor false, as a value is missing"}[passed]
    told = f"check {check.name}: {check.expr} {verdict}"
    sides = [
        f"{side} is {_shown(value)}"
        for (side, _), value in zip(expression.sides, measured, strict=True)
        if not side.startswith(("'", "CAST('", *"0123456789.-"))
    ]
    return f"{told}: {', '.join(sides)}" if sides else told


def _shown(value: str | None) -> str:
    if value is None:
        return "missing"
    try:
        return f"{float(value):.6g}" if "." in value else value
    except ValueError:
        return shortened(value)
