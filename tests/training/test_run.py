"""A whole run, as the operator makes it: a snapshot, the pipeline, processes of their own, a refit."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

import gnomon
from gnomon.data.snapshot import take_snapshot
from gnomon.data.sources import list_files
from gnomon.inference.golden import GoldenRows
from gnomon.inference.replay import replay
from gnomon.inference.session import Predictor
from gnomon.inference.signature import Signature
from gnomon.pipeline.dag import Dag
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import as_arguments, read_result
from gnomon.resources.dataset import DatasetSpec, Source
from gnomon.resources.model import ModelSpec
from gnomon.runners.processes import ProcessRunner
from gnomon.runners.warm import Zygote
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import StepRecord
from gnomon.stores.records.memory import MemoryRecords
from gnomon.training.candidates import expand
from gnomon.training.dag import PREPARED_ITEMS, WARM_MODULES, refit_step, training_steps
from gnomon.training.selection import ranked_reports
from tests.training.tables import real_table

ROOT = Path(gnomon.__file__).parent.parent
SPEC = ModelSpec.model_validate(
    {
        "task": "regression",
        "dataset": "flights",
        "target": "arr_delay",
        "candidates": [
            {"algorithm": "ridge", "search": {"alpha": [1, 100]}},
            {"algorithm": "lightgbm", "params": {"n_estimators": 20}},
        ],
    },
    strict=False,
)


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote(WARM_MODULES)
    yield zygote
    zygote.close()


def test_a_run_trains_in_processes_and_is_not_repeated(tmp_path: Path, zygote: Zygote) -> None:
    runner = ProcessRunner(2, zygote=zygote)
    objects, journal = DiskObjectStore(tmp_path / "objects"), MemoryRecords()
    real_table("delays").frame.write_parquet(tmp_path / "flights.parquet")
    os.utime(tmp_path / "flights.parquet", (0, 0))
    dataset = DatasetSpec(source=Source(files=str(tmp_path / "*.parquet")), time="scheduled_at")
    taken = take_snapshot(dataset, list_files(dataset.source, ()), objects, _no_blobs)

    def carried_out(run: str, *steps: Any) -> dict[str, StepRecord]:
        records = execute(
            Dag(steps),
            run=run,
            journal=journal,
            objects=objects,
            runner=runner,
            workspace=tmp_path / "work",
            clock=lambda: datetime.now(UTC),
            process=process_identity(),
        )
        assert {record.error for record in records.values()} == {""}
        return dict(records)

    steps = training_steps(SPEC, dataset, taken.snapshot, taken.digest, ROOT)
    records = carried_out("first", *steps)
    reports = [
        {**read_result(records[f"fit-{plan.name}"].result or {}, "report", objects), "candidate": plan.name}
        for plan in expand(SPEC)
    ]
    best = ranked_reports(SPEC, reports)[0]
    assert {report["parity"]["verdict"] for report in reports} == {"exact"}

    prepared = as_arguments(records["prepare"].result or {}, objects)
    assert {item: kept.codec for item, kept in prepared.items()} == PREPARED_ITEMS
    plan = next(plan for plan in expand(SPEC) if plan.name == best["candidate"])
    made = carried_out("first", refit_step(SPEC, plan, prepared, ROOT))[f"refit-{plan.name}"].result or {}
    model, signature, golden = (read_result(made, item, objects) for item in ("model", "signature", "golden"))
    replay(Predictor(model, msgspec.convert(signature, Signature)), msgspec.convert(golden, GoldenRows))

    again = carried_out("second", *steps)
    assert {record.state for record in again.values()} == {"cached"}
    runner.close()
    assert zygote.skipped == (), "a module that starts threads cannot be warm"


def _no_blobs(blob: str, path: Path) -> None:
    raise AssertionError(f"nothing of a repository is asked for, but {blob} for {path}")
