"""How well answers without a target fit the rows, one figure for each row: silhouettes, what components lose, neighbours kept.

Rows are looked at in one space, whatever the model makes of them: standardised numbers, one feature for each level, waves of
time, with the constants of the training rows. So candidates and champions are measured by the same distances.
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import silhouette_samples
from sklearn.neighbors import NearestNeighbors

from gnomon.training.distances import squared_distances
from gnomon.training.estimator_inputs import fit_for_distances
from gnomon.training.matrices import Matrices

Floats = NDArray[np.float64]

SAMPLED_ROWS = 2000
"""Rows whose distances to each other are taken; more are a sample drawn by the seed."""
LEARNT_ROWS = 20_000
"""Training rows from which the space and the way back from components are learnt; more are spaced evenly."""
_NEIGHBOURS = 5

_ROUNDING = 1e-12
"""Share of a sum of squares that is rounding."""


class Space:
    """The space of some training rows: their preprocessing."""

    def __init__(self, learnt: Matrices) -> None:
        self._preprocessing = fit_for_distances(learnt)

    def of(self, rows: Matrices) -> Floats:
        """Return the rows as points, (N, dimensions)."""
        return self._preprocessing.transform(rows).astype(np.float64)


def evenly(rows: NDArray[np.int64], most: int = LEARNT_ROWS) -> NDArray[np.int64]:
    """Return at most ``most`` of the rows, evenly spaced."""
    return rows[np.linspace(0, len(rows) - 1, min(most, len(rows))).astype(np.int64)]


def sampled(rows: int, seed: int, most: int = SAMPLED_ROWS) -> NDArray[np.int64]:
    """Return the indices of at most ``most`` of so many rows, drawn by the seed, in their order."""
    return np.sort(np.random.default_rng(seed).permutation(rows)[:most])


def silhouettes(points: Floats, clusters: NDArray[np.int64], seed: int) -> Floats:
    """Return the silhouette of every sampled row, NaN for the others, and for all where there is only one cluster.

    It is (b - a) / max(a, b): a is the mean distance to the rows of the same cluster, b that to the nearest other one's.
    Source: P. Rousseeuw (1987), J. Comput. Appl. Math. 20:53.
    """
    figures = np.full(len(points), np.nan)
    chosen = sampled(len(points), seed)
    if 2 <= len(np.unique(clusters[chosen])) < len(chosen):
        figures[chosen] = silhouette_samples(points[chosen], clusters[chosen])
    return figures


def way_back(components: Floats, points: Floats) -> Floats:
    """Return the linear map, (components + 1, dimensions), that brings components back to points with least squares."""
    return np.asarray(np.linalg.lstsq(_with_one(components), points, rcond=None)[0], dtype=np.float64)


def losses_of(components: Floats, points: Floats, back: Floats) -> Floats:
    """Return the squared distance of every point to what its components bring back, (N,)."""
    return np.asarray(np.square(points - _with_one(components) @ back).sum(axis=1))


def _with_one(components: Floats) -> Floats:
    return np.concatenate([components, np.ones((len(components), 1))], axis=1)


def kept_neighbours(points: Floats, components: Floats, seed: int) -> Floats:
    """Return the trustworthiness of every sampled row, NaN for the others; its mean is that of the whole.

    It is 1 less what rows cost that are near among the components but not in the space: their rank there beyond the number
    of neighbours. Source: J. Venna & S. Kaski (2001), Neighborhood preservation in nonlinear projection methods, ICANN.
    """
    figures = np.full(len(points), np.nan)
    chosen = sampled(len(points), seed)
    rows, neighbours = len(chosen), min(_NEIGHBOURS, (len(chosen) - 1) // 2)
    if neighbours < 1:
        return figures
    apart = squared_distances(points[chosen], points[chosen])
    np.fill_diagonal(apart, -np.inf)
    ranks = np.argsort(np.argsort(apart, axis=1, kind="stable"), axis=1, kind="stable")
    finder = NearestNeighbors(n_neighbors=neighbours).fit(components[chosen])
    near = finder.kneighbors(return_distance=False)
    beyond = np.maximum(0, np.take_along_axis(ranks, near, axis=1) - neighbours).sum(axis=1)
    figures[chosen] = 1 - beyond * 2 / (neighbours * (2 * rows - 3 * neighbours - 1))
    return figures


def calinski_harabasz(points: Floats, clusters: NDArray[np.int64], counts: Floats) -> Floats:
    """Return the variance between clusters over that within, each by its degrees of freedom, for each row of ``counts``.

    Source: T. Calinski & J. Harabasz (1974), Communications in Statistics 3:1.
    """
    centred = points - points.mean(axis=0)
    rows = counts.sum(axis=1)
    whole = counts @ centred / rows[:, np.newaxis]
    between, squares, filled = np.zeros(len(counts)), counts @ np.square(centred).sum(axis=1), np.zeros(len(counts))
    within = squares.copy()
    for cluster in np.unique(clusters):
        members = clusters == cluster
        number = counts[:, members].sum(axis=1)
        sums = counts[:, members] @ centred[members]
        middle = sums / np.maximum(number, 1)[:, np.newaxis]
        between += number * np.square(middle - whole).sum(axis=1)
        within -= number * np.square(middle).sum(axis=1)
        filled += number > 0
    # What is left within clusters whose points are all alike is rounding.
    possible = (filled > 1) & (rows > filled) & (within > _ROUNDING * squares)
    figure = between * (rows - filled) / np.where(possible, within * (filled - 1), np.nan)
    return np.asarray(figure)


def davies_bouldin(points: Floats, clusters: NDArray[np.int64], counts: Floats) -> Floats:
    """Return how wide clusters are compared with how far apart, for each row of ``counts``; the centres are those of all rows.

    It is the mean over clusters of the worst (s_i + s_j) / d_ij. Source: D. Davies & D. Bouldin (1979), IEEE TPAMI 1:224.
    """
    names = np.unique(clusters)
    if len(names) < 2:
        return np.full(len(counts), np.nan)
    centres = np.stack([points[clusters == name].mean(axis=0) for name in names])
    own = np.sqrt(np.square(points - centres[np.searchsorted(names, clusters)]).sum(axis=1))
    number = np.stack([counts[:, clusters == name].sum(axis=1) for name in names], axis=1)
    spread = np.stack([counts[:, clusters == name] @ own[clusters == name] for name in names], axis=1) / np.maximum(number, 1)
    apart = np.sqrt(np.square(centres[:, np.newaxis] - centres[np.newaxis]).sum(axis=2))
    np.fill_diagonal(apart, np.inf)
    filled = number > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = (spread[:, :, np.newaxis] + spread[:, np.newaxis, :]) / apart
    both = filled[:, :, np.newaxis] & filled[:, np.newaxis, :]
    worst = np.where(both, np.nan_to_num(ratios, nan=0.0), 0.0).max(axis=2)
    total = filled.sum(axis=1)
    return np.asarray(np.where(filled, worst, 0.0).sum(axis=1) / np.where(total > 1, total, np.nan))
