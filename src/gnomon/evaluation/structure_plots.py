"""The figures behind the plots of tasks that ``plots`` does not know: clusters, densities, components, anomalies, forecasts."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers
from gnomon.training.structure import losses_of, sampled, way_back

Floats = NDArray[np.float64]
Numbers = Callable[[Floats], list[float | None]]

_SHOWN = 800
_BINS = 40
_MOST_COMPONENTS = 30
_MOST_TIMES = 120


def structure_plots(candidate: Answers, champion: Answers | None, seed: int, numbers: Numbers) -> dict[str, Any]:
    """Return the figures of the plots of a task without a target; ``numbers`` writes floats as plain JSON values."""
    match candidate.task:
        case "clustering":
            return {"clusters": _clusters(candidate, seed, numbers)}
        case "reduction":
            return {"components": _components(candidate, seed, numbers), "broughtBack": _brought_back(candidate, numbers)}
        case "density":
            models = {"candidate": candidate} | ({"champion": champion} if champion is not None else {})
            values = {name: np.asarray(model.predicted, dtype=np.float64) for name, model in models.items()}
            return {"logDensities": _histogram(values, numbers)}
        case "anomaly":
            return {"scores": _scores(candidate, numbers)}
        case _:
            return {}


def forecast_plot(answers: Answers, times: NDArray[np.int64], numbers: Numbers) -> dict[str, Any]:
    """Return the mean of all series, as it came and as it was forecast, at each of the last times."""
    moments, place = np.unique(times, return_inverse=True)
    rows = np.bincount(place)
    shown = slice(max(0, len(moments) - _MOST_TIMES), None)
    return {
        "time": [int(moment) for moment in moments[shown]],
        "actual": numbers((np.bincount(place, np.asarray(answers.actual, dtype=np.float64)) / rows)[shown]),
        "predicted": numbers((np.bincount(place, np.asarray(answers.predicted, dtype=np.float64)) / rows)[shown]),
    }


def _clusters(answers: Answers, seed: int, numbers: Numbers) -> dict[str, Any]:
    """Return sampled rows on the two directions in which they vary most, with their clusters; and the size of each cluster."""
    points = np.zeros((answers.rows, 1)) if answers.points is None else answers.points
    chosen = sampled(answers.rows, seed, _SHOWN)
    flat = _flattened(points)[chosen]
    names, sizes = np.unique(answers.predicted, return_counts=True)
    return {
        "x": numbers(flat[:, 0]),
        "y": numbers(flat[:, 1]),
        "cluster": [int(cluster) for cluster in np.asarray(answers.predicted)[chosen]],
        "sizes": {str(int(name)): int(size) for name, size in zip(names, sizes, strict=True)},
        "rows": answers.rows,
    }


def _flattened(points: Floats) -> Floats:
    """Return the points on their first two principal directions, (n, 2)."""
    centred = points - points.mean(axis=0)
    if points.shape[1] < 2:
        return np.concatenate([centred, np.zeros_like(centred)], axis=1)
    _, directions = np.linalg.eigh(centred.T @ centred)
    two = directions[:, :-3:-1]
    flat: Floats = centred @ (two * np.sign(two[np.abs(two).argmax(axis=0), [0, 1]]))
    return flat


def _components(answers: Answers, seed: int, numbers: Numbers) -> dict[str, Any]:
    """Return sampled rows on the first two components."""
    chosen = sampled(answers.rows, seed, _SHOWN)
    components = np.asarray(answers.predicted, dtype=np.float64)[chosen]
    second = components[:, 1] if components.shape[1] > 1 else np.zeros(len(chosen))
    return {"x": numbers(components[:, 0]), "y": numbers(second), "rows": answers.rows}


def _brought_back(answers: Answers, numbers: Numbers) -> dict[str, Any]:
    """Return which share of the test rows' variance the first component brings back, the first two, and so on."""
    components = np.asarray(answers.predicted, dtype=np.float64)
    points = np.zeros((answers.rows, 1)) if answers.points is None else answers.points
    whole = float(np.square(points - points.mean(axis=0)).sum())
    counts = range(1, min(_MOST_COMPONENTS, components.shape[1]) + 1)
    lost = [losses_of(components[:, :k], points, way_back(components[:, :k], points)).sum() for k in counts]
    return {"components": list(counts), "share": numbers(1 - np.asarray(lost) / (whole or np.nan))}


def _histogram(values: dict[str, Floats], numbers: Numbers) -> dict[str, Any]:
    """Return counts between common edges; what lies outside the inner 99 % of the values is counted in the outermost bins."""
    finite = {name: value[np.isfinite(value)] for name, value in values.items()}
    together = np.concatenate(list(finite.values()))
    if not together.size:
        return {"edges": []} | {name: [] for name in values}
    low, high = np.quantile(together, [0.005, 0.995])
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    return {"edges": numbers(edges)} | {
        name: np.histogram(np.clip(value, low, high), edges)[0].tolist() for name, value in finite.items()
    }


def _scores(answers: Answers, numbers: Numbers) -> dict[str, Any]:
    """Return histograms of the score, of the rows answered normal and anomalous; or of what they are, where labels tell."""
    score = answers.figures["score"]
    told: Sequence[int] | NDArray[Any] = answers.actual if answers.classes else answers.predicted
    anomalous = np.asarray(told) > 0
    of = "labels" if answers.classes else "answers"
    return {"of": of, **_histogram({"normal": score[~anomalous], "anomalous": score[anomalous]}, numbers)}
