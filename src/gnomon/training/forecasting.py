"""The past of a target becomes columns that are known when a forecast is made: values at least the horizon back.

A forecast for a row looks at the rows of its series in the order of time. Steps are counted in rows, so a gap in a series
makes its past older, never younger; where the horizon is a duration, a value that is not that old is missing.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from gnomon.errors import TrainingError
from gnomon.resources.expressions.nodes import Node, Window

_MICROSECOND = timedelta(microseconds=1)
_MINUTE, _HOUR, _DAY = 60_000_000, 3_600_000_000, 86_400_000_000
_SEASONS: tuple[tuple[int, int, int], ...] = (
    (15 * _MINUTE, 15 * _MINUTE, 96),
    (30 * _MINUTE, 30 * _MINUTE, 48),
    (_HOUR, _HOUR, 24),
    (_DAY, _DAY, 7),
    (7 * _DAY, 7 * _DAY, 52),
    (28 * _DAY, 31 * _DAY, 12),
    (90 * _DAY, 92 * _DAY, 4),
)
"""From which step to which step, in microseconds, after how many steps the pattern repeats."""

_RECENT = 3
"""How many of the newest known values are columns of their own."""
_WINDOW = 7
"""Over how many values the mean is taken where there is no season."""


@dataclass(frozen=True)
class Forecast:
    """What a model declares of its forecasts: ``horizon`` in steps or as a duration, series, season in steps."""

    horizon: int | timedelta
    series: tuple[str, ...] = ()
    season: int | None = None


def forecast_of(declared: Mapping[str, Any]) -> Forecast:
    """Return what the step was given as JSON values."""
    steps, microseconds = declared["steps"], declared["microseconds"]
    horizon = steps if steps is not None else timedelta(microseconds=microseconds)
    return Forecast(horizon, tuple(declared["series"]), declared["season"])


@dataclass(frozen=True, eq=False)
class Past:
    """A table in the order of series and time, with the columns of the past.

    Args:
        frame: The table.
        columns: Names of the columns of the past, float64.
        naive: The one that is the naive forecast: the value one season back, or the last known one.
        horizon: How many steps ahead is forecast.
        ahead: The same as a time.
        season: After how many steps the pattern repeats; 0 where that is not known.
    """

    frame: pl.DataFrame
    columns: tuple[str, ...]
    naive: str
    horizon: int
    ahead: timedelta
    season: int


def with_past(frame: pl.DataFrame, target: str, time: str, forecast: Forecast) -> Past:
    """Return the table with the past of its target.

    Raises:
        TrainingError: Two rows of a series have the same time, or the series are too short for the horizon.
    """
    frame = frame.sort([*forecast.series, time], maintain_order=True)
    _refuse_doubled(frame, time, forecast.series)
    step = _step(frame, time, forecast.series)
    if isinstance(forecast.horizon, timedelta):
        horizon, ahead = max(1, -(-forecast.horizon // step)), forecast.horizon
    else:
        horizon, ahead = forecast.horizon, forecast.horizon * step
    season = forecast.season or _season(step)
    back = -(-horizon // season) * season if season else horizon
    made = dict(_columns(target, forecast, horizon, season, back))
    if taken := [name for name in made if name in frame.columns]:
        raise TrainingError(f"the column {taken[0]} is made for forecasts, and the dataset has one too", "rename that one")
    oldest = pl.col(time) - _by_series(pl.col(time).shift(horizon), forecast.series) >= ahead
    if isinstance(forecast.horizon, timedelta):
        made = {name: pl.when(oldest).then(value) for name, value in made.items()}
    frame = frame.with_columns(value.cast(pl.Float64).alias(name) for name, value in made.items())
    known = [name for name in made if frame[name].null_count() < frame.height]
    if not known:
        raise TrainingError(
            f"no row has a value of {target} {_told(horizon, ahead)} earlier",
            "shorten the horizon, or give the series more rows",
        )
    naive = _lag_name(target, back) if _lag_name(target, back) in known else known[0]
    return Past(frame, tuple(known), naive, horizon, ahead, season)


def _columns(target: str, forecast: Forecast, horizon: int, season: int, back: int) -> Iterator[tuple[str, pl.Expr]]:
    value = pl.col(target)
    lags = [*range(horizon, horizon + _RECENT), *([back, back + season] if season else [])]
    for lag in dict.fromkeys(lags):
        yield _lag_name(target, lag), _by_series(value.shift(lag), forecast.series)
    window = season or _WINDOW
    mean = value.cast(pl.Float64).shift(horizon).rolling_mean(window, min_samples=max(1, window // 2))
    yield f"{target}_mean_{window}_lag_{horizon}", _by_series(mean, forecast.series)


def _lag_name(target: str, lag: int) -> str:
    return f"{target}_lag_{lag}"


def _by_series(value: pl.Expr, series: Sequence[str]) -> pl.Expr:
    return value.over(series) if series else value


def _told(horizon: int, ahead: timedelta) -> str:
    return f"{horizon} step{'' if horizon == 1 else 's'} ({ahead})"


def _refuse_doubled(frame: pl.DataFrame, time: str, series: Sequence[str]) -> None:
    doubled = frame.select(*series, time).is_duplicated()
    if not doubled.any():
        return
    first = frame.filter(doubled).row(0, named=True)
    whose = f" of the series {', '.join(str(first[name]) for name in series)}" if series else ""
    raise TrainingError(
        f"{int(doubled.sum())} rows share their series and time, such as {first[time]:%Y-%m-%dT%H:%M:%SZ}{whose}",
        "name the columns that tell series apart: series: [COLUMN]" if not series else "keep one row for each series and time",
    )


def _step(frame: pl.DataFrame, time: str, series: Sequence[str]) -> timedelta:
    """Return the most frequent time between neighbouring rows of a series, the shortest of equally frequent ones."""
    apart = frame.select(_by_series(pl.col(time).dt.epoch("us").diff(), series).alias("apart"))["apart"].drop_nulls()
    if apart.is_empty():
        raise TrainingError("no series has two rows", "give the dataset more rows, or check series")
    counts = Counter(apart.to_list())
    most = max(counts.values())
    return timedelta(microseconds=min(value for value, count in counts.items() if count == most))


def _season(step: timedelta) -> int:
    microseconds = step // _MICROSECOND
    return next((season for shortest, longest, season in _SEASONS if shortest <= microseconds <= longest), 0)


def tells_past(names: Sequence[str], features: Mapping[str, Node], target: str, horizon: int, series: Sequence[str]) -> bool:
    """Return whether declared features look at the past of the target, so that no columns of it need to be made.

    Args:
        names: The columns and features that the model names.
        features: What each feature computes, by name.
        target: The target.
        horizon: How many steps ahead is forecast.
        series: The columns that tell series apart.

    Raises:
        TrainingError: A feature looks at values that are not known when a forecast is made.
    """
    asked = [name for name in names if name in features]
    ages = {name: age for name in asked if (age := _age(features[name], target, features)) is not None}
    for name, age in ages.items():
        if age < horizon:
            raise TrainingError(
                f"feature {name} looks at {target} {age} rows back, and a forecast {horizon} steps ahead does not know it yet",
                f"look back at least {horizon} rows, with lag({target}, {horizon})",
            )
        pooled = [window for window in _windows(features[name], features) if not set(series) <= set(window.by)]
        if pooled:
            raise TrainingError(
                f"feature {name} looks at rows of all series as if they were one",
                f"add by: {', '.join(series)} to its functions",
            )
    return bool(ages)


def _age(node: Node, target: str, features: Mapping[str, Node]) -> int | None:
    """Return how many rows back the newest value of the target is that a feature looks at; None where it looks at none."""
    if node.op == "column":
        name = str(node.value)
        return 0 if name == target else _age(features[name], target, features) if name in features else None
    ages = [age for argument in node.arguments if (age := _age(argument, target, features)) is not None]
    if not ages:
        return None
    return min(ages) + (node.value.rows if node.op == "lag" else 0)


def _windows(node: Node, features: Mapping[str, Node]) -> Iterator[Window]:
    for each in node.walk():
        if isinstance(each.value, Window):
            yield each.value
        elif each.op == "column" and str(each.value) in features:
            yield from _windows(features[str(each.value)], features)


def naive_error(actual: pl.Series, naive: pl.Series, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> float:
    """Return the mean absolute error of the naive forecast on some rows, which the metric ``mase`` is scaled by."""
    apart = (actual - naive).abs().to_numpy()[rows]
    return float(np.nanmean(apart)) if np.isfinite(apart).any() else 0.0
