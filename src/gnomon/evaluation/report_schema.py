"""The JSON Schema of a report: what programs that read one may rely on. ``docs/evaluation.md`` tells what the keys mean."""

from collections.abc import Mapping
from typing import Any

from gnomon.evaluation.report import REPORT_FORMAT

_Schema = dict[str, Any]

_TEXT: _Schema = {"type": "string"}
_NUMBER: _Schema = {"type": "number"}
_FIGURE: _Schema = {"type": ["number", "null"]}
_COUNT: _Schema = {"type": "integer", "minimum": 0}
_BOOLEAN: _Schema = {"type": "boolean"}
_DIGEST: _Schema = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_OBJECT: _Schema = {"type": "object"}
_PLOTS = {
    "predictedActual": _OBJECT,
    "reliability": _OBJECT,
    "residuals": _OBJECT,
    "confusion": _OBJECT,
    "perClass": {"type": "array"},
    "roc": {"type": "array"},
    "precisionRecall": {"type": "array"},
    "calibration": _OBJECT,
    "thresholds": _OBJECT,
    "clusters": _OBJECT,
    "logDensities": _OBJECT,
    "components": _OBJECT,
    "broughtBack": _OBJECT,
    "scores": _OBJECT,
    "forecast": _OBJECT,
    "overTime": _OBJECT,
}


def _closed(required: Mapping[str, _Schema], optional: Mapping[str, _Schema] | None = None) -> _Schema:
    """Return an object with these keys and no others."""
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _listed(items: _Schema) -> _Schema:
    return {"type": "array", "items": items}


def _by_name(values: _Schema) -> _Schema:
    return {"type": "object", "additionalProperties": values}


def _or_null(schema: _Schema) -> _Schema:
    return {"anyOf": [schema, {"type": "null"}]}


_BOUNDED = {"value": _FIGURE, "low": _FIGURE, "high": _FIGURE}
_METRIC = _closed(
    {"value": _FIGURE, "direction": {"enum": ["loss", "score"]}},
    {"low": _FIGURE, "high": _FIGURE, "unit": {"enum": ["ms", "B"]}, "note": _TEXT},
)
_LATENCY = _closed({"p50Ms": _NUMBER, "p99Ms": _NUMBER, "runs": _COUNT})
_COMPARISON = _by_name(
    _closed(
        {"improvement": _FIGURE, "low": _FIGURE, "high": _FIGURE, "probabilityBetter": {**_NUMBER, "minimum": 0, "maximum": 1}},
        {"gains": _listed(_NUMBER)},
    )
)
_CHAMPION = {
    "oneOf": [
        _closed({"digest": _DIGEST, "comparable": {"const": True}, "metrics": _by_name(_METRIC), "latency": _LATENCY}),
        _closed({"digest": _DIGEST, "comparable": {"const": False}, "cause": _TEXT, "mend": _TEXT}),
        {"type": "null"},
    ]
}
_BASELINE = _closed({"name": _TEXT, "metrics": _by_name(_METRIC), "comparison": _COMPARISON})
_SLICE = _closed({"value": _TEXT, "condition": _TEXT, "rows": _COUNT, "metrics": _by_name(_closed(_BOUNDED))})
_SLICES = _closed(
    {
        "rows": _COUNT,
        "of": _COUNT,
        "resamples": _COUNT,
        "whole": _by_name(_FIGURE),
        "columns": _listed(
            _closed(
                {
                    "column": _TEXT,
                    "metrics": _listed(_TEXT),
                    "slices": _listed(_SLICE),
                    "leftOut": _closed({"slices": _COUNT, "largestRows": _COUNT}),
                }
            )
        ),
        "unavailable": _listed(_closed({"column": _TEXT, "cause": _TEXT})),
    }
)
_WORST = _closed(
    {
        "loss": _TEXT,
        "searched": _COUNT,
        "tested": _COUNT,
        "leastRows": _COUNT,
        "level": _NUMBER,
        "slices": _listed(
            _closed(
                {
                    "condition": _TEXT,
                    "columns": _listed(_TEXT),
                    "rows": _COUNT,
                    "loss": _NUMBER,
                    "ratio": _FIGURE,
                    "metric": _FIGURE,
                    "p": {**_NUMBER, "minimum": 0, "maximum": 1},
                    "confirmed": _BOOLEAN,
                }
            )
        ),
        "whole": _closed({"loss": _NUMBER, "metric": _FIGURE}),
    }
)
_IMPORTANCE = _closed(
    {
        "loss": _TEXT,
        "mean": _NUMBER,
        "rows": _COUNT,
        "of": _COUNT,
        "repeats": _COUNT,
        "columns": _listed(_closed({"column": _TEXT, "increase": _NUMBER, "low": _NUMBER, "high": _NUMBER})),
    }
)
_DEPENDENCE = _closed(
    {
        "column": _TEXT,
        "kind": {"enum": ["float", "integer", "boolean", "string", "timestamp"]},
        "of": _TEXT,
        "values": {"type": "array"},
        "mean": _listed(_FIGURE),
        "rows": _listed(_listed(_FIGURE)),
    }
)
_GATE = _closed(
    {
        "metric": _TEXT,
        "description": _TEXT,
        "passed": _BOOLEAN,
        "measured": _FIGURE,
        "bound": _FIGURE,
        "figure": _TEXT,
        "message": _TEXT,
    }
)
_CANDIDATE = {
    "type": "object",
    "properties": {
        "name": _TEXT,
        "algorithm": _TEXT,
        "params": _OBJECT,
        "state": _TEXT,
        "metrics": _by_name(_FIGURE),
        "parity": _OBJECT,
        "error": _TEXT,
        "cpuSeconds": _NUMBER,
    },
    "required": ["name", "algorithm", "state", "metrics"],
}
_MODEL = _closed(
    {
        "namespace": _TEXT,
        "name": _TEXT,
        "task": _TEXT,
        "target": {"type": ["string", "null"]},
        "metric": _TEXT,
        "classes": _listed(_TEXT),
        "spec": _OBJECT,
    }
)
_TEST = _closed(
    {
        "rows": _COUNT,
        "rowsWithoutTarget": _COUNT,
        "resamples": _COUNT,
        "block": _COUNT,
        "level": _NUMBER,
        "seed": {"type": "integer"},
    }
)


def report_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) that every report of this version fits."""
    winner = {
        "name": _TEXT,
        "algorithm": _TEXT,
        "params": _OBJECT,
        "found": _OBJECT,
        "parity": _OBJECT,
        "libraries": _by_name(_TEXT),
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://gnomon.dev/schemas/report-v1.json",
        "title": "Report of a judged run",
        **_closed(
            {
                "format": {"const": REPORT_FORMAT},
                "run": _closed({"id": _TEXT, "fingerprint": _TEXT, "startedAt": {"type": "string", "format": "date-time"}}),
                "model": _MODEL,
                "revision": _TEXT,
                "snapshot": _DIGEST,
                "artifact": _DIGEST,
                "candidates": _listed(_CANDIDATE),
                "winner": _closed(winner),
                "test": _TEST,
                "metrics": _by_name(_METRIC),
                "latency": _LATENCY,
                "champion": _CHAMPION,
                "comparison": _COMPARISON,
                "baseline": _or_null(_BASELINE),
                "slices": _SLICES,
                "worstSlices": _or_null(_WORST),
                "importance": _or_null(_IMPORTANCE),
                "dependence": _listed(_DEPENDENCE),
                "plots": _closed({}, _PLOTS),
                "gates": _listed(_GATE),
                "verdict": _closed({"passed": _BOOLEAN, "message": _TEXT}),
            },
            {"window": _OBJECT},
        ),
    }
