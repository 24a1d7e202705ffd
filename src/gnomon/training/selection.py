"""Reports of candidates become the choice of one, by the model's metric on the validation rows."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gnomon.resources.learning import DEFAULT_METRICS, Metric
from gnomon.resources.model import ModelSpec

LOSSES: frozenset[Metric] = frozenset(
    {
        "rmse",
        "mae",
        "mape",
        "smape",
        "mase",
        "logLoss",
        "brier",
        "calibrationError",
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


def oriented(metric: Metric, metrics: Mapping[str, float]) -> float | None:
    """Return a figure of which less is better, or None where it was not measured or is not finite."""
    value = metrics.get(metric)
    if value is None or not math.isfinite(value):
        return None
    return float(value) if metric in LOSSES else -float(value)


def ranked_reports(spec: ModelSpec, reports: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the reports that have the metric on the validation rows, the best first; equal ones keep their order."""
    metric = selection_metric(spec)
    scored = [(score, report) for report in reports if (score := oriented(metric, report["metrics"])) is not None]
    return [report for _, report in sorted(scored, key=lambda pair: pair[0])]
