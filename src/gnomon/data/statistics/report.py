"""Figures and findings become the quality report of a snapshot: plain JSON values, the same for the same snapshot."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np

from gnomon.data.statistics.columns import ColumnFigures, Numbers
from gnomon.data.statistics.findings import findings
from gnomon.data.statistics.relations import relations
from gnomon.data.statistics.scan import Figures
from gnomon.data.statistics.sketches import ACCURACY
from gnomon.resources.dataset import DatasetSpec

REPORT_FORMAT = 1
_QUANTILES = {"p01": 0.01, "p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99}
_BARS = 30
_SHOWN_VALUES = 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def quality_report(dataset: str, snapshot: str, figures: Figures, spec: DatasetSpec, targets: Sequence[str]) -> dict[str, Any]:
    """Return the report of a snapshot; ``docs/data-quality.md`` lists its keys.

    Args:
        dataset: ``namespace/name``.
        snapshot: Digest of the snapshot.
        figures: What was measured.
        spec: What is declared.
        targets: The columns that models predict from this data; those that it lacks are passed over.
    """
    names = {column.name for column in figures.columns}
    related = {target: relations(figures, target) for target in dict.fromkeys(targets) if target in names}
    found = findings(figures, spec, related)
    return {
        "format": REPORT_FORMAT,
        "dataset": dataset,
        "snapshot": snapshot,
        "rows": figures.rows,
        "sampledRows": len(figures.sample.hashes),
        "quantileAccuracy": ACCURACY,
        "duplicates": {"share": round(figures.sample.duplicates, 6), "exact": figures.sample.is_exact},
        "time": _time(figures, spec.time),
        "findings": [msgspec.to_builtins(finding) for finding in found],
        "counts": {level: sum(one.severity == level for one in found) for level in ("error", "warning", "info")},
        "columns": [_column(column) for column in figures.columns],
        "relations": {target: [msgspec.to_builtins(one) for one in each] for target, each in related.items()},
    }


def _time(figures: Figures, name: str | None) -> dict[str, Any] | None:
    column = next((column for column in figures.columns if column.name == name), None)
    if column is None or column.times is None:
        return None
    return {"column": column.name, "first": _stamp(column.times.first), "last": _stamp(column.times.last)}


def _column(column: ColumnFigures) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": column.name,
        "type": column.type,
        "missing": column.missing,
        "missingShare": round(column.missing / column.rows, 6) if column.rows else 0.0,
        "distinct": column.distinct.count,
        "distinctExact": column.distinct.is_exact,
    }
    if column.numbers is not None:
        found |= _numbers(column.numbers)
    if column.texts is not None:
        texts = column.texts
        ranked = sorted(texts.values.items(), key=lambda item: (-item[1], item[0]))
        found |= {
            "empty": texts.empty,
            "shortest": texts.shortest,
            "longest": texts.longest,
            "top": [{"value": value, "rows": count} for value, count in ranked[:_SHOWN_VALUES]],
            "topExact": not texts.lost,
        }
    if column.times is not None:
        days = sorted(column.times.days.items())
        found |= {
            "first": _stamp(column.times.first),
            "last": _stamp(column.times.last),
            "histogram": _histogram([(float(day) + 0.5, rows) for day, rows in days], float(days[0][0]), days[-1][0] + 1.0),
            "histogramUnit": "days of the UTC epoch",
        }
    return found


def _numbers(numbers: Numbers) -> dict[str, Any]:
    if not numbers.buckets.count:
        return {"infinite": numbers.infinite}
    quantiles = numbers.buckets.quantiles(list(_QUANTILES.values()))
    clipped = np.clip(quantiles, numbers.least, numbers.most)
    return {
        "min": numbers.least,
        "max": numbers.most,
        "mean": _figure(numbers.mean),
        "deviation": _figure(numbers.deviation),
        "zeros": numbers.buckets.zeros,
        "negative": sum(numbers.buckets.negative.values()),
        "infinite": numbers.infinite,
        "quantiles": {name: _figure(value) for name, value in zip(_QUANTILES, clipped.tolist(), strict=True)},
        "histogram": _histogram(list(numbers.buckets.ascending()), numbers.least, numbers.most),
    }


def _histogram(counted: Sequence[tuple[float, int]], low: float, high: float) -> dict[str, Any]:
    """Return bars of equal width from ``low`` to ``high``; their counts sum to all rows."""
    if not np.isfinite(high - low) or high <= low:
        return {"edges": [low, high], "counts": [sum(count for _, count in counted)]}
    edges = np.linspace(low, high, _BARS + 1)
    middles = np.array([middle for middle, _ in counted])
    bars = np.clip(np.searchsorted(edges, middles, side="right") - 1, 0, _BARS - 1)
    counts = np.bincount(bars, weights=[count for _, count in counted], minlength=_BARS)
    return {"edges": edges.tolist(), "counts": counts.astype(np.int64).tolist()}


def _figure(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _stamp(microseconds: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=microseconds)).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return f"{microseconds} microseconds of the UTC epoch"
