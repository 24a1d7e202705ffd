"""Sources outside Git: when they are looked at, and that nothing is read again that has not changed."""

import os
import sqlite3
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.errors import StoreError
from gnomon.operator.outside import OutsideSources
from gnomon.resources.base import Metadata
from gnomon.resources.dataset import Dataset, DatasetSpec, FromEnvironment, Source, Sql
from gnomon.resources.identity import ResourceKey
from gnomon.stores.records.memory import MemoryRecords
from tests.operator.rig import DEADLINE_S, Rig

SALES = ResourceKey("Dataset", "default", "sales")
INTERVAL = timedelta(seconds=30)
SHOP = """
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {name: sales}
spec:
  source: {sql: {url: "sqlite:///SHOP", query: "select id, price from sales order by id"}}
  refresh: 10m
"""


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 4, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def dataset(source: Source, **spec: Any) -> Dataset:
    return Dataset(metadata=Metadata(name="sales"), spec=DatasetSpec(source=source, **spec))


def query(**spec: Any) -> Dataset:
    return dataset(Source(sql=Sql(url="duckdb:////srv/none", query="select 1")), **spec)


def test_a_query_is_new_each_hour_or_when_somebody_asks_and_a_start_asks_nothing() -> None:
    records, clock = MemoryRecords(), Clock()
    outside = OutsideSources(records, clock, lambda: None)

    def seen(others: OutsideSources = outside) -> str:
        return others.seen([query()], INTERVAL)[SALES].fingerprint

    first = seen()
    assert outside.look_again(clock()) == timedelta(hours=1)
    clock.now += timedelta(minutes=59)
    assert seen() == first
    assert seen(OutsideSources(records, clock, lambda: None)) == first
    outside.ask(SALES)
    asked = seen()
    assert asked != first
    assert seen() == asked
    clock.now += timedelta(hours=1)
    assert seen() not in {first, asked}
    assert outside.seen([query(suspend=True)], INTERVAL)[SALES].fingerprint == seen()
    assert outside.seen([], INTERVAL) == {}
    assert outside.look_again(clock()) == timedelta.max
    outside.ask(SALES)


def test_an_address_that_is_missing_is_an_error_until_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    outside = OutsideSources(MemoryRecords(), Clock(), lambda: None)
    declared = dataset(Source(sql=Sql(url=FromEnvironment(env="SALES_URL"), query="select 1")))
    assert "has no SALES_URL" in outside.seen([declared], INTERVAL)[SALES].error
    monkeypatch.setenv("SALES_URL", "postgresql://me:hush@db/shop")
    found = outside.seen([declared], INTERVAL)[SALES]
    assert found.fingerprint
    assert "hush" not in repr(found)


def test_files_of_the_machine_are_looked_at_in_every_pass_or_as_often_as_declared(tmp_path: Path) -> None:
    clock = Clock()
    outside = OutsideSources(MemoryRecords(), clock, lambda: None)
    always, seldom = (
        dataset(Source(files=f"{tmp_path}/*.csv")),
        dataset(Source(files=f"{tmp_path}/*.csv"), refresh=timedelta(hours=1)),
    )
    assert "matches no file" in outside.seen([seldom], INTERVAL)[SALES].error
    (tmp_path / "a.csv").write_text("a\n1\n")
    os.utime(tmp_path / "a.csv", (1, 1))
    assert outside.seen([seldom], INTERVAL)[SALES].error
    assert outside.look_again(clock()) == timedelta(hours=1)
    clock.now += timedelta(hours=1)
    assert outside.seen([seldom], INTERVAL)[SALES].fingerprint
    assert outside.seen([always], INTERVAL)[SALES] == outside.seen([seldom], INTERVAL)[SALES]


def test_objects_are_listed_beside_the_passes_and_wake_the_loop_when_they_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, woken, listings = Clock(), threading.Semaphore(0), list[str]()
    answers: dict[str, Any] = {"files": ()}
    may_answer = threading.Event()

    def listed(source: Source, _: object) -> Any:
        listings.append(source.files or "")
        assert may_answer.wait(DEADLINE_S)
        if isinstance(answers["files"], Exception):
            raise answers["files"]
        return answers["files"]

    monkeypatch.setattr("gnomon.operator.outside.list_files", listed)
    outside = OutsideSources(MemoryRecords(), clock, woken.release)
    declared = dataset(Source(files="s3://rows/*.csv"))
    assert outside.seen([declared], INTERVAL)[SALES].is_pending
    assert outside.seen([declared], INTERVAL)[SALES].is_pending
    may_answer.set()
    assert woken.acquire(timeout=DEADLINE_S)
    found = outside.seen([declared], INTERVAL)[SALES]
    assert (found.is_pending, len(listings), outside.look_again(clock())) == (False, 1, INTERVAL)

    answers["files"] = StoreError("s3://rows cannot be reached", "again")
    outside.ask(SALES)
    outside.seen([declared], INTERVAL)
    assert woken.acquire(timeout=DEADLINE_S)
    assert "cannot be reached" in outside.seen([declared], INTERVAL)[SALES].error
    outside.close()


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    yield rig
    rig.close()


def change(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def test_a_query_runs_when_it_is_due_and_the_same_rows_are_the_same_snapshot(rig: Rig, tmp_path: Path) -> None:
    shop = tmp_path / "shop.db"
    change(shop, "create table sales (id integer, price real)")
    change(shop, "insert into sales values (1, 2.5)")
    rig.push({"sales.yaml": SHOP.replace("SHOP", str(shop))})
    rig.until(lambda: rig.reason(SALES).startswith("True SnapshotTaken: 1 rows"))
    first = rig.reason(SALES)
    again = rig.assembly.operator.run_pass()
    assert timedelta(minutes=9) < again <= timedelta(minutes=10)

    # Due again, with the same rows.
    rig.clock.now += timedelta(minutes=11)
    rig.until(lambda: rig.reason(SALES).startswith("Unknown ReadingData") or rig.reason(SALES) == first)
    rig.until(lambda: rig.reason(SALES) == first)

    # Asked for, with other rows.
    change(shop, "insert into sales values (2, 3.5)")
    rig.assembly.operator.run_pass()
    assert rig.reason(SALES) == first
    rig.assembly.operator.look_at(SALES)
    rig.until(lambda: rig.reason(SALES).startswith("True SnapshotTaken: 2 rows"))

    # A column that is gone stops it; the last good snapshot stays, until the change is meant.
    second = rig.reason(SALES)
    change(shop, "alter table sales rename column price to cost")
    renamed = SHOP.replace("SHOP", str(shop)).replace("id, price", "*")
    rig.push({"sales.yaml": renamed})
    rig.until(lambda: rig.reason(SALES).startswith("False DataRefused"))
    assert "lacks price and has besides cost" in rig.reason(SALES)
    record = rig.assembly.records.resource(SALES)
    assert record is not None
    assert str(record.status.details["snapshot"])[:19] in second
    rig.push({"sales.yaml": f"{renamed.rstrip()}\n  accept: [price, cost]\n"})
    rig.until(lambda: rig.reason(SALES).startswith("True SnapshotTaken: 2 rows"))
    assert list((rig.home.scratch).iterdir()) == []
