"""Which raw columns the artifact's answers depend on, and how: permutation importance and partial dependence.

Both ask the packed artifact about rows that are changed in one column. A column's importance is how much the mean loss grows
when its values are shuffled among the rows, so that they tell nothing any more; the intervals are paired, row by row. Columns
that tell the same cover for each other, and both look unimportant. A partial dependence is the mean answer when a column has
one value in every row, whatever the others say.

Source: Breiman (2001), Machine Learning 45:5; Friedman (2001), Annals of Statistics 29:1189; Goldstein et al. (2015), J. Comp.
Graph. Statist. 24:44 (the lines of single rows).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.predictions import Judged
from gnomon.evaluation.row_losses import row_losses
from gnomon.evaluation.rows import Column
from gnomon.inference.signature import MISSING_TIMESTAMP

Floats = NDArray[np.float64]
Truth = Callable[[Judged, Mapping[str, Any], NDArray[np.int64]], Answers]
"""What makes answers of outputs: of a model, its outputs, and the indices of the rows that they are about."""

REPEATS = 3
_MOST_ROWS, _LEAST_ROWS, _MOST_ANSWERS = 2000, 100, 60_000
_SHOWN_COLUMNS, _GRID, _DEPENDENCE_ROWS, _LINES = 4, 12, 200, 20
_RESAMPLES = 500
_LEVELS = 12


@dataclass(frozen=True, eq=False)
class Asked:
    """A model with the rows that it is asked about.

    Args:
        model: The packed candidate.
        rows: The test rows.
        answers: Makes answers of outputs.
        metric: The model's metric.
        seed: Draws rows and shuffles.
    """

    model: Judged
    rows: pa.Table
    answers: Truth
    metric: str
    seed: int


def importance(asked: Asked) -> dict[str, Any] | None:
    """Return by how much the mean loss grows when each raw column is shuffled, the most important first.

    Rows are sampled: 2,000, and fewer where there are many columns, so that at most 60,000 more answers are asked for. None
    where the task's rows have no loss of their own.
    """
    names = [column.name for column in asked.model.signature.inputs]
    rows = int(np.clip(_MOST_ANSWERS // (REPEATS * max(1, len(names))), _LEAST_ROWS, _MOST_ROWS))
    rng = np.random.default_rng(asked.seed)
    chosen = np.sort(rng.permutation(asked.rows.num_rows)[:rows])
    columns = asked.model.columns(asked.rows.take(pa.array(chosen)))
    before = _losses(asked, columns, chosen)
    if before is None or not names:
        return None
    what, losses = before
    shuffles = [rng.permutation(len(chosen)) for _ in range(REPEATS)]
    grown = {name: _grown(asked, columns, name, chosen, losses, shuffles) for name in names}
    counts = rng.multinomial(len(chosen), np.full(len(chosen), 1 / len(chosen)), _RESAMPLES) / len(chosen)
    figures = []
    for name, growth in grown.items():
        if growth is None:
            continue
        low, high = np.quantile(counts @ growth, [0.025, 0.975])
        figures.append({"column": name, "increase": float(growth.mean()), "low": float(low), "high": float(high)})
    return {
        "loss": what,
        "mean": float(losses.mean()),
        "rows": len(chosen),
        "of": asked.rows.num_rows,
        "repeats": REPEATS,
        "columns": sorted(figures, key=lambda figure: -float(str(figure["increase"]))),
    }


def _losses(asked: Asked, columns: Mapping[str, Column], chosen: NDArray[np.int64]) -> tuple[str, Floats] | None:
    return row_losses(asked.answers(asked.model, asked.model.answered(columns), chosen), asked.metric)


def _grown(
    asked: Asked,
    columns: Mapping[str, Column],
    name: str,
    chosen: NDArray[np.int64],
    before: Floats,
    shuffles: Sequence[NDArray[np.int64]],
) -> Floats | None:
    """Return by how much the loss of each row grows, the mean of all shuffles; None where an answer is no number."""
    after = []
    for shuffle in shuffles:
        found = _losses(asked, {**columns, name: _taken(columns[name], shuffle)}, chosen)
        if found is None:
            return None
        after.append(found[1] - before)
    return np.asarray(np.mean(after, axis=0))


def _taken(column: Column, rows: NDArray[np.int64]) -> Column:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows.tolist()]


def dependence(asked: Asked, important: Sequence[str]) -> list[dict[str, Any]]:
    """Return the mean answer by the value of each of the most important columns, and the answers of some single rows.

    The answer is the predicted number, or the probability of the second of two classes, or of the class with the most rows.
    Numbers and times are set to quantiles of the test rows, texts to their most frequent values.
    """
    kinds = {column.name: column.kind for column in asked.model.signature.inputs}
    rng = np.random.default_rng(asked.seed)
    chosen = np.sort(rng.permutation(asked.rows.num_rows)[:_DEPENDENCE_ROWS])
    columns = asked.model.columns(asked.rows.take(pa.array(chosen)))
    of, score = _score(asked, columns)
    drawn = []
    for name in important[:_SHOWN_COLUMNS]:
        values = _grid(asked.model.columns(asked.rows.take(pa.array(_spread(asked.rows.num_rows))))[name], kinds[name])
        if len(values) < 2:
            continue
        lines = np.stack([score({**columns, name: _set(columns[name], value)}) for value in values])
        drawn.append(
            {
                "column": name,
                "kind": kinds[name],
                "of": of,
                "values": values,
                "mean": _numbers(lines.mean(axis=1)),
                "rows": [_numbers(line) for line in lines[:, :_LINES].T],
            }
        )
    return drawn


def _spread(rows: int) -> NDArray[np.int64]:
    """Return at most 10,000 rows, evenly spaced, that say which values a column has."""
    return np.unique(np.linspace(0, rows - 1, min(rows, 10_000)).astype(np.int64))


def _score(asked: Asked, columns: Mapping[str, Column]) -> tuple[str, Callable[[Mapping[str, Column]], Floats]]:
    """Return what the answer is, in words, and what gives it of each row."""
    signature = asked.model.signature
    if signature.task != "classification":
        return "prediction", lambda given: np.asarray(asked.model.answered(given)["prediction"], dtype=np.float64).reshape(-1)
    given = asked.model.answered(columns)["probabilities"]
    place = 1 if len(signature.classes) == 2 else int(given.mean(axis=0).argmax())

    def probability(changed: Mapping[str, Column]) -> Floats:
        return np.asarray(asked.model.answered(changed)["probabilities"][:, place], dtype=np.float64)

    return f"probability of {signature.classes[place]}", probability


def _grid(column: Column, kind: str) -> list[Any]:
    """Return the values that a column is set to: plain numbers, microseconds, truths or texts."""
    if kind in {"string", "boolean"}:
        known = [value for value in (column.tolist() if isinstance(column, np.ndarray) else column) if value not in (None, "")]
        names, counts = np.unique(np.asarray(known, dtype=str if kind == "string" else np.bool_), return_counts=True)
        return [names[k].item() for k in sorted(np.argsort(-counts, kind="stable")[:_LEVELS].tolist())]
    values = np.asarray(column, dtype=np.float64)
    if kind == "timestamp":
        values = values[values != MISSING_TIMESTAMP]
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    grid = np.unique(np.quantile(values, np.linspace(0.02, 0.98, _GRID), method="nearest"))
    return [int(value) if kind in {"integer", "timestamp"} else float(value) for value in grid]


def _set(column: Column, value: Any) -> Column:
    return np.full(len(column), value, dtype=column.dtype) if isinstance(column, np.ndarray) else [value] * len(column)


def _numbers(values: Floats) -> list[float | None]:
    return [float(f"{value:.7g}") if np.isfinite(value) else None for value in values.tolist()]
