"""``ours.py``: our search in the folder of the work, steps in processes of their own, and the exported winner's answers."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

import gnomon
from gnomon.data.snapshot import take_snapshot
from gnomon.data.sources import list_files
from gnomon.inference.session import Predictor
from gnomon.inference.signature import Signature
from gnomon.pipeline.dag import Dag, FromStore, Step
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import as_arguments, read_result
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.resources.model import ModelSpec
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import StepRecord
from gnomon.stores.records.sql import open_sqlite
from gnomon.training.dag import WARM_MODULES, refit_step, training_steps
from gnomon.training.matrices import matrices_of
from gnomon.training.preparation import Facts, target_values
from gnomon.training.search.driver import search

_ROOT = Path(gnomon.__file__).parent.parent
_SLOTS = 2


class _Run:
    """What a search needs of its run."""

    slots = _SLOTS
    earlier: Mapping[str, float] = {}

    def __init__(self, folder: Path) -> None:
        self.objects = DiskObjectStore(folder / "state" / "objects")
        self.journal = open_sqlite(folder / "state" / "records.db")
        self.runner = ProcessRunner(_SLOTS, WARM_MODULES)
        self.workspace = folder / "state" / "work"
        self.cpu_s: dict[str, float] = {}

    def execute(
        self, steps: Sequence[Step], stop: Callable[[], bool], observe: Callable[[StepRecord], None]
    ) -> Mapping[str, StepRecord]:
        """Run steps."""
        ended = execute(
            Dag(tuple(steps)),
            run="bench",
            journal=self.journal,
            objects=self.objects,
            runner=self.runner,
            workspace=self.workspace,
            clock=self.now,
            process=process_identity(),
            cancelled=stop,
            observe=observe,
        )
        for step in ended.values():
            assert not step.error, f"{step.name}: {step.error}"
            self.cpu_s[step.name] = step.cpu_s
        return ended

    def read(self, step: StepRecord, item: str) -> Any:
        """Return an item of what a step gave."""
        return read_result(step.result or {}, item, self.objects)

    def arguments(self, step: StepRecord) -> dict[str, FromStore]:
        """Return what a step gave as arguments of later ones."""
        return as_arguments(step.result or {}, self.objects)

    def now(self) -> datetime:
        """Return the time."""
        return datetime.now(UTC)

    def say(self, words: str) -> None:
        """Say nothing."""


def main() -> None:
    """Search, refit, answer the rows that judge, and print what came of it."""
    folder = Path.cwd()
    run = _Run(folder)
    spec = ModelSpec.model_validate(json.loads((folder / "model.json").read_text()), strict=False)
    dataset = DatasetSpec(source=Source(files=str(folder / "flights.parquet")), time="scheduled_at")
    taken = take_snapshot(dataset, list_files(dataset.source, ()), run.objects, _no_blobs)
    began = time.perf_counter()
    found = search(spec, training_steps(spec, dataset, taken.snapshot, taken.digest, _ROOT), _ROOT, run)
    searched_s = time.perf_counter() - began
    prepared = run.arguments(found.prepare)
    step = refit_step(spec, found.ranked[0], prepared, _ROOT)
    refitted = run.execute((step,), lambda: False, lambda _: None)[step.name]
    wall_s = time.perf_counter() - began
    model, signature = run.read(refitted, "model"), msgspec.convert(run.read(refitted, "signature"), Signature)
    facts = msgspec.convert(run.read(found.prepare, "facts"), Facts)
    table, test = run.read(found.prepare, "table"), run.read(found.prepare, "test")
    actual = target_values(table, facts)[test]
    answers = Predictor(model, signature).predict(matrices_of(table, facts.inputs).take(np.array(test)).feed)
    np.save(folder / "ours.npy", answers["probabilities"][:, 1])
    np.save(folder / "judged.npy", actual)
    sys.stdout.write(
        json.dumps(
            {
                "winner": found.ranked[0].name,
                "validation": {row["name"]: row["metrics"].get("logLoss") for row in found.rows},
                "rungs": [len(rung) for rung in found.record["rungs"]],
                "searched_s": searched_s,
                "wall_s": wall_s,
                "steps_cpu_s": sum(run.cpu_s.values()),
                "refit_cpu_s": run.cpu_s[step.name],
            }
        )
        + "\n"
    )
    run.runner.close()
    run.journal.close()


def _no_blobs(blob: str, path: Path) -> None:
    raise AssertionError(f"nothing of a repository is asked for, but {blob} for {path}")


if __name__ == "__main__":
    main()
