"""Prepared tables whose answers by the artifacts of ``tests.artifacts`` are known."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from gnomon.evaluation.steps import evaluate

ROWS = 400


def regression_table(noise: float = 1.0) -> pa.Table:
    """Return rows with ``y = x + noise``, which a weight of 1 answers best."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=ROWS)
    return pa.table(
        {
            "x": x,
            "count": pa.array([None if row % 5 == 0 else row for row in range(ROWS)], pa.int64()),
            "at": pa.array(np.arange(ROWS) * 3_600_000_000, pa.timestamp("us", "UTC")),
            "y": x + noise * rng.normal(size=ROWS),
        }
    )


def classification_table() -> pa.Table:
    """Return rows whose label is what the classifier answers, but for every tenth."""
    late = [None if row % 7 == 0 else row % 2 == 0 for row in range(ROWS)]
    label = ["yes" if value else "no" for value in late]
    label[::10] = ["no" if name == "yes" else "yes" for name in label[::10]]
    return pa.table(
        {
            "late": pa.array(late, pa.bool_()),
            "at": pa.array([-1 - row if row % 3 else None for row in range(ROWS)], pa.timestamp("us", "UTC")),
            "city": pa.array([None if row % 4 == 0 else "Bern" for row in range(ROWS)]),
            "label": label,
        }
    )


def judged(layout: Path, table: pa.Table, artifact: str, champion: str | None = None, **given: Any) -> dict[str, Any]:
    """Return the report of an artifact on the newer half of the rows."""
    regression = "y" in table.column_names
    asked = {
        "target": "y" if regression else "label",
        "metric": "rmse" if regression else "logLoss",
        "compare": ["rmse", "logLoss"],
        "seed": 7,
    }
    test = given.pop("test", np.arange(table.num_rows // 2, table.num_rows))
    facts = given.pop("facts", {})
    result = evaluate(
        table=table, test=test, facts=facts, artifact=artifact, champion=champion, layout=str(layout), asked=asked | given
    )
    report: dict[str, Any] = result["report"]
    return report


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let latency be timed over a few runs, in tests that are about something else."""
    monkeypatch.setattr("gnomon.evaluation.predictions._ROUND", 20)
    monkeypatch.setattr("gnomon.evaluation.predictions._WARM_UP", 1)
