import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import polars as pl
import pytest

from gnomon.data.snapshot import TakenSnapshot, take_snapshot
from gnomon.data.sources import list_files
from gnomon.errors import NotFoundError
from gnomon.operator.quality_jobs import QualityJobs, quality_of, require_quality
from gnomon.operator.state import Intake
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.memory import MemoryRecords
from tests.data.tables import no_blob
from tests.operator.states import COMMIT, DATASET, MANIFESTS, desired_of

DESIRED = desired_of(MANIFESTS)


class Place:
    """Records, objects and a folder of data."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "data"
        self.data.mkdir()
        self.records = MemoryRecords()
        self.objects = DiskObjectStore(folder / "objects")
        self.measured = threading.Event()
        self.jobs = QualityJobs(self.records, self.objects, self.measured.set)

    def write(self, name: str, seed: int) -> None:
        """Write a file in which a column tells the target."""
        delay = np.random.default_rng(seed).normal(size=200)
        pl.DataFrame({"delay": delay, "late": delay * 60, "id": [f"{seed}-{row}" for row in range(200)]}).write_parquet(
            self.data / name
        )

    def take(self) -> TakenSnapshot:
        """Take a snapshot of all files."""
        spec = DatasetSpec(source=Source(files=f"{self.data}/*.parquet"))
        return take_snapshot(spec, list_files(spec.source, ()), self.objects, no_blob)

    def measure(self, taken: TakenSnapshot) -> dict[str, Any]:
        """Measure a snapshot and return its report."""
        self.measured.clear()
        self.jobs.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, taken.digest)})
        assert self.measured.wait(30)
        report: dict[str, Any] = msgspec.json.decode(self.objects.get(require_quality(self.records, DATASET)))
        return report


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.jobs.close()


def test_a_snapshot_is_measured_for_the_models_that_use_it(place: Place) -> None:
    place.write("1.parquet", 1)
    taken = place.take()
    report = place.measure(taken)
    assert report["snapshot"] == taken.digest
    assert report["rows"] == 200
    assert ("leakage", "late") in {(finding["kind"], finding["column"]) for finding in report["findings"]}
    kept = quality_of(place.records, DATASET)
    assert kept is not None
    assert kept["counts"] == report["counts"]


def test_a_file_that_is_there_already_is_not_scanned_again(place: Place) -> None:
    place.write("1.parquet", 1)
    first = place.take()
    place.measure(first)
    place.write("2.parquet", 2)
    second = place.take()
    # Scanning the first file again would fail.
    place.objects.path(first.snapshot.files[0].digest).unlink()
    report = place.measure(second)
    assert report["rows"] == 400
    assert report["snapshot"] == second.digest


def test_the_same_snapshot_is_measured_once(place: Place) -> None:
    place.write("1.parquet", 1)
    taken = place.take()
    place.measure(taken)
    before = quality_of(place.records, DATASET)
    place.measured.clear()
    place.jobs.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, taken.digest)})
    assert not place.measured.is_set()
    again = QualityJobs(place.records, place.objects, place.measured.set)  # as after a restart
    place.objects.path(taken.snapshot.files[0].digest).unlink()
    again.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, taken.digest)})
    assert place.measured.wait(30)
    again.close()
    assert quality_of(place.records, DATASET) == before


def test_data_that_cannot_be_measured_leaves_the_last_report(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    place.write("1.parquet", 1)
    place.measure(place.take())
    before = quality_of(place.records, DATASET)
    place.write("1.parquet", 3)
    lost = place.take()
    place.objects.path(lost.snapshot.files[0].digest).unlink()
    place.measured.clear()
    place.jobs.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, lost.digest)})
    assert place.measured.wait(30)
    assert "quality_not_measured" in caplog.text
    assert quality_of(place.records, DATASET) == before


def test_without_a_snapshot_there_is_nothing_to_show(place: Place) -> None:
    place.jobs.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, None)})
    place.jobs.want(DESIRED, {})
    with pytest.raises(NotFoundError, match="no quality report yet"):
        require_quality(place.records, DATASET)


def test_closing_ends_a_measurement_between_two_files(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        place.write(f"{number}.parquet", number)
    taken = place.take()
    started, go_on = threading.Event(), threading.Event()
    path = place.objects.path

    def slow(digest: Any) -> Path:
        started.set()
        assert go_on.wait(30)
        return path(digest)

    monkeypatch.setattr(place.objects, "path", slow)
    place.jobs.want(DESIRED, {DATASET: Intake("s", "f", COMMIT, taken.digest)})
    assert started.wait(30)
    closing = threading.Thread(target=place.jobs.close)
    closing.start()
    deadline = time.monotonic() + 30
    while not place.jobs._closing.is_set() and time.monotonic() < deadline:
        time.sleep(0.005)
    go_on.set()
    closing.join(30)
    assert not closing.is_alive()
    assert quality_of(place.records, DATASET) is None
