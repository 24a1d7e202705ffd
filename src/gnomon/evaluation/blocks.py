"""How many neighbouring rows are drawn together where rows stand in the order of time, and resemble their neighbours.

Source: Politis & White (2004), Econometric Reviews 23:53, with the correction of Patton, Politis & White (2009), 28:372; the
rule for the circular block bootstrap.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_SURE = 2.0
"""Deviations from which on a correlation counts as one."""


def block_length(series: Floats) -> int:
    """Return the length of blocks for a mean of a series in the order of time; 1 where neighbours do not resemble each other.

    It is at most three square roots of the number of values, and a third of them.
    """
    rows = len(series)
    if rows < 20 or not np.isfinite(series).all():
        return 1
    centred = series - series.mean()
    if not np.any(centred):
        return 1
    run = max(5, int(np.ceil(np.sqrt(np.log10(rows)))))
    most = int(np.ceil(np.sqrt(rows))) + run
    covariance = _autocovariance(centred / np.abs(centred).max(), most + run)
    small = np.abs(covariance[1:] / covariance[0]) < _SURE * np.sqrt(np.log10(rows) / rows)
    quiet = [lag for lag in range(most) if small[lag : lag + run].all()]
    cut = min(most, max(1, 2 * (quiet[0] if quiet else most)))
    lags = np.arange(1, cut + 1)
    weights = np.minimum(1.0, 2 * (1 - lags / cut))
    variance = covariance[0] + 2 * float(weights @ covariance[1 : cut + 1])
    curvature = 2 * float((weights * lags) @ covariance[1 : cut + 1])
    if variance <= 0:
        return 1
    best = (1.5 * curvature**2 / variance**2 * rows) ** (1 / 3)
    return int(np.clip(np.ceil(best), 1, max(1, min(3 * np.sqrt(rows), rows / 3))))


def _autocovariance(centred: Floats, most: int) -> Floats:
    """Return the autocovariances of lags 0 to ``most``, by Fourier transform."""
    size = 1 << int(np.ceil(np.log2(2 * len(centred))))
    spectrum = np.abs(np.fft.rfft(centred, size)) ** 2
    found = np.zeros(most + 1)
    kept = min(most + 1, len(centred))
    found[:kept] = np.fft.irfft(spectrum, size)[:kept] / len(centred)
    return found
