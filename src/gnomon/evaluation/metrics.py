"""What a metric is: its formula, its direction, and the tasks it belongs to.

Every metric is a function of :class:`CountedAnswers`: the answers of a model beside the truth, and how often each row
counts. Counting every row once gives the metric itself; counting rows as a bootstrap drew them gives its distribution,
for all resamples at once. So there is one formula for both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gnomon.evaluation.answers import CountedAnswers, Floats, Ranking
from gnomon.evaluation.structure_metrics import (
    anomaly_share,
    calinski_harabasz_index,
    davies_bouldin_index,
    explained_variance,
    log_likelihood,
    reconstruction_error,
    share_error,
    silhouette,
    trustworthiness,
)
from gnomon.resources.learning import LABEL_METRICS

Direction = Literal["loss", "score"]

CALIBRATION_BINS = 10
SMALLEST_PROBABILITY = float(np.finfo(np.float32).eps)
"""Artifacts answer in float32: a probability below its resolution is not told from zero. scikit-learn clips there too."""


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
    return _mean_over(_ratio(right, answered), ((true + answered) > 0) & rows.answers.asked_classes)


def recall(rows: CountedAnswers) -> Floats:
    """Return the macro recall: the mean over classes of right answers / true rows, in [0, 1].

    A class counts if it occurs among the rows or among the answers; one that does not occur has recall 0.
    """
    right, true, answered = rows.hits
    return _mean_over(_ratio(right, true), ((true + answered) > 0) & rows.answers.asked_classes)


def f1(rows: CountedAnswers) -> Floats:
    """Return the macro F1: the mean over classes of 2 * right / (true rows + answers), in [0, 1].

    That is the harmonic mean of precision and recall of each class. A class counts if it occurs among the rows or among
    the answers. Two classes are no exception: which of them is the positive one is not known here, and both count the same.
    """
    right, true, answered = rows.hits
    return _mean_over(_ratio(2 * right, true + answered), ((true + answered) > 0) & rows.answers.asked_classes)


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


def brier_losses(probabilities: Floats, actual: NDArray[np.int64]) -> Floats:
    """Return the squared distance of each row's probabilities from the true class, (n,), in [0, 2].

    A class that the model does not know is at distance sum(p²) + 1.
    """
    known = actual < probabilities.shape[1]
    chosen = np.where(known, probabilities[np.arange(len(actual)), np.where(known, actual, 0)], 0.0)
    return np.asarray(np.square(probabilities).sum(axis=1) - 2 * chosen + 1)


def brier(rows: CountedAnswers) -> Floats:
    """Return the Brier score: the mean over rows of sum over classes of (probability - truth)², in [0, 2]; 0 is perfect.

    With two classes that is twice the squared error of the probability of one of them.
    Source: Brier (1950), Monthly Weather Review 78:1.
    """
    if rows.answers.probabilities is None:
        return np.full(len(rows.counts), np.nan)
    return rows.mean(brier_losses(rows.answers.probabilities, np.asarray(rows.answers.actual, dtype=np.int64)))


def calibration_error(rows: CountedAnswers) -> Floats:
    """Return the expected calibration error, in [0, 1]: how far given probabilities are from the shares that came true.

    Rows are put into ten bins of equal width by the probability of the second of two classes, or of the class that was
    answered where there are more. It is the mean over bins, weighted by rows, of |mean probability - share that was true|.
    Few rows have one above 0 also where probabilities are honest.
    Source: Pakdaman Naeini, Cooper & Hauskrecht (2015), AAAI; Guo et al. (2017), ICML.
    """
    if rows.answers.probabilities is None or not np.isfinite(rows.answers.probabilities).all():
        return np.full(len(rows.counts), np.nan)
    score, happened = rows.answers.told_probability
    bins = np.clip((score * CALIBRATION_BINS).astype(np.int64), 0, CALIBRATION_BINS - 1)
    apart = np.zeros((len(score), CALIBRATION_BINS))
    apart[np.arange(len(score)), bins] = happened - score
    return np.asarray(np.abs(rows.counts @ apart).sum(axis=1) / rows.total)


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


def average_precision(rows: CountedAnswers) -> Floats:
    """Return the mean precision over the anomalous rows, ranked by their score, in [0, 1]; chance is their share.

    Rows of equal score come together. NaN where no row is anomalous.
    Source: W. Su, Y. Yuan & M. Zhu (2015), A relationship between the average precision and the area under the ROC curve.
    """
    rankings = rows.answers.rankings
    if not rankings:
        return np.full(len(rows.counts), np.nan)
    (ranking,) = rankings
    figures = np.empty(len(rows.counts))
    for resample, row_counts in enumerate(rows.counts):
        ordered = row_counts[ranking.order]
        found = np.add.reduceat(ordered * ranking.positive, ranking.starts)[::-1]
        looked_at = np.cumsum(np.add.reduceat(ordered, ranking.starts)[::-1])
        precision_there = np.divide(np.cumsum(found), looked_at, out=np.zeros_like(looked_at), where=looked_at > 0)
        figures[resample] = found @ precision_there / found.sum() if found.sum() > 0 else np.nan
    return figures


def mape(rows: CountedAnswers) -> Floats:
    """Return the mean of |predicted - actual| / |actual|; 0 is perfect. NaN where an actual value is 0."""
    sizes = np.abs(np.asarray(rows.answers.actual, dtype=np.float64))
    if not sizes.all():
        return np.full(len(rows.counts), np.nan)
    return rows.mean(np.abs(rows.errors) / sizes)


def smape(rows: CountedAnswers) -> Floats:
    """Return the mean of 2 |predicted - actual| / (|actual| + |predicted|), in [0, 2]; where both are 0, that is 0."""
    both = np.abs(np.asarray(rows.answers.actual, dtype=np.float64)) + np.abs(rows.answers.predicted)
    return rows.mean(np.divide(2 * np.abs(rows.errors), both, out=np.zeros_like(both), where=both > 0))


def mase(rows: CountedAnswers) -> Floats:
    """Return the mean absolute error over that of the naive forecast on the training rows; below 1 is better than naive.

    The naive forecast is the value one season back, or the last one that is known. NaN where it was never wrong.
    Source: R. Hyndman & A. Koehler (2006), Another look at measures of forecast accuracy, Int. J. Forecasting 22:679.
    """
    scale = rows.answers.naive_error
    return mae(rows) / scale if scale > 0 else np.full(len(rows.counts), np.nan)


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


_REGRESSION = ("regression", "forecasting")
_CLASSIFICATION = ("classification",)
_CLASSES = ("classification", "anomaly")
_CLUSTERS = "the rows are in one cluster"

METRICS: Mapping[str, MetricInfo] = _table(
    MetricInfo("rmse", "loss", _REGRESSION, rmse),
    MetricInfo("mae", "loss", _REGRESSION, mae),
    MetricInfo("r2", "score", _REGRESSION, r2, "the target is constant on these rows"),
    MetricInfo("mape", "loss", ("forecasting",), mape, "an actual value is 0"),
    MetricInfo("smape", "loss", ("forecasting",), smape),
    MetricInfo("mase", "loss", ("forecasting",), mase, "the naive forecast was never wrong on the training rows"),
    MetricInfo("accuracy", "score", _CLASSIFICATION, accuracy),
    MetricInfo("balancedAccuracy", "score", _CLASSIFICATION, balanced_accuracy),
    MetricInfo("f1", "score", _CLASSES, f1, "no row is anomalous, or answered to be"),
    MetricInfo("precision", "score", _CLASSES, precision, "no row is anomalous, or answered to be"),
    MetricInfo("recall", "score", _CLASSES, recall, "no row is anomalous, or answered to be"),
    MetricInfo("logLoss", "loss", _CLASSIFICATION, log_loss, "the model gives no probabilities"),
    MetricInfo("brier", "loss", _CLASSIFICATION, brier, "the model gives no probabilities"),
    MetricInfo("calibrationError", "loss", _CLASSIFICATION, calibration_error, "the model gives no probabilities"),
    MetricInfo("rocAuc", "score", _CLASSES, roc_auc, "no class has rows on both sides, or there are no probabilities"),
    MetricInfo("averagePrecision", "score", ("anomaly",), average_precision, "no row is anomalous"),
    MetricInfo("silhouette", "score", ("clustering",), silhouette, _CLUSTERS),
    MetricInfo("daviesBouldin", "loss", ("clustering",), davies_bouldin_index, _CLUSTERS),
    MetricInfo("calinskiHarabasz", "score", ("clustering",), calinski_harabasz_index, _CLUSTERS),
    MetricInfo("logLikelihood", "score", ("density",), log_likelihood),
    MetricInfo("explainedVariance", "score", ("reduction",), explained_variance, "the rows do not vary"),
    MetricInfo("reconstructionError", "loss", ("reduction",), reconstruction_error),
    MetricInfo("trustworthiness", "score", ("reduction",), trustworthiness, "there are too few rows"),
    MetricInfo("shareError", "loss", ("anomaly",), share_error),
    MetricInfo("anomalyShare", "loss", ("anomaly",), anomaly_share),
)
"""Every metric of the test rows, in the order in which reports list them."""


def metrics_of(task: str, *, labelled: bool = True) -> tuple[MetricInfo, ...]:
    """Return the metrics that belong to a task; of anomalies without labels, those that need none."""
    needs_labels = LABEL_METRICS if task == "anomaly" and not labelled else frozenset()
    return tuple(info for info in METRICS.values() if task in info.tasks and info.name not in needs_labels)
