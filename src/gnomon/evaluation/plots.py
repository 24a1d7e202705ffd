"""The figures behind a report's plots, as small plain JSON values: computed once, drawn by ``charts``, readable by programs.

All of it is deterministic: samples are drawn with a fixed seed, and rows are taken in their order.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers, CountedAnswers, once
from gnomon.evaluation.metrics import CALIBRATION_BINS, METRICS
from gnomon.evaluation.structure_plots import forecast_plot, structure_plots

Floats = NDArray[np.float64]

WITHOUT_TARGET = frozenset({"clustering", "density", "reduction", "anomaly"})
SAMPLED_ROWS = 800
_RESIDUAL_BINS = 40
_QUANTILE_BINS = 20
_CURVE_POINTS = 120
_THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
_TIME_BINS = 24
_ROWS_PER_SPAN = 20
_YEAR_1, _YEAR_10000 = -62_135_596_800_000_000, 253_402_300_800_000_000  # what calendars of axes know
_MOST_CLASSES = 20
_LARGEST_ERROR = 1e150  # a histogram of larger ones has edges that floats do not hold


def plots_of(
    candidate: Answers, champion: Answers | None, metric: str, times: NDArray[np.int64] | None, seed: int
) -> dict[str, Any]:
    """Return the figures of every plot that the task has.

    Args:
        candidate: The candidate's answers.
        champion: The champion's answers on the same rows.
        metric: The model's metric, for the plot over time.
        times: Microseconds of the UTC epoch of every row, where the rows have a time column.
        seed: Chooses the rows that are shown one by one.
    """
    plots: dict[str, Any]
    if candidate.task in WITHOUT_TARGET:
        plots = structure_plots(candidate, champion, seed, _numbers)
    else:
        plots = _regression(candidate, champion, seed) if candidate.probabilities is None else _classification(candidate)
    if candidate.task == "forecasting" and times is not None:
        plots["forecast"] = forecast_plot(candidate, times, _numbers)
    spans = min(_TIME_BINS, candidate.rows // _ROWS_PER_SPAN)
    if times is not None and spans > 1 and _YEAR_1 <= times.min() < times.max() < _YEAR_10000:
        plots["overTime"] = _over_time(
            candidate, champion, metric, np.array_split(np.argsort(times, kind="stable"), spans), times
        )
    return plots


def _regression(candidate: Answers, champion: Answers | None, seed: int) -> dict[str, Any]:
    chosen = np.sort(np.random.default_rng(seed).permutation(candidate.rows)[:SAMPLED_ROWS])
    return {
        "predictedActual": {
            "actual": _numbers(np.asarray(candidate.actual, dtype=np.float64)[chosen]),
            "predicted": _numbers(np.asarray(candidate.predicted, dtype=np.float64)[chosen]),
            "rows": candidate.rows,
        },
        "reliability": _reliability(candidate),
        "residuals": _residuals(candidate, champion),
    }


def _reliability(answers: Answers) -> dict[str, Any]:
    """Return mean predicted and mean actual value of rows of similar prediction, in bins of equal size."""
    parts = np.array_split(np.argsort(answers.predicted, kind="stable"), min(_QUANTILE_BINS, answers.rows))
    return {
        "predicted": _numbers(np.array([np.mean(answers.predicted[part]) for part in parts])),
        "actual": _numbers(np.array([np.mean(answers.actual[part]) for part in parts])),
    }


def _residuals(candidate: Answers, champion: Answers | None) -> dict[str, Any]:
    """Return the counts of predicted - actual between common edges; what lies outside is counted in the outermost bins."""
    models = {"candidate": candidate} | ({"champion": champion} if champion is not None else {})
    errors = {name: once(model).errors for name, model in models.items()}
    finite = {name: error[np.abs(error) < _LARGEST_ERROR] for name, error in errors.items()}
    everything = np.concatenate(list(finite.values()))
    if not everything.size:
        return {"edges": [], "candidate": []}
    low, high = np.quantile(everything, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _RESIDUAL_BINS + 1)
    counts = {name: np.histogram(np.clip(error, low, high), edges)[0].tolist() for name, error in finite.items()}
    return {"edges": _numbers(edges), **counts}


def _classification(answers: Answers) -> dict[str, Any]:
    probabilities = answers.probabilities
    plots: dict[str, Any] = {"confusion": _confusion(answers), "perClass": _per_class(answers)}
    if probabilities is not None and np.isfinite(probabilities).all():
        plots["roc"] = _roc(answers, probabilities)
        plots["precisionRecall"] = _precision_recall(answers, probabilities)
        plots["calibration"] = _calibration(answers)
        if len(answers.classes) == 2:
            plots["thresholds"] = _thresholds(answers, probabilities[:, 1])
    return plots


def _names(answers: Answers) -> list[str]:
    return [*answers.classes, "(unknown class)"]


def _confusion(answers: Answers) -> dict[str, Any]:
    """Return how often each class was answered with each, of the classes with the most rows; the rest is counted together."""
    matrix = once(answers).confusion[0].astype(np.int64)
    occurring = np.flatnonzero(matrix.sum(axis=0) + matrix.sum(axis=1))
    largest = np.argsort(-(matrix.sum(axis=1) + matrix.sum(axis=0))[occurring], kind="stable")
    shown = np.sort(occurring[largest[:_MOST_CLASSES]])
    return {
        "classes": [_names(answers)[k] for k in shown],
        "counts": matrix[np.ix_(shown, shown)].tolist(),
        "leftOut": int(len(occurring) - len(shown)),
    }


def _per_class(answers: Answers) -> list[dict[str, Any]]:
    right, true, answered = (counts[0] for counts in once(answers).hits)
    return [
        {
            "name": name,
            "rows": int(true[k]),
            "answered": int(answered[k]),
            "precision": float(right[k] / answered[k]) if answered[k] else None,
            "recall": float(right[k] / true[k]) if true[k] else None,
            "f1": float(2 * right[k] / (true[k] + answered[k])),
        }
        for k, name in enumerate(_names(answers))
        if true[k] or answered[k]
    ]


def _roc(answers: Answers, probabilities: Floats) -> list[dict[str, Any]]:
    """Return the ROC curve of each class against the rest, of the second class alone where there are two."""
    asked = [1] if len(answers.classes) == 2 else range(min(len(answers.classes), _MOST_CLASSES))
    curves = []
    for k in asked:
        positive = answers.actual == k
        if 0 < positive.sum() < answers.rows:
            false_rate, true_rate = _roc_points(probabilities[:, k], positive)
            curves.append({"name": answers.classes[k], "falsePositive": false_rate, "truePositive": true_rate})
    return curves


def _roc_points(score: Floats, positive: NDArray[np.bool_]) -> tuple[list[float], list[float]]:
    order = np.argsort(-score, kind="stable")
    last_of_ties = np.append(np.flatnonzero(np.diff(score[order])), len(score) - 1)
    true_rate = np.cumsum(positive[order])[last_of_ties] / positive.sum()
    false_rate = np.cumsum(~positive[order])[last_of_ties] / (~positive).sum()
    true_rate, false_rate = np.append(0.0, true_rate), np.append(0.0, false_rate)
    grid = np.unique(np.linspace(0, len(true_rate) - 1, min(_CURVE_POINTS, len(true_rate))).astype(int))
    return [round(x, 5) for x in false_rate[grid].tolist()], [round(y, 5) for y in true_rate[grid].tolist()]


def _precision_recall(answers: Answers, probabilities: Floats) -> list[dict[str, Any]]:
    """Return precision by recall of each class against the rest, of the second class alone where there are two."""
    asked = [1] if len(answers.classes) == 2 else range(min(len(answers.classes), _MOST_CLASSES))
    curves = []
    for k in asked:
        positive = answers.actual == k
        if 0 < positive.sum() < answers.rows:
            order = np.argsort(-probabilities[:, k], kind="stable")
            last_of_ties = np.append(np.flatnonzero(np.diff(probabilities[order, k])), answers.rows - 1)
            found = np.cumsum(positive[order])[last_of_ties]
            grid = np.unique(np.linspace(0, len(found) - 1, min(_CURVE_POINTS, len(found))).astype(int))
            curves.append(
                {
                    "name": answers.classes[k],
                    "share": float(positive.mean()),
                    "recall": [round(x, 5) for x in (found / positive.sum())[grid].tolist()],
                    "precision": [round(y, 5) for y in (found / (last_of_ties + 1))[grid].tolist()],
                }
            )
    return curves


def _thresholds(answers: Answers, probability: Floats) -> dict[str, Any]:
    """Return what would be found of the second class if it were answered from a probability on."""
    positive = answers.actual == 1
    rows = []
    for threshold in _THRESHOLDS:
        answered = probability >= threshold
        right = int((answered & positive).sum())
        rows.append(
            {
                "threshold": threshold,
                "answered": float(answered.mean()),
                "precision": right / int(answered.sum()) if answered.any() else None,
                "recall": right / int(positive.sum()) if positive.any() else None,
                "f1": 2 * right / int(answered.sum() + positive.sum()) if (answered | positive).any() else None,
            }
        )
    return {"of": answers.classes[1], "rows": rows}


def _calibration(answers: Answers) -> dict[str, Any]:
    """Return, for rows of similar probability, how probable and how frequent the class was.

    With two classes it is the second one's probability; with more, that of the class that was answered.
    """
    of = answers.classes[1] if len(answers.classes) == 2 else ""
    score, happened = answers.told_probability
    bins = np.clip((score * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    rows = np.bincount(bins, minlength=CALIBRATION_BINS)
    filled = np.flatnonzero(rows)
    return {
        "of": of,
        "rows": rows[filled].tolist(),
        "probability": _numbers((np.bincount(bins, score, CALIBRATION_BINS))[filled] / rows[filled]),
        "frequency": _numbers((np.bincount(bins, happened, CALIBRATION_BINS))[filled] / rows[filled]),
    }


def _over_time(
    candidate: Answers, champion: Answers | None, metric: str, parts: list[NDArray[np.int64]], times: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the metric in consecutive spans of time, each given by the indices of its rows."""
    counts = np.zeros((len(parts), candidate.rows))
    for k, part in enumerate(parts):
        counts[k, part] = 1
    measure = METRICS[metric].function
    lines: Mapping[str, Answers] = {"candidate": candidate} | ({"champion": champion} if champion is not None else {})
    return {
        "metric": metric,
        "start": [int(times[part[0]]) for part in parts],
        "end": [int(times[part[-1]]) for part in parts],
        **{name: _numbers(measure(CountedAnswers(model, counts))) for name, model in lines.items()},
    }


def _numbers(values: Floats) -> list[float | None]:
    """Return values with seven significant digits, which no plot can tell from more; None where there is none."""
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]
