"""Reports of candidates become the choice of one, by the model's metric on the validation rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.resources.model import DEFAULT_METRICS, Metric, ModelSpec

LOSSES: frozenset[Metric] = frozenset(
    {
        "rmse",
        "mae",
        "mape",
        "smape",
        "mase",
        "logLoss",
        "daviesBouldin",
        "reconstructionError",
        "shareError",
        "anomalyShare",
    }
)
"""Metrics of which less is better; of the others more is."""


def selection_metric(spec: ModelSpec) -> Metric:
    """Return the metric that chooses between candidates."""
    if spec.metric is not None:
        return spec.metric
    return "shareError" if spec.task == "anomaly" and spec.target is None else DEFAULT_METRICS[spec.task]


def ranked_reports(spec: ModelSpec, reports: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the reports that have the metric on the validation rows, the best first; equal ones keep their order."""
    metric = selection_metric(spec)
    sign = 1 if metric in LOSSES else -1
    measured = [report for report in reports if _is_measured(report["metrics"].get(metric))]
    return sorted(measured, key=lambda report: sign * float(report["metrics"][metric]))


def _is_measured(value: float | None) -> bool:
    """Whether a metric has a figure that can be compared."""
    return value is not None and math.isfinite(value)
