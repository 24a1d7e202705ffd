"""What a run says of itself: one JSON document from which the page, the release commit and programs take their figures.

``docs/evaluation.md`` lists its keys.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from gnomon.evaluation.gate_result import GateResult
from gnomon.evaluation.gates import format_verdict
from gnomon.resources.identity import Digest
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord
from gnomon.training.selection import selection_metric

REPORT_FORMAT = "gnomon.dev/report/v1"

_MEASURED = (
    "metrics",
    "latency",
    "champion",
    "comparison",
    "baseline",
    "slices",
    "worstSlices",
    "importance",
    "dependence",
    "plots",
)
_TEST = ("rows", "rowsWithoutTarget", "resamples", "block", "level", "seed")


def build_report(
    *,
    run: RunRecord,
    model: Model,
    candidates: Sequence[Mapping[str, Any]],
    winner: str,
    refit: Mapping[str, Any],
    artifact: Digest,
    evaluation: Mapping[str, Any],
    gates: Sequence[GateResult],
) -> dict[str, Any]:
    """Return the report of a judged run, as plain JSON values.

    Args:
        run: The run. The report does not tell when it ended: it is made before that.
        model: What was trained.
        candidates: One row for each candidate: name, algorithm, params, state, metrics on the validation rows, parity, error.
        winner: Name of the candidate that was refitted and packed.
        refit: What the refit said of itself: what the fit found, parity, library versions.
        artifact: The packed winner.
        evaluation: What ``evaluation.steps.evaluate`` measured.
        gates: What ``evaluation.gates.judge`` made of it.
    """
    spec = model.spec
    chosen: Mapping[str, Any] = next((row for row in candidates if row["name"] == winner), {})
    return {
        "format": REPORT_FORMAT,
        "run": {"id": run.id, "fingerprint": run.fingerprint, "startedAt": run.started_at.isoformat()},
        "model": {
            "namespace": model.metadata.namespace,
            "name": model.metadata.name,
            "task": spec.task,
            "target": spec.target,
            "metric": selection_metric(spec),
            "classes": list(evaluation["classes"]),
            "spec": spec.json_spec(),
        },
        "revision": run.revision,
        "snapshot": run.snapshot,
        **({"window": dict(run.summary["window"])} if "window" in run.summary else {}),
        "artifact": artifact,
        "candidates": [dict(row) for row in candidates],
        "winner": {
            "name": winner,
            "algorithm": chosen.get("algorithm", refit.get("algorithm", "")),
            "params": dict(chosen.get("params", refit.get("params", {}))),
            "found": dict(refit.get("found", {})),
            "parity": dict(refit.get("parity", {})),
            "libraries": dict(refit.get("libraries", {})),
        },
        "test": {key: evaluation[key] for key in _TEST},
        **{key: evaluation[key] for key in _MEASURED},
        "gates": [asdict(gate) for gate in gates],
        "verdict": {"passed": all(gate.passed for gate in gates), "message": format_verdict(gates)},
    }
