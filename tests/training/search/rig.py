"""A search put together from real parts: a snapshot, a journal, a store, processes."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gnomon
from gnomon.data.snapshot import Snapshot, take_snapshot
from gnomon.data.sources import list_files
from gnomon.pipeline.dag import Dag, FromStore, Step
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import as_arguments, read_result
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec
from gnomon.runners.interface import Runner
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Journal, StepRecord
from gnomon.stores.records.memory import MemoryRecords
from gnomon.training.dag import training_steps
from gnomon.training.search.driver import Found, search
from tests.training.tables import RealTable

ROOT = Path(gnomon.__file__).parent.parent


def spec_of(table: RealTable, candidates: Sequence[Mapping[str, Any]], **more: Any) -> ModelSpec:
    """Return a model of a table."""
    declared = {"task": table.task, "dataset": "d", "target": table.target, "candidates": list(candidates), **more}
    return ModelSpec.model_validate(declared, strict=False)


@dataclass
class Rig:
    """A folder that holds a table, everything that was made of it, and the runs over it."""

    folder: Path
    runner: Runner
    table: RealTable
    journal: Journal = field(default_factory=MemoryRecords)
    said: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.objects = DiskObjectStore(self.folder / "objects")
        path = self.folder / "table.parquet"
        if not path.exists():
            self.table.frame.write_parquet(path)
            os.utime(path, (0, 0))
        self.dataset = DatasetSpec(source=Source(files=str(path)), time=self.table.time)
        taken = take_snapshot(self.dataset, list_files(self.dataset.source, ()), self.objects, _no_blobs)
        self.snapshot: tuple[Snapshot, Digest] = taken.snapshot, taken.digest

    def search(
        self,
        spec: ModelSpec,
        run: str = "run",
        clock: Callable[[], datetime] | None = None,
        earlier: Mapping[str, float] | None = None,
    ) -> "Searched":
        """Carry a search out."""
        work = _Work(self, run, clock or _now, earlier or {})
        steps = training_steps(spec, self.dataset, *self.snapshot, ROOT)
        return Searched(search(spec, steps, ROOT, work), work.ran)


@dataclass(frozen=True)
class Searched:
    """What a search found, and the state in which each of its steps ended."""

    found: Found
    steps: Mapping[str, str]

    @property
    def winner(self) -> str:
        """The name of the best candidate."""
        return self.found.ranked[0].name

    def row(self, name: str) -> Mapping[str, Any]:
        """Return what is told of a candidate."""
        return next(row for row in self.found.rows if row["name"] == name)

    def in_state(self, state: str) -> list[str]:
        """Return the fits that ended in a state."""
        return [name for name, ended in self.steps.items() if ended == state and name.startswith("fit-")]


@dataclass
class _Work:
    rig: Rig
    run: str
    now: Callable[[], datetime]
    earlier: Mapping[str, float]
    ran: dict[str, str] = field(default_factory=dict)

    @property
    def slots(self) -> int:
        return self.rig.runner.slots

    def execute(
        self, steps: Sequence[Step], stop: Callable[[], bool], observe: Callable[[StepRecord], None]
    ) -> Mapping[str, StepRecord]:
        ended = execute(
            Dag(tuple(steps)),
            run=self.run,
            journal=self.rig.journal,
            objects=self.rig.objects,
            runner=self.rig.runner,
            workspace=self.rig.folder / "work",
            clock=self.now,
            process=process_identity(),
            cancelled=stop,
            observe=observe,
        )
        self.ran.update({name: record.state for name, record in ended.items()})
        return ended

    def read(self, step: StepRecord, item: str) -> Any:
        return read_result(step.result or {}, item, self.rig.objects)

    def arguments(self, step: StepRecord) -> dict[str, FromStore]:
        return as_arguments(step.result or {}, self.rig.objects)

    def say(self, words: str) -> None:
        self.rig.said.append(words)


def _now() -> datetime:
    return datetime.now(UTC)


def _no_blobs(blob: str, path: Path) -> None:
    raise AssertionError(f"nothing of a repository is asked for, but {blob} for {path}")
