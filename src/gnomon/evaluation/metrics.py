"""What a metric is: its formula, its direction, and the tasks it belongs to.

Every metric is a function of :class:`CountedAnswers`: the answers of a model beside the truth, and how often each row
counts. Counting every row once gives the metric itself; counting rows as a bootstrap drew them gives its distribution,
for all resamples at once. So there is one formula for both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Direction = Literal["loss", "score"]
Floats = NDArray[np.float64]

SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Artifacts answer in float32: a probability below its resolution is not told from zero. scikit-learn clips there too."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answered, beside what is true. ``n`` rows; ``K`` classes.

    Args:
        actual: Regression: the true values, float64 (n,). Classification: the index of the true class, int64 (n,); a class
            that the model does not know has the index ``len(classes)``.
        predicted: The same of the model's answers.
        probabilities: Classification: float64 (n, K), rows summing to 1. Regression: None.
        classes: The class names in the order of ``probabilities``; empty for regression.
    """

    actual: NDArray[np.float64] | NDArray[np.int64]
    predicted: NDArray[np.float64] | NDArray[np.int64]
    probabilities: Floats | None = None
    classes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(self.actual)

    @cached_property
    def rankings(self) -> tuple["Ranking", ...]:
        """The rows ranked by the probability of each class that ``roc_auc`` asks; none where a probability is missing."""
        if self.probabilities is None or not np.isfinite(self.probabilities).all():
            return ()
        asked = [1] if len(self.classes) == 2 else range(len(self.classes))
        return tuple(_ranking(self.probabilities[:, k], self.actual == k) for k in asked)


@dataclass(frozen=True, eq=False)
class Ranking:
    """Rows in ascending order of a score: ``positive`` (n,) follows ``order``, ``starts`` begins every distinct score."""

    order: NDArray[np.int64]
    starts: NDArray[np.int64]
    positive: NDArray[np.float64]


def _ranking(score: Floats, positive: NDArray[np.bool_]) -> Ranking:
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.diff(score[order], prepend=np.nan) != 0)
    return Ranking(order, starts, positive[order].astype(np.float64))


@dataclass(frozen=True, eq=False)
class CountedAnswers:
    """Answers, and how often each row counts in each of ``B`` resamples: ``counts`` is (B, n), not negative."""

    answers: Answers
    counts: NDArray[np.float64]

    @cached_property
    def total(self) -> Floats:
        """How many rows count, (B,)."""
        return np.asarray(self.counts.sum(axis=1), dtype=np.float64)

    def mean(self, per_row: Floats) -> Floats:
        """Return the mean of one figure per row, (n,), in each resample, (B,)."""
        return np.asarray(self.counts @ per_row / self.total)

    @cached_property
    def errors(self) -> Floats:
        """Predicted minus actual, (n,). Regression only."""
        return np.asarray(self.answers.predicted - self.answers.actual, dtype=np.float64)

    @cached_property
    def confusion(self) -> Floats:
        """How often class i was answered with class j, (B, K + 1, K + 1); the last row holds classes that are not known."""
        size = len(self.answers.classes) + 1
        cells = self.answers.actual * size + self.answers.predicted
        flat = [np.bincount(cells, weights=counts, minlength=size * size) for counts in self.counts]
        return np.asarray(flat, dtype=np.float64).reshape(-1, size, size)

    @cached_property
    def hits(self) -> tuple[Floats, Floats, Floats]:
        """Right answers, true rows and answers of each class: three arrays of (B, K + 1)."""
        return np.einsum("bkk->bk", self.confusion), self.confusion.sum(axis=2), self.confusion.sum(axis=1)


def once(answers: Answers) -> CountedAnswers:
    """Return the answers with every row counting once."""
    return CountedAnswers(answers, np.ones((1, answers.rows)))


def rmse(rows: CountedAnswers) -> Floats:
    """Return the root mean squared error: sqrt(mean((predicted - actual)²)), in the unit of the target; 0 is perfect."""
    return np.sqrt(rows.mean(rows.errors**2))


def mae(rows: CountedAnswers) -> Floats:
    """Return the mean absolute error: mean(|predicted - actual|), in the unit of the target; 0 is perfect."""
    return rows.mean(np.abs(rows.errors))


def r2(rows: CountedAnswers) -> Floats:
    """Return the coefficient of determination: 1 - sum((predicted - actual)²) / sum((actual - mean(actual))²).

    1 is perfect, 0 is as good as the mean of the rows, and there is no lower end. NaN where the target is constant.
    """
    # Centred first: the difference of two large sums would lose what is asked for.
    centred = np.asarray(rows.answers.actual - np.mean(rows.answers.actual), dtype=np.float64)
    variance = rows.mean(centred**2) - rows.mean(centred) ** 2
    # A variance below what float64 resolves of these values is a constant target.
    constant = variance <= np.finfo(np.float64).eps * np.max(centred**2, initial=0.0)
    return 1 - rows.mean(rows.errors**2) / np.where(constant, np.nan, variance)


def accuracy(rows: CountedAnswers) -> Floats:
    """Return the share of rows with the right class, in [0, 1]."""
    return rows.mean((rows.answers.predicted == rows.answers.actual).astype(np.float64))


def balanced_accuracy(rows: CountedAnswers) -> Floats:
    """Return the mean, over the classes that occur, of the share of their rows that are found, in [0, 1].

    Source: Brodersen et al. (2010), The balanced accuracy and its posterior distribution, ICPR.
    """
    right, true, _ = rows.hits
    return _mean_over(_ratio(right, true), true > 0)


def precision(rows: CountedAnswers) -> Floats:
    """Return the macro precision: the mean over classes of right answers / answers, in [0, 1].

    A class counts if it occurs among the rows or among the answers; one that is never answered has precision 0. Two
    classes are no exception: which of them is the positive one is not known here, and both count the same.
    """
    right, true, answered = rows.hits
    return _mean_over(_ratio(right, answered), (true + answered) > 0)


def recall(rows: CountedAnswers) -> Floats:
    """Return the macro recall: the mean over classes of right answers / true rows, in [0, 1].

    A class counts if it occurs among the rows or among the answers; one that does not occur has recall 0.
    """
    right, true, answered = rows.hits
    return _mean_over(_ratio(right, true), (true + answered) > 0)


def f1(rows: CountedAnswers) -> Floats:
    """Return the macro F1: the mean over classes of 2 * right / (true rows + answers), in [0, 1].

    That is the harmonic mean of precision and recall of each class. A class counts if it occurs among the rows or among
    the answers. Two classes are no exception: which of them is the positive one is not known here, and both count the same.
    """
    right, true, answered = rows.hits
    return _mean_over(_ratio(2 * right, true + answered), (true + answered) > 0)


def log_loss(rows: CountedAnswers) -> Floats:
    """Return the mean of -ln(probability of the true class), in nats; 0 is perfect.

    Probabilities are clipped at float32's resolution, 1.2e-7, so one row costs at most 15.9. So does a class unknown to
    the model.
    """
    probabilities = rows.answers.probabilities
    if probabilities is None:
        return np.full(len(rows.counts), np.nan)
    known = rows.answers.actual < len(rows.answers.classes)
    chosen = probabilities[np.arange(rows.answers.rows), np.where(known, rows.answers.actual, 0)]
    return rows.mean(-np.log(np.clip(np.where(known, chosen, 0.0), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)))


def roc_auc(rows: CountedAnswers) -> Floats:
    """Return the area under the ROC curve, in [0, 1]; 0.5 is chance.

    It is the probability that a row of the class gets a higher probability than another row, ties counting half. With two
    classes that is one figure, whichever class is asked; with more, it is the mean over the classes against the rest
    (one-vs-rest, macro) of those that have rows on both sides. NaN where no class has.

    Source: Hanley & McNeil (1982), Radiology 143:29; Fawcett (2006), Pattern Recognition Letters 27:861.
    """
    rankings = rows.answers.rankings
    if not rankings:
        return np.full(len(rows.counts), np.nan)
    areas = np.stack([_area(ranking, rows.counts) for ranking in rankings], axis=1)
    return _mean_over(np.nan_to_num(areas), ~np.isnan(areas))


def _area(ranking: Ranking, counts: Floats) -> Floats:
    """Return the area under the ROC curve in each resample; NaN without rows on both sides."""
    area = np.empty(len(counts))
    for resample, row_counts in enumerate(counts):
        ordered = row_counts[ranking.order]
        above = np.add.reduceat(ordered * ranking.positive, ranking.starts)
        below = np.add.reduceat(ordered, ranking.starts) - above
        pairs = above.sum() * below.sum()
        won = above @ (np.cumsum(below) - below / 2)
        area[resample] = won / pairs if pairs > 0 else np.nan
    return area


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Return part / whole, and 0 where the whole is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _mean_over(values: Floats, chosen: NDArray[np.bool_]) -> Floats:
    """Return the mean of each row's chosen values; NaN where none is chosen."""
    number = chosen.sum(axis=1)
    return np.asarray(np.where(chosen, values, 0.0).sum(axis=1) / np.where(number > 0, number, np.nan))


@dataclass(frozen=True)
class MetricInfo:
    """A metric of ``resources.model.Metric``: ``loss`` means that less is better, ``score`` that more is."""

    name: str
    direction: Direction
    tasks: tuple[str, ...]
    function: Callable[[CountedAnswers], Floats]
    undefined: str = ""
    """Why the metric can be NaN on good rows."""


def _table(*infos: MetricInfo) -> Mapping[str, MetricInfo]:
    return MappingProxyType({info.name: info for info in infos})


_REGRESSION = ("regression",)
_CLASSIFICATION = ("classification",)

METRICS: Mapping[str, MetricInfo] = _table(
    MetricInfo("rmse", "loss", _REGRESSION, rmse),
    MetricInfo("mae", "loss", _REGRESSION, mae),
    MetricInfo("r2", "score", _REGRESSION, r2, "the target is constant on these rows"),
    MetricInfo("accuracy", "score", _CLASSIFICATION, accuracy),
    MetricInfo("balancedAccuracy", "score", _CLASSIFICATION, balanced_accuracy),
    MetricInfo("f1", "score", _CLASSIFICATION, f1),
    MetricInfo("precision", "score", _CLASSIFICATION, precision),
    MetricInfo("recall", "score", _CLASSIFICATION, recall),
    MetricInfo("logLoss", "loss", _CLASSIFICATION, log_loss, "the model gives no probabilities"),
    MetricInfo("rocAuc", "score", _CLASSIFICATION, roc_auc, "no class has rows on both sides, or there are no probabilities"),
)
"""Every metric of the test rows, in the order in which reports list them."""


def metrics_of(task: str) -> tuple[MetricInfo, ...]:
    """Return the metrics that belong to a task."""
    return tuple(info for info in METRICS.values() if task in info.tasks)
