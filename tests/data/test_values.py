from datetime import UTC, date, datetime, timedelta, timezone
from typing import Literal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.data.values import DTYPES, accepts, converted, misfit, missing, natural_type
from gnomon.resources.dataset import ColumnType

COLUMN = pl.col("x")


def as_type(values: list[object] | pl.Series, wanted: ColumnType) -> list[object]:
    series = values if isinstance(values, pl.Series) else pl.Series(values)
    frame = pl.DataFrame({"x": series})
    out = frame.select(converted(COLUMN, series.dtype, wanted)).to_series()
    assert out.dtype == DTYPES[wanted]
    return out.to_list()


def misfits(series: pl.Series, wanted: ColumnType) -> list[bool]:
    return pl.DataFrame({"x": series}).select(misfit(COLUMN, series.dtype, wanted)).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2013-01-01T05:15:00Z", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01 05:15:00", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01T05:15", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01 05:15Z", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01T05:15:00z", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01T05:15:00.250", datetime(2013, 1, 1, 5, 15, 0, 250_000, tzinfo=UTC)),
        ("2013-01-01T05:15:00,250Z", datetime(2013, 1, 1, 5, 15, 0, 250_000, tzinfo=UTC)),
        ("2013-01-01T05:15:00.123456789Z", datetime(2013, 1, 1, 5, 15, 0, 123_456, tzinfo=UTC)),
        ("2013-01-01T05:15:00+02:00", datetime(2013, 1, 1, 3, 15, tzinfo=UTC)),
        ("2013-01-01T05:15:00-0530", datetime(2013, 1, 1, 10, 45, tzinfo=UTC)),
        ("2013-01-01 05:15:00 +01", datetime(2013, 1, 1, 4, 15, tzinfo=UTC)),
        ("  2013-01-01T05:15:00Z ", datetime(2013, 1, 1, 5, 15, tzinfo=UTC)),
        ("2013-01-01", datetime(2013, 1, 1, tzinfo=UTC)),
        ("2013-02-30T00:00:00Z", None),
        ("2013-01-01T25:00:00Z", None),
        ("01/02/2013", None),
        ("2013-1-1", None),
        ("20130101", None),
        ("yesterday", None),
    ],
)
def test_iso_8601_texts_are_moments_and_others_are_not(text: str, moment: datetime | None) -> None:
    assert as_type([text], "timestamp") == [moment]


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.datetimes(
            min_value=datetime(1900, 1, 1),  # noqa: DTZ001 - hypothesis wants bounds without a zone
            max_value=datetime(2200, 1, 1),  # noqa: DTZ001
            timezones=st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_moment_with_an_offset_is_read_back_as_itself(moments: list[datetime]) -> None:
    assert as_type([moment.isoformat() for moment in moments], "timestamp") == moments


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=50))
def test_every_number_is_read_back_to_the_last_bit(numbers: list[float]) -> None:
    assert as_type([repr(number) for number in numbers], "float64") == numbers


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=50))
def test_every_whole_number_is_read_back(numbers: list[int]) -> None:
    assert as_type([str(number) for number in numbers], "int64") == numbers


@pytest.mark.parametrize(
    ("wanted", "fits", "does_not"),
    [
        ("int32", ["1", " -2 ", "+3"], ["2147483648", "1.0", "1e3", "0x1", "1_000", "one", "1,5"]),
        ("float64", ["1", "1.5", ".5", "1e-3", "inf", "-Infinity"], ["1,5", "1.5.0", "$3", "5 %"]),
        ("boolean", ["true", "FALSE", "True "], ["1", "0", "yes", "t"]),
        ("date", ["2013-01-31"], ["2013-1-31", "31.01.2013", "2013-02-30", "2013-01-31T00:00"]),
    ],
)
def test_text_fits_a_type_or_does_not(wanted: ColumnType, fits: list[str], does_not: list[str]) -> None:
    assert misfits(pl.Series(fits), wanted) == [False] * len(fits)
    assert misfits(pl.Series(does_not), wanted) == [True] * len(does_not)


@pytest.mark.parametrize("wanted", ["float64", "int64", "boolean", "timestamp", "date"])
def test_texts_that_mean_missing_are_missing_and_not_misfits(wanted: ColumnType) -> None:
    markers = pl.Series(["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", " NA ", None])
    assert as_type(markers, wanted) == [None] * len(markers)
    assert not any(misfits(markers, wanted))


def test_in_a_string_column_only_the_empty_text_is_missing() -> None:
    assert as_type(["NA", "", "null", " a "], "string") == ["NA", None, "null", " a "]


@pytest.mark.parametrize(
    ("values", "wanted", "expected", "unfit"),
    [
        (pl.Series([1.0, 2.5, None, float("nan")]), "int64", [1, None, None, None], [False, True, False, False]),
        (pl.Series([1.0, float("nan"), float("inf")]), "float64", [1.0, None, float("inf")], [False] * 3),
        (pl.Series([1, 2**40]), "int32", [1, None], [False, True]),
        (pl.Series([2**64 - 1], dtype=pl.UInt64), "int64", [None], [True]),
        (pl.Series(["1.50"]).cast(pl.Decimal(10, 2)), "float64", [1.5], [False]),
        (pl.Series(["a", None, ""]).cast(pl.Categorical), "string", ["a", None, None], [False] * 3),
        (pl.Series([date(2013, 1, 2)]), "timestamp", [datetime(2013, 1, 2, tzinfo=UTC)], [False]),
        (pl.Series([3, None]), "string", ["3", None], [False, False]),
        (pl.Series([None, None]), "float32", [None, None], [False, False]),
    ],
)
def test_parquet_values_become_the_wanted_type_where_nothing_is_lost(
    values: pl.Series, wanted: ColumnType, expected: list[object], unfit: list[bool]
) -> None:
    assert as_type(values, wanted) == expected
    assert misfits(values, wanted) == unfit


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "UTC", "America/New_York"])
def test_timestamps_of_any_unit_and_zone_become_microseconds_of_utc(unit: Literal["ms", "us", "ns"], zone: str | None) -> None:
    moments = pl.Series([datetime(2013, 7, 1, 12)]).cast(pl.Datetime(unit))  # noqa: DTZ001 - the zone is set below
    stored = moments if zone is None else moments.dt.replace_time_zone("UTC").dt.convert_time_zone(zone)
    assert as_type(stored, "timestamp") == [datetime(2013, 7, 1, 12, tzinfo=UTC)]


@pytest.mark.parametrize(
    ("dtype", "natural"),
    [
        (pl.Int16(), "int32"),
        (pl.UInt32(), "int64"),
        (pl.Float32(), "float32"),
        (pl.Decimal(10, 2), "float64"),
        (pl.Enum(["a"]), "string"),
        (pl.List(pl.Int64), None),
        (pl.Struct({"a": pl.Int64}), None),
        (pl.Binary(), None),
        (pl.Time(), None),
        (pl.Duration("us"), None),
    ],
)
def test_parquet_types_have_a_type_of_ours_or_none(dtype: pl.DataType, natural: ColumnType | None) -> None:
    assert natural_type(dtype) == natural
    assert any(accepts(dtype, wanted) for wanted in DTYPES) == (natural is not None)


def test_what_is_missing_is_told_apart_by_type() -> None:
    frame = pl.DataFrame({"x": ["", "NA", "a"]})
    assert frame.select(missing(COLUMN, pl.String(), "string")).to_series().to_list() == [True, False, False]
    assert frame.select(missing(COLUMN, pl.String(), "int64")).to_series().to_list() == [True, True, False]
