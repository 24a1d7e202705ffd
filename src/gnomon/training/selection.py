"""Reports of candidates become the choice of one, by the model's metric on the validation rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.errors import TrainingError
from gnomon.resources.model import Metric, ModelSpec

LOSSES: frozenset[Metric] = frozenset({"rmse", "mae", "logLoss"})
"""Metrics of which less is better; of the others more is."""


def selection_metric(spec: ModelSpec) -> Metric:
    """Return the metric that chooses between candidates."""
    return spec.metric or ("rmse" if spec.task == "regression" else "logLoss")


def best_report(spec: ModelSpec, reports: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Return the report of the best candidate; of equal ones, the first.

    Raises:
        TrainingError: No candidate has the metric on the validation rows.
    """
    metric = selection_metric(spec)
    measured = [report for report in reports if metric in report["metrics"]]
    if not measured:
        raise TrainingError(
            f"no candidate has a {metric} on the validation rows",
            f"choose another metric for a {spec.task}, or more validation rows",
        )
    sign = 1 if metric in LOSSES else -1
    return min(measured, key=lambda report: sign * report["metrics"][metric])
