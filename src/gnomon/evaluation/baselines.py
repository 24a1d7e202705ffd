"""What needs no model: the answers that every candidate has to beat, made of the rows that are not test rows.

| task | baseline |
|---|---|
| regression | the mean of the target; its median where ``mae`` chooses |
| classification | the shares of the classes, and the most frequent class |
| forecasting | the naive forecast: the value one season back, or the last that is known |
| reduction | no component at all: every row is brought back as the mean |
| anomaly, with labels | the same score for every row |

Clusters, densities and anomalies without labels have none.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.evaluation.answers import Answers
from gnomon.evaluation.rows import class_names

Floats = NDArray[np.float64]


def baseline_answers(
    answers: Answers, rows: pa.Table, learnt: Any, metric: str, facts: Mapping[str, Any]
) -> tuple[str, Answers] | None:
    """Return what the baseline is, in words, and what it answers; None where the task has none.

    Args:
        answers: A model's answers to the test rows, which tell the truth.
        rows: The test rows.
        learnt: The target of the rows that are no test rows; None where there is no target.
        metric: What chooses between candidates.
        facts: What training found out; ``naive`` names the column of the naive forecast.
    """
    match answers.task:
        case "regression" if learnt is not None:
            name = "median" if metric == "mae" else "mean"
            values = _finite(learnt)
            value = float(np.median(values) if metric == "mae" else np.mean(values)) if len(values) else float("nan")
            return f"the {name} of the training rows", replace(answers, predicted=np.full(answers.rows, value))
        case "classification" if learnt is not None:
            return "the class shares of the training rows", _class_shares(answers, learnt)
        case "forecasting" if facts.get("naive") in rows.column_names:
            column = rows.column(facts["naive"]).cast(pa.float64(), safe=False)
            predicted = np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)
            return "the naive forecast", replace(answers, predicted=_filled(predicted, learnt))
        case "reduction" if "whole" in answers.figures:
            whole = answers.figures["whole"]
            return "no component", replace(answers, figures={"whole": whole, "lost": whole})
        case "anomaly" if answers.classes:
            even = np.zeros((answers.rows, 2))
            return "the same score for every row", replace(
                answers, predicted=np.zeros_like(answers.predicted), probabilities=even
            )
        case _:
            return None


def _finite(column: Any) -> Floats:
    values = np.asarray(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)
    return values[np.isfinite(values)]


def _filled(predicted: Floats, learnt: Any) -> Floats:
    """Return forecasts with the mean of the training rows where the past is not known."""
    known = _finite(learnt) if learnt is not None else np.empty(0)
    return np.where(np.isfinite(predicted), predicted, known.mean() if len(known) else np.nan)


def _class_shares(answers: Answers, learnt: Any) -> Answers:
    index = {name: k for k, name in enumerate(answers.classes)}
    found = [index[name] for name in class_names(learnt.drop_null()) if name in index]
    shares = np.bincount(found, minlength=len(index)).astype(np.float64)
    shares /= max(1.0, shares.sum())
    return replace(
        answers,
        predicted=np.full(answers.rows, int(shares.argmax()), dtype=np.int64),
        probabilities=np.tile(shares, (answers.rows, 1)),
    )


def learnt_target(table: pa.Table, target: str | None, test: NDArray[np.int64], facts: Mapping[str, Any]) -> Any:
    """Return the target of the rows that the model may learn from; None without a target.

    They come first in a prepared table, which ``facts["parts"]`` counts; rows that a gap leaves out are none of them.
    """
    if target is None:
        return None
    parts = facts.get("parts")
    if parts is not None:
        return table.column(target).slice(0, parts["train"] + parts["validation"])
    rest = np.ones(table.num_rows, dtype=np.bool_)
    rest[test] = False
    return table.column(target).filter(pa.array(rest))
