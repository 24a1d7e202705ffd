"""Metrics by slice: each slice's figure beside that of all rows, with intervals from resamples that all slices share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from gnomon.errors import InputError
from gnomon.evaluation.answers import Answers, CountedAnswers
from gnomon.evaluation.bootstrap import draws, interval, measured
from gnomon.evaluation.metrics import METRICS, MetricInfo
from gnomon.evaluation.slicing import Slice, Slices, slices_of

Floats = NDArray[np.float64]

RESAMPLES = 200
MOST_COLUMNS = 20
"""How many columns that no gate asks for are cut."""
MOST_ROWS = 100_000
"""Above so many test rows, slices are cut of so many, drawn by the seed."""


@dataclass(frozen=True, eq=False)
class Looked:
    """The rows that are looked at besides metrics and gates of all rows: a sample of them where there are very many."""

    table: pa.Table
    answers: Answers
    of: int
    block: int = 1
    """How many neighbours are drawn together."""


def looked_at(table: pa.Table, answers: Answers, seed: int, most: int = MOST_ROWS, block: int = 1) -> Looked:
    """Return the rows, or ``most`` of them in their order; ``block`` is how many of all rows are drawn together."""
    if answers.rows <= most:
        return Looked(table, answers, answers.rows, block)
    chosen = np.sort(np.random.default_rng(seed).permutation(answers.rows)[:most])
    return Looked(table.take(pa.array(chosen)), answers.taken(chosen), answers.rows, max(1, block * most // answers.rows))


def slice_figures(looked: Looked, columns: Sequence[str], metric: str, asked: Mapping[str, Sequence[str]], seed: int) -> Any:
    """Return the figures of each slice of each column, as plain JSON values.

    Args:
        looked: The rows with the model's answers.
        columns: Columns to cut besides those that gates ask for.
        metric: The model's metric, which is measured of every slice.
        asked: Which metrics gates ask for, by column.
        seed: Draws the resamples.
    """
    # Cut by a gate first, then the columns that the model reads.
    wanted = list(dict.fromkeys([*asked, *columns[:MOST_COLUMNS]]))
    cut: list[Slices] = []
    unavailable = []
    for column in wanted:
        try:
            cut.append(slices_of(looked.table, column))
        except InputError as error:
            unavailable.append({"column": column, "cause": f"{error.cause} ({error.mend})"})
    told = {each.column: [METRICS[name] for name in dict.fromkeys([metric, *asked.get(each.column, ())])] for each in cut}
    whole = {info.name: info for infos in told.values() for info in infos}
    return {
        "rows": looked.answers.rows,
        "of": looked.of,
        "resamples": RESAMPLES,
        "whole": _numbers(whole, measured(looked.answers, list(whole.values()))),
        "columns": _measured(looked, cut, told, seed),
        "unavailable": unavailable,
    }


def _measured(
    looked: Looked, cut: Sequence[Slices], told: Mapping[str, Sequence[MetricInfo]], seed: int
) -> list[dict[str, Any]]:
    parts = [(each, part, looked.answers.taken(part.rows)) for each in cut for part in each.slices]
    spreads: list[list[Floats]] = [[] for _ in parts]
    for counts in draws(looked.answers.rows, RESAMPLES, seed, looked.block):
        for spread, (each, part, of) in zip(spreads, parts, strict=True):
            counted = CountedAnswers(of, counts[:, part.rows])
            with np.errstate(divide="ignore", invalid="ignore"):
                spread.append(np.asarray([info.function(counted) for info in told[each.column]]))
    documents: dict[str, dict[str, Any]] = {
        each.column: {
            "column": each.column,
            "metrics": [info.name for info in told[each.column]],
            "slices": [],
            "leftOut": {"slices": each.left_out, "largestRows": each.largest_left_out},
        }
        for each in cut
    }
    for spread, (each, part, of) in zip(spreads, parts, strict=True):
        documents[each.column]["slices"].append(_document(part, of, told[each.column], np.concatenate(spread, axis=1)))
    return list(documents.values())


def _document(part: Slice, answers: Answers, infos: Sequence[MetricInfo], spread: Floats) -> dict[str, Any]:
    bounds = [interval(float(value), of) for value, of in zip(measured(answers, infos), spread, strict=True)]
    return {
        "value": part.value,
        "condition": part.condition,
        "rows": answers.rows,
        "metrics": {
            info.name: {"value": _json(bound.value), "low": _json(bound.low), "high": _json(bound.high)}
            for info, bound in zip(infos, bounds, strict=True)
        },
    }


def _numbers(names: Mapping[str, object], values: Floats) -> dict[str, float | None]:
    return {name: _json(float(value)) for name, value in zip(names, values, strict=True)}


def _json(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
