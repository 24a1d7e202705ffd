"""Whole reports of real artifacts, as pages and programs get them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from gnomon.evaluation.gates import judge
from gnomon.evaluation.report import build_report
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord
from tests.evaluation.tables import judged

SNAPSHOT = Digest("sha256:" + "5" * 64)
STARTED = datetime(2026, 11, 22, 17, 30, tzinfo=UTC)


def candidate(name: str, value: float | None, error: str = "") -> dict[str, Any]:
    """Return a candidate's row as a run writes it."""
    fitted = not error
    return {
        "name": name,
        "algorithm": "ridge",
        "params": {"alpha": 1.0} if fitted else {},
        "state": "fitted" if fitted else "failed",
        "metrics": {"rmse": value, "logLoss": value} if fitted else {},
        "parity": {"verdict": "tolerant", "rows": 1200, "differing": 3, "maxDifference": 1e-4} if fitted else {},
        "error": error,
        "cpuSeconds": 0.25,
    }


def report_of(layout: Path, table: pa.Table, artifact: Digest, champion: Digest | None, gates: Any = ()) -> dict[str, Any]:
    """Return the report of a run whose winner is ``best``."""
    regression = "y" in table.column_names
    model = Model.model_validate(
        {
            "metadata": {"name": "arrival-delay", "namespace": "pricing"},
            "spec": {
                "task": "regression" if regression else "classification",
                "dataset": "flights",
                "target": "y" if regression else "label",
                "candidates": ({"algorithm": "ridge" if regression else "logistic"},),
                "gates": tuple(gates),
            },
        }
    )
    run = RunRecord(
        id="01JD7Q5",
        owner=model.key,
        fingerprint="f" * 64,
        revision=Revision("c" * 40),
        snapshot=SNAPSHOT,
        state="running",
        reason="",
        message="",
        started_at=STARTED,
        champion=champion,
    )
    evaluation = judged(layout, table, artifact, champion, facts={"time": "at"})
    return build_report(
        run=run,
        model=model,
        candidates=[
            candidate("worse", 0.9),
            candidate("best", 0.5),
            candidate("broken", None, "the rows do not suffice (add rows)"),
        ],
        winner="best",
        refit={
            "parity": {"verdict": "exact", "rows": 900, "differing": 0, "maxDifference": 0.0},
            "libraries": {"onnx": "1.23.2"},
        },
        artifact=artifact,
        evaluation=evaluation,
        gates=judge(model.spec.gates, evaluation),
    )
