"""The past of a target as columns: nothing in them is younger than the horizon."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import TrainingError
from gnomon.resources.model import Split
from gnomon.training.forecasting import Forecast, with_past
from gnomon.training.preparation import Prepared, prepare_rows
from gnomon.training.row_source import Wanted
from tests.training.tables import columns_of

START = datetime(2025, 1, 1, tzinfo=UTC)


def sales(steps: list[int], stores: int = 1, unit: timedelta = timedelta(days=1)) -> pl.DataFrame:
    """Rows whose target tells when and where they are: the step, and thousands for the store."""
    rows = [(START + step * unit, f"s{store}", 1000.0 * store + step) for store in range(stores) for step in steps]
    return pl.DataFrame(
        rows, schema={"at": pl.Datetime("us", "UTC"), "store": pl.String, "sold": pl.Float64}, orient="row"
    ).sample(fraction=1, shuffle=True, seed=1)


def prepared(frame: pl.DataFrame, forecast: Forecast, features: tuple[str, ...] = (), **given: Any) -> Prepared:
    wanted = Wanted("forecasting", "sold", features, Split(), "at", (), forecast, definitions=given)
    return prepare_rows(frame.lazy(), columns_of(frame), wanted)


@given(
    steps=st.sets(st.integers(0, 80), min_size=12), stores=st.integers(1, 3), horizon=st.integers(1, 5), by_time=st.booleans()
)
@settings(max_examples=40, deadline=None)
def test_the_past_is_at_least_the_horizon_old_and_of_the_same_series(
    steps: set[int], stores: int, horizon: int, *, by_time: bool
) -> None:
    frame = sales(sorted(steps), stores)
    ahead = timedelta(days=horizon) if by_time else horizon
    past = with_past(frame, "sold", "at", Forecast(ahead, ("store",)))
    ordered = sorted(steps)
    for row in past.frame.iter_rows(named=True):
        step, store = row["sold"] % 1000, row["sold"] // 1000
        for name in past.columns:
            if row[name] is None or "_mean_" in name:
                continue
            assert row[name] // 1000 == store
            if by_time:
                assert step - row[name] % 1000 >= horizon
            else:
                lag = int(name.rpartition("_")[2])
                assert ordered[ordered.index(int(step)) - lag] == row[name] % 1000


@pytest.mark.parametrize(("unit", "season"), [(timedelta(hours=1), 24), (timedelta(days=1), 7), (timedelta(minutes=7), 0)])
def test_the_naive_forecast_is_one_season_back(unit: timedelta, season: int) -> None:
    past = with_past(sales(list(range(100)), unit=unit), "sold", "at", Forecast(3))
    assert past.season == season
    back = -(-3 // season) * season if season else 3
    assert past.naive == f"sold_lag_{back}"
    assert f"sold_mean_{season or 7}_lag_3" in past.columns


def test_rows_within_the_horizon_of_later_parts_are_left_out() -> None:
    result = prepared(sales(list(range(100))), Forecast(timedelta(days=5)))
    days = np.array([stamp.toordinal() for stamp in result.table["at"].to_pylist()])
    parts = result.parts
    assert days[parts.validation].min() - days[parts.train].max() == 5
    assert days[parts.test].min() - days[parts.validation].max() == 5
    assert result.facts.dropped["history"] == 7
    assert [column.name for column in result.facts.inputs][:2] == ["at", "sold_lag_5"]
    assert result.facts.naive_error == 7


def test_what_is_not_named_is_not_known_ahead() -> None:
    frame = sales(list(range(60))).with_columns(weather=pl.lit(1.0), price=pl.col("sold") % 5)
    names = {column.name for column in prepared(frame, Forecast(1), ("price",)).facts.inputs}
    assert "price" in names
    assert not {"weather", "sold"} & names


def test_declared_features_of_the_past_take_the_place_of_ours() -> None:
    result = prepared(sales(list(range(60))), Forecast(2), ("before",), before="lag(sold, 3)")
    assert [column.name for column in result.facts.inputs] == ["at", "before"]
    assert result.facts.naive == "sold_lag_7"


@pytest.mark.parametrize(
    ("forecast", "features", "cause"),
    [
        (Forecast(4), {"near": "lag(sold, 3)"}, "feature near looks at sold 3 rows back"),
        (Forecast(4), {"near": "lag(inner, 2)", "inner": "lag(sold, 1)"}, "feature near looks at sold 3 rows back"),
        (Forecast(2, ("store",)), {"pooled": "lag(sold, 3)"}, "feature pooled looks at rows of all series as if they were one"),
    ],
)
def test_features_that_look_at_what_is_not_known_yet_are_refused(forecast: Forecast, features: Any, cause: str) -> None:
    with pytest.raises(TrainingError, match=cause):
        prepared(sales(list(range(60)), stores=2 if forecast.series else 1), forecast, (next(iter(features)),), **features)


@pytest.mark.parametrize(
    ("frame", "forecast", "cause", "mend"),
    [
        (
            sales(list(range(30)), stores=2),
            Forecast(1),
            "share their series and time",
            "name the columns that tell series apart",
        ),
        (sales(list(range(30))), Forecast(40), "no row has a value of sold 40 steps", "shorten the horizon"),
        (sales([1], stores=9), Forecast(1, ("store",)), "no series has two rows", "check series"),
        (
            sales(list(range(30))).with_columns(sold_lag_1=pl.lit(1.0)),
            Forecast(1),
            "the column sold_lag_1 is made for forecasts",
            "rename",
        ),
    ],
)
def test_series_that_do_not_suffice_are_refused(frame: pl.DataFrame, forecast: Forecast, cause: str, mend: str) -> None:
    with pytest.raises(TrainingError, match=cause) as refused:
        prepared(frame, forecast)
    assert mend in refused.value.mend
