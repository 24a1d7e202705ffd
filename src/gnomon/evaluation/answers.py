"""What a model answered beside what is true, and how often each row counts: what every metric is a function of."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Answers:
    """What a model answered, beside what is true. ``n`` rows; ``K`` classes.

    Args:
        actual: Regression: the true values, float64 (n,). Classification: the index of the true class, int64 (n,); a class
            that the model does not know has the index ``len(classes)``.
        predicted: The same of the model's answers.
        probabilities: Classification: float64 (n, K), rows summing to 1. Regression: None.
        classes: The class names in the order of ``probabilities``; empty for regression.
        task: The task; empty where ``probabilities`` tell whether it is a classification or a regression.
        asked_class: The one class that precision, recall and F1 are about, such as the anomalous one; None for all.
        naive_error: Forecasts: the mean absolute error of the naive forecast on the training rows.
        contamination: Anomalies: the share of rows that is taken to be anomalous.
        points: Clusters: the rows in the space that distances are taken in, (n, dimensions).
        figures: Figures of single rows that metrics are means of, by name, (n,); NaN for rows that are not looked at.
    """

    actual: NDArray[np.float64] | NDArray[np.int64]
    predicted: NDArray[np.float64] | NDArray[np.int64]
    probabilities: Floats | None = None
    classes: tuple[str, ...] = ()
    task: str = ""
    asked_class: int | None = None
    naive_error: float = float("nan")
    contamination: float = float("nan")
    points: Floats | None = None
    figures: Mapping[str, Floats] = field(default_factory=dict)

    @property
    def asked_classes(self) -> NDArray[np.bool_]:
        """The classes that precision, recall and F1 are about, (K + 1,); the last are those that are not known."""
        if self.asked_class is None:
            return np.ones(len(self.classes) + 1, dtype=np.bool_)
        return np.asarray(np.arange(len(self.classes) + 1) == self.asked_class)

    @property
    def rows(self) -> int:
        """How many rows were answered."""
        return len(self.actual)

    def taken(self, rows: NDArray[np.int64]) -> "Answers":
        """Return the answers to some of the rows."""
        return replace(
            self,
            actual=self.actual[rows],
            predicted=self.predicted[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            points=None if self.points is None else self.points[rows],
            figures={name: figure[rows] for name, figure in self.figures.items()},
        )

    @property
    def told_probability(self) -> tuple[Floats, NDArray[np.bool_]]:
        """A probability of each row, and whether it came true: of the second of two classes, or of the class answered."""
        if self.probabilities is None:
            raise ValueError("the model gives no probabilities")
        if len(self.classes) == 2:
            return self.probabilities[:, 1], np.asarray(self.actual == 1)
        return self.probabilities.max(axis=1), np.asarray(self.actual == self.predicted)

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

    def known_mean(self, figure: str) -> Floats:
        """Return the mean of one of the ``figures`` over the rows that have it, in each resample, (B,); NaN where none has."""
        per_row = self.answers.figures.get(figure)
        if per_row is None:
            return np.full(len(self.counts), np.nan)
        known = np.isfinite(per_row)
        number = self.counts[:, known].sum(axis=1)
        return np.asarray(self.counts[:, known] @ per_row[known] / np.where(number > 0, number, np.nan))

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
