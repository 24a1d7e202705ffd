"""The step that judges: a packed artifact and the test rows become every figure that gates and reports ask for.

It runs in a worker process of the pipeline. What is measured is what will serve: the artifact is read back from the store,
its golden rows are replayed, and rows are encoded and answered by the code that the gateway runs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.errors import GnomonError
from gnomon.evaluation.answers import Answers
from gnomon.evaluation.baselines import baseline_answers, learnt_target
from gnomon.evaluation.blocks import block_length
from gnomon.evaluation.bootstrap import GAIN_BOUND, LEVEL, distributions, interval, measured, relative_gain, resamples_for
from gnomon.evaluation.importance import Asked, dependence, importance
from gnomon.evaluation.metrics import MetricInfo, metrics_of
from gnomon.evaluation.plots import plots_of
from gnomon.evaluation.predictions import Judged, require_same_question
from gnomon.evaluation.row_losses import row_losses
from gnomon.evaluation.rows import row_times, target_rows
from gnomon.evaluation.scene import scene_of
from gnomon.evaluation.slice_metrics import looked_at, slice_figures
from gnomon.evaluation.structure_answers import structure_answers
from gnomon.evaluation.worst_slice import worst_slices
from gnomon.inference.signature import InputColumn
from gnomon.resources.identity import Digest
from gnomon.resources.learning import DEFAULT_CONTAMINATION, TARGET_TASKS
from gnomon.stores.artifacts.layout import OciLayout

Floats = NDArray[np.float64]


def evaluate(
    *,
    table: pa.Table,
    test: NDArray[np.int64],
    facts: Mapping[str, Any],
    artifact: str,
    champion: str | None,
    layout: str,
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """Return ``{"report": …}``: everything that was measured, as plain JSON values. ``docs/evaluation.md`` lists its keys.

    Everything but latency is the same for the same arguments.

    Args:
        table: All rows, as training prepared them.
        test: Indices of the test rows.
        facts: What training found out about the table; ``time`` names its time column.
        artifact: Digest of the candidate.
        champion: Digest of what serves now.
        layout: Folder of the artifact store.
        asked: ``target`` is the target column or None, ``metric`` the model's metric; ``compare`` lists the metrics of which
            the comparison with the champion is kept resample by resample, because a gate asks for it; the same of the
            baseline with ``compareBaseline``; ``slices`` lists the metrics that gates ask for, by column; ``seed``
            draws resamples.

    Raises:
        DataError: No test row has a target.
        ArtifactError: The candidate cannot be run; GoldenRowsError where it does not reproduce its golden rows.
        InputError: The test rows hold values that the candidate's schema refuses.
    """
    rows, without_target = target_rows(table, asked["target"], test)
    reader = OciLayout(Path(layout))
    ours = Judged(reader, Digest(artifact), rows)
    theirs = _champion(reader, champion, rows, ours) if champion is not None else None
    # What overflows, because the target is as large as floats get, is undefined and told so.
    with np.errstate(over="ignore", invalid="ignore"):
        return {"report": _report(_Rows(table, rows, test, without_target), ours, theirs, facts, asked)}


@dataclass(frozen=True, eq=False)
class _Rows:
    """All rows, those that judge with their indices, and how many more have no target."""

    table: pa.Table
    judging: pa.Table
    test: NDArray[np.int64]
    without_target: int


def _report(
    given: _Rows,
    ours: Judged,
    theirs: "Judged | _Incomparable | None",
    facts: Mapping[str, Any],
    asked: Mapping[str, Any],
) -> dict[str, Any]:
    """Measure both models on the same rows and put everything into one document."""
    rows, target, metric, seed = given.judging, asked["target"], asked["metric"], asked["seed"]
    classes = _all_classes(ours, theirs)
    models = _answers([model for model in (ours, theirs) if isinstance(model, Judged)], given, classes, facts, asked)
    metrics = metrics_of(ours.signature.task, labelled=target is not None)
    baseline = baseline_answers(models[0], rows, learnt_target(given.table, target, given.test, facts), metric, facts)
    beside = [] if baseline is None else [baseline[1]]
    block = _block(models, metric) if facts.get("ordered") else 1
    resampled = distributions([*models, *beside], metrics, resamples_for(rows.num_rows), seed, block)
    sheets = [
        _sheet(judged, answers, metrics, spread)
        for judged, answers, spread in zip((ours, theirs), models, resampled, strict=False)
        if isinstance(judged, Judged)
    ]
    columns = [column.name for column in ours.signature.inputs]
    looked = looked_at(rows, models[0], seed, block=block)
    return {
        "task": ours.signature.task,
        "target": target,
        "classes": list(classes),
        "metric": metric,
        "rows": rows.num_rows,
        "rowsWithoutTarget": given.without_target,
        "resamples": resampled.shape[2],
        "block": block,
        "level": LEVEL,
        "seed": seed,
        **sheets[0],
        "champion": _described(theirs, sheets),
        "comparison": _comparison(metrics, models, resampled, asked["compare"]),
        "baseline": _baseline(metrics, models[0], baseline, resampled[[0, -1]], asked.get("compareBaseline", ())),
        "slices": slice_figures(looked, columns, metric, asked.get("slices", {}), seed),
        "worstSlices": worst_slices(looked, columns, metric, seed),
        **_explained(ours, given, classes, asked),
        "plots": plots_of(
            models[0], models[1] if len(models) > 1 else None, metric, row_times(rows, ours.signature, facts), seed
        ),
    }


def _block(models: Sequence[Answers], metric: str) -> int:
    """Return how many neighbours are drawn together: what the losses of the candidate ask for, and how they differ."""
    losses = [found[1] for found in (row_losses(model, metric) for model in models) if found is not None]
    apart = [losses[0] - losses[1]] if len(losses) == 2 else []
    return max((block_length(series) for series in (*losses[:1], *apart)), default=1)


def _explained(ours: Judged, given: _Rows, classes: Sequence[str], asked: Mapping[str, Any]) -> dict[str, Any]:
    """Return which columns matter and how, for tasks that learn a target."""
    if ours.signature.task not in TARGET_TASKS:
        return {"importance": None, "dependence": []}
    target = given.judging.column(asked["target"])

    def truth(model: Judged, outputs: Mapping[str, NDArray[Any]], chosen: NDArray[np.int64]) -> Answers:
        return model.answers(target.take(pa.array(chosen)), classes, outputs=outputs)

    question = Asked(ours, given.judging, truth, asked["metric"], asked["seed"])
    found = importance(question)
    names = [] if found is None else [each["column"] for each in found["columns"] if each["low"] > 0]
    return {"importance": found, "dependence": dependence(question, names)}


def _answers(
    models: Sequence[Judged], given: _Rows, classes: Sequence[str], facts: Mapping[str, Any], asked: Mapping[str, Any]
) -> list[Answers]:
    """Return what the models answer, beside the truth where the task has one."""
    signature, target = models[0].signature, asked["target"]
    column = given.judging.column(target) if target is not None else None
    if signature.task in TARGET_TASKS:
        naive_error = float(facts.get("naiveError", float("nan")))
        return [model.answers(column, classes, naive_error) for model in models]
    spatial = signature.task in {"clustering", "reduction"}
    columns = msgspec.convert(facts["features"], tuple[InputColumn, ...]) if "features" in facts else signature.inputs
    scene = scene_of(given.table, given.judging, given.test, columns) if spatial else None
    contamination = float(facts.get("contamination", DEFAULT_CONTAMINATION))
    return [structure_answers(model, scene, column, contamination, asked["seed"]) for model in models]


@dataclass(frozen=True)
class _Incomparable:
    """A champion that cannot answer these rows, and why."""

    digest: Digest
    error: GnomonError


def _champion(reader: OciLayout, digest: str, rows: pa.Table, ours: Judged) -> Judged | _Incomparable:
    """Return the champion's answers. It reads its own columns of the rows, which may be others than the candidate's.

    The first missing value in a column that had none when the champion was made must not hold back every later model.
    """
    try:
        theirs = Judged(reader, Digest(digest), rows, any_may_miss=True)
        require_same_question(ours.artifact, theirs.artifact)
    except GnomonError as error:  # told in the report, and refused by every gate that compares
        return _Incomparable(Digest(digest), error)
    return theirs


def _all_classes(ours: Judged, theirs: Judged | _Incomparable | None) -> tuple[str, ...]:
    """Return the candidate's classes in its order, then those that only the champion knows."""
    known = theirs.signature.classes if isinstance(theirs, Judged) else ()
    return tuple(dict.fromkeys((*ours.signature.classes, *known)))


def _sheet(judged: Judged, answers: Answers, metrics: Sequence[MetricInfo], spread: Floats) -> dict[str, Any]:
    """Return the metrics and the latency of one model."""
    latency = judged.latency()
    values = measured(answers, metrics)
    sheet = {info.name: _figure(info, answers, value, of) for info, value, of in zip(metrics, values, spread, strict=True)}
    sheet["latencyP99"] = {"value": latency.p99_ms, "unit": "ms", "direction": "loss"}
    sheet["size"] = {"value": judged.size_bytes, "unit": "B", "direction": "loss"}
    return {"metrics": sheet, "latency": {"p50Ms": latency.p50_ms, "p99Ms": latency.p99_ms, "runs": latency.runs}}


def _figure(info: MetricInfo, answers: Answers, value: float, spread: Floats) -> dict[str, Any]:
    bounds = interval(value, spread)
    figure = {"value": _json(value), "low": _json(bounds.low), "high": _json(bounds.high), "direction": info.direction}
    return figure if np.isfinite(value) else {**figure, "note": _why_undefined(info, answers)}


def _why_undefined(info: MetricInfo, answers: Answers) -> str:
    told = answers.predicted if answers.probabilities is None else answers.probabilities
    wrong = int(np.count_nonzero(~np.isfinite(told).reshape(answers.rows, -1).all(axis=1)))
    if wrong:
        return f"the model's answer to {wrong} of {answers.rows} rows is not a finite number"
    return info.undefined or "it is undefined on these rows"


def _described(theirs: Judged | _Incomparable | None, sheets: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    if theirs is None:
        return None
    if isinstance(theirs, _Incomparable):
        return {"digest": theirs.digest, "comparable": False, "cause": theirs.error.cause, "mend": _mend(theirs.error)}
    return {"digest": theirs.artifact.digest, "comparable": True, **sheets[1]}


def _mend(error: GnomonError) -> str:
    return f"{error.mend}; or take the gates against the champion out for this one change"


def _comparison(
    metrics: Sequence[MetricInfo], models: Sequence[Answers], resampled: Floats, compare: Sequence[str]
) -> dict[str, Any]:
    """Return by how much the candidate is better than the champion in every metric, and how sure that is."""
    if len(models) < 2:
        return {}
    ours, theirs = (measured(answers, metrics) for answers in models)
    comparison: dict[str, Any] = {}
    for k, info in enumerate(metrics):
        gain = float(relative_gain(info.direction, ours[k : k + 1], theirs[k : k + 1])[0])
        gains = relative_gain(info.direction, resampled[0, k], resampled[1, k])
        bounds = interval(gain, gains)
        # A resample in which a figure is undefined counts as a loss: it must not make anyone sure.
        gains = np.sort(np.where(np.isfinite(gains), gains, -GAIN_BOUND))
        comparison[info.name] = {
            "improvement": _json(gain),
            "low": _json(bounds.low),
            "high": _json(bounds.high),
            "probabilityBetter": float(np.mean(gains > 0)),
        }
        if info.name in compare:
            comparison[info.name]["gains"] = [round(gain, 9) for gain in gains.tolist()]
    return comparison


def _baseline(
    metrics: Sequence[MetricInfo],
    ours: Answers,
    baseline: tuple[str, Answers] | None,
    resampled: Floats,
    compare: Sequence[str],
) -> dict[str, Any] | None:
    """Return the metrics of what needs no model, and by how much the candidate is better."""
    if baseline is None:
        return None
    name, answers = baseline
    values = measured(answers, metrics)
    figures = {
        info.name: _figure(info, answers, value, of) for info, value, of in zip(metrics, values, resampled[1], strict=True)
    }
    return {"name": name, "metrics": figures, "comparison": _comparison(metrics, [ours, answers], resampled, compare)}


def _json(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
