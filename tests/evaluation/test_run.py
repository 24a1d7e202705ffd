"""Judging as a run does it: steps of the pipeline, in processes of their own, on kept values."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

import gnomon
from gnomon.evaluation.dag import WARM_MODULES, evaluate_step, render_step
from gnomon.evaluation.gates import judge
from gnomon.pipeline.dag import Dag, FromStore, Step
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import keep_result, read_result
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec
from gnomon.runners.processes import ProcessRunner
from gnomon.runners.warm import Zygote
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import StepRecord
from gnomon.stores.records.memory import MemoryRecords
from tests.artifacts import make_artifact
from tests.evaluation.reports import report_of
from tests.evaluation.tables import ROWS, hurry, regression_table

ROOT = Path(gnomon.__file__).parent.parent
SPEC = ModelSpec.model_validate(
    {
        "task": "regression",
        "dataset": "d",
        "target": "y",
        "candidates": ({"algorithm": "ridge"},),
        "gates": ({"metric": "rmse", "against": "champion", "improveBy": "1%", "confidence": 0.95},),
    }
)


@pytest.fixture
def zygote() -> Iterator[Zygote]:
    zygote = Zygote(WARM_MODULES)
    yield zygote
    zygote.close()


def test_an_artifact_is_judged_in_a_process_of_its_own_and_not_twice(
    tmp_path: Path, zygote: Zygote, monkeypatch: pytest.MonkeyPatch
) -> None:
    objects, journal, store = DiskObjectStore(tmp_path / "objects"), MemoryRecords(), OciLayout(tmp_path / "artifacts")
    runner = ProcessRunner(1, zygote=zygote)
    candidate, champion = make_artifact(store), make_artifact(store, 2.0)
    kept = keep_result(
        {"table": regression_table(), "test": np.arange(ROWS // 2, ROWS), "facts": {"time": "at"}}, objects, tmp_path
    )
    prepare = {name: FromStore(Digest(each["digest"]), each["codec"]) for name, each in kept.items()}

    def carried_out(run: str, step: Step) -> StepRecord:
        records: Mapping[str, StepRecord] = execute(
            Dag((step,)),
            run=run,
            journal=journal,
            objects=objects,
            runner=runner,
            workspace=tmp_path / "work",
            clock=lambda: datetime.now(UTC),
            process=process_identity(),
        )
        assert records[step.name].error == ""
        return records[step.name]

    step = evaluate_step(SPEC, prepare, candidate, champion, tmp_path / "artifacts", ROOT)
    report: dict[str, Any] = read_result(carried_out("first", step).result or {}, "report", objects)
    assert report["comparison"]["rmse"]["improvement"] > 0.2
    assert [result.passed for result in judge(SPEC.gates, report)] == [True]
    assert carried_out("second", step).state == "cached"

    hurry(monkeypatch)
    whole = report_of(tmp_path / "artifacts", regression_table(), candidate, champion)
    page = carried_out("first", render_step(objects.put(msgspec.json.encode(whole)), ROOT)).result or {}
    assert objects.get(Digest(page["page"]["digest"])).startswith(b"<!doctype html>")
    runner.close()
    assert zygote.skipped == (), "a module that starts threads cannot be warm"
