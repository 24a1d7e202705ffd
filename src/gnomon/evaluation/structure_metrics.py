"""Metrics of what is learnt without a target: clusters, densities, components, anomalies."""

import numpy as np

from gnomon.evaluation.answers import CountedAnswers, Floats
from gnomon.training.structure import calinski_harabasz, davies_bouldin


def silhouette(rows: CountedAnswers) -> Floats:
    """Return the mean silhouette, in [-1, 1]: how much nearer a row is to its own cluster than to the next one."""
    return rows.known_mean("silhouette")


def davies_bouldin_index(rows: CountedAnswers) -> Floats:
    """Return how wide clusters are compared with how far apart; 0 is best. The centres are those of all rows."""
    points = rows.answers.points
    if points is None:
        return np.full(len(rows.counts), np.nan)
    return davies_bouldin(points, np.asarray(rows.answers.predicted, dtype=np.int64), rows.counts)


def calinski_harabasz_index(rows: CountedAnswers) -> Floats:
    """Return the variance between clusters over the variance within, by their degrees of freedom."""
    points = rows.answers.points
    if points is None:
        return np.full(len(rows.counts), np.nan)
    return calinski_harabasz(points, np.asarray(rows.answers.predicted, dtype=np.int64), rows.counts)


def log_likelihood(rows: CountedAnswers) -> Floats:
    """Return the mean log-density of the rows, in nats."""
    return rows.mean(np.asarray(rows.answers.predicted, dtype=np.float64))


def explained_variance(rows: CountedAnswers) -> Floats:
    """Return the share of the rows' variance that components bring back linearly; 1 is all, there is no lower end."""
    whole = rows.known_mean("whole")
    return 1 - rows.known_mean("lost") / np.where(whole > 0, whole, np.nan)


def reconstruction_error(rows: CountedAnswers) -> Floats:
    """Return the root mean squared distance of rows to what their components bring back, in deviations."""
    return np.sqrt(rows.known_mean("lost"))


def trustworthiness(rows: CountedAnswers) -> Floats:
    """Return how far rows that are near among the components are near at all, in [0, 1]; see ``structure``."""
    return rows.known_mean("trustworthiness")


def anomaly_share(rows: CountedAnswers) -> Floats:
    """Return the share of rows that are taken to be anomalous."""
    return rows.mean(np.asarray(rows.answers.predicted, dtype=np.float64))


def share_error(rows: CountedAnswers) -> Floats:
    """Return how far the share of rows that are taken to be anomalous is from the share that was asked for."""
    return np.abs(anomaly_share(rows) - rows.answers.contamination)
