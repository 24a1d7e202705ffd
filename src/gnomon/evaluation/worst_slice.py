"""Where a model does worst: a search through slices of one and two columns, confirmed on rows that the search did not see.

The rows are divided into two halves by the seed. On the first, slices are ranked by how far their mean loss is above that
of the other rows, less two standard errors; the best of one column are crossed with every slice of another column.
Among thousands of slices some look bad by chance, so nothing that the first half says counts: the few that come out best are
measured on the second half alone, and a slice is confirmed where its loss is above that of the rest there, by a one-sided
Welch test, after the correction of Holm for testing that many. Rows count as independent of each other.

Source: Chung et al. (2019), Slice Finder, ICDE (the search); Welch (1947), Biometrika 34:28; Holm (1979), Scand. J. Statist.
6:65.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gnomon.errors import InputError
from gnomon.evaluation.answers import Answers
from gnomon.evaluation.bootstrap import measured
from gnomon.evaluation.metrics import METRICS
from gnomon.evaluation.row_losses import row_losses
from gnomon.evaluation.slice_metrics import Looked
from gnomon.evaluation.slicing import Slice, slices_of

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAST_ROWS, LEAST_SHARE = 30, 0.01
"""What a slice must hold of each half: so many rows, and that share of them."""
LEVEL = 0.05
"""The probability, of no slice being worse, with which one is confirmed all the same."""
_BEAM, _MOST_PARTS, _TESTED = 12, 300, 5
_LEAST_CHANGE = 0.05
"""Of two crossed conditions, each must leave out at least this share of the other's rows."""


@dataclass(frozen=True, eq=False)
class _Found:
    conditions: tuple[Slice, ...]
    mask: Mask
    excess: float

    @property
    def condition(self) -> str:
        return " and ".join(part.condition for part in self.conditions)


def worst_slices(looked: Looked, columns: Sequence[str], metric: str, seed: int) -> dict[str, Any] | None:
    """Return the slices in which the model does worst, as plain JSON values; None where rows have no loss of their own.

    Args:
        looked: The rows with the model's answers.
        columns: The columns to search in.
        metric: The model's metric.
        seed: Divides the rows.
    """
    found = row_losses(looked.answers, metric)
    if found is None or looked.answers.rows < 4 * LEAST_ROWS:
        return None
    loss, losses = found
    rows = len(losses)
    first = np.zeros(rows, dtype=np.bool_)
    first[np.random.default_rng(seed).permutation(rows)[: rows // 2]] = True
    parts = _parts(looked, columns)
    tried, best = _searched(parts, losses, first)
    tests = [_tested(each, losses, ~first) for each in best]
    holding = _holm([p for _, p in tests])
    whole = float(losses[~first].mean())
    return {
        "loss": loss,
        "searched": tried,
        "tested": len(best),
        "leastRows": _least(rows - rows // 2),
        "level": LEVEL,
        "slices": [
            {
                "condition": each.condition,
                "columns": [part.column for part in each.conditions],
                "rows": int(each.mask.sum()),
                "loss": float(losses[each.mask & ~first].mean()),
                "ratio": float(losses[each.mask & ~first].mean() / whole) if whole > 0 else None,
                "metric": _metric(looked.answers, metric, each.mask & ~first),
                "p": p,
                "confirmed": p <= LEVEL,
            }
            for each, p in zip(best, holding, strict=True)
        ],
        "whole": {"loss": whole, "metric": _metric(looked.answers, metric, ~first)},
    }


def _metric(answers: Answers, metric: str, chosen: Mask) -> float | None:
    value = float(measured(answers.taken(np.flatnonzero(chosen)), [METRICS[metric]])[0])
    return value if np.isfinite(value) else None


def _parts(looked: Looked, columns: Sequence[str]) -> list[tuple[Slice, Mask]]:
    """Return the slices of all columns that hold enough rows, those with the most rows where there are very many."""
    parts: list[Slice] = []
    for column in columns:
        try:
            parts += [part for part in slices_of(looked.table, column).slices if len(part.rows) < looked.answers.rows]
        except InputError:  # a column that cannot be cut has no slice to be worst
            continue
    kept = [part for part in parts if len(part.rows) >= _least(looked.answers.rows)]
    kept.sort(key=lambda part: -len(part.rows))
    masked = []
    for part in kept[:_MOST_PARTS]:
        mask = np.zeros(looked.answers.rows, dtype=np.bool_)
        mask[part.rows] = True
        masked.append((part, mask))
    return masked


def _least(rows: int) -> int:
    return max(LEAST_ROWS, int(np.ceil(LEAST_SHARE * rows)))


def _searched(parts: Sequence[tuple[Slice, Mask]], losses: Floats, first: Mask) -> tuple[int, list[_Found]]:
    """Return how many slices were looked at, and the few in which the first half of the rows fares worst."""
    total = _Sums(losses, first)
    single = [_Found((part,), mask, total.excess(mask)) for part, mask in parts]
    single = sorted((each for each in single if np.isfinite(each.excess)), key=lambda each: -each.excess)
    crossed = [each for each in _crossed(single[:_BEAM], parts, total) if np.isfinite(each.excess)]
    ranked = sorted([*single, *crossed], key=lambda each: (-each.excess, len(each.conditions)))
    best: list[_Found] = []
    for each in ranked:
        if each.excess <= 0 or len(best) == _TESTED:
            break
        if all(_apart(each.mask, kept.mask) for kept in best):
            best.append(each)
    return len(single) + len(crossed), best


def _apart(one: Mask, other: Mask) -> bool:
    """Whether two slices are not nearly the same rows."""
    return bool((one & other).sum() < 0.8 * (one | other).sum())


def _crossed(best: Sequence[_Found], parts: Sequence[tuple[Slice, Mask]], total: "_Sums") -> Iterator[_Found]:
    seen: set[frozenset[tuple[str, str]]] = set()
    for each in best:
        (one,) = each.conditions
        for part, mask in parts:
            pair = frozenset({(one.column, one.value), (part.column, part.value)})
            if part.column == one.column or pair in seen:
                continue
            seen.add(pair)
            both = each.mask & mask
            if both.sum() < (1 - _LEAST_CHANGE) * min(each.mask.sum(), mask.sum()):
                yield _Found((one, part), both, total.excess(both))


class _Sums:
    """Losses of some rows, of which the mean of a slice is compared with the mean of the rest."""

    def __init__(self, losses: Floats, among: Mask) -> None:
        self._among = among
        # Centred and scaled, so that sums of squares lose nothing.
        centred = np.where(among, losses - losses[among].mean(), 0.0)
        scale = float(np.abs(centred).max()) or 1.0
        self._loss = centred / scale
        self._square = self._loss**2
        self.rows = int(among.sum())
        self._total = float(self._loss.sum()), float(self._square.sum())

    def excess(self, mask: Mask) -> float:
        """Return by how much the mean is surely above that of the rest: the difference less two standard errors.

        NaN where either side holds too few rows or nothing varies.
        """
        t, _, error = self._compared(mask)
        return (t - 2) * error

    def test(self, mask: Mask) -> tuple[float, float]:
        """Return Welch's t and its degrees of freedom; NaN as ``excess``."""
        return self._compared(mask)[:2]

    def _compared(self, mask: Mask) -> tuple[float, float, float]:
        inside = int((mask & self._among).sum())
        outside = self.rows - inside
        if min(inside, outside) < _least(self.rows):
            return float("nan"), float("nan"), float("nan")
        loss, square = float(self._loss[mask].sum()), float(self._square[mask].sum())
        means, errors = [], []
        for number, total, squares in ((inside, loss, square), (outside, self._total[0] - loss, self._total[1] - square)):
            means.append(total / number)
            errors.append(max(0.0, squares / number - (total / number) ** 2) / (number - 1))
        spread = sum(errors)
        if spread <= 0:
            return float("nan"), float("nan"), float("nan")
        freedom = spread**2 / (errors[0] ** 2 / (inside - 1) + errors[1] ** 2 / (outside - 1))
        return (means[0] - means[1]) / spread**0.5, freedom, spread**0.5


def _tested(found: _Found, losses: Floats, among: Mask) -> tuple[float, float]:
    """Return t and the one-sided p value on rows that did not choose the slice; p is 1 where too few are there."""
    from scipy.special import stdtr  # noqa: PLC0415 - heavy, and needed for these few figures alone

    t, freedom = _Sums(losses, among).test(found.mask)
    return (t, float(stdtr(freedom, -t))) if np.isfinite(t) else (0.0, 1.0)


def _holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for testing all of them, in their order."""
    corrected = [1.0] * len(p_values)
    highest = 0.0
    for rank, k in enumerate(sorted(range(len(p_values)), key=lambda k: p_values[k])):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[k]))
        corrected[k] = highest
    return corrected
