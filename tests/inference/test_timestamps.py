from datetime import UTC, date, datetime, timedelta, timezone

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.inference.signature import MISSING_TIMESTAMP
from gnomon.inference.timestamps import microseconds_of, microseconds_of_array

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OFFSETS = st.integers(-23 * 60 - 59, 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@given(st.datetimes(timezones=_OFFSETS))
@settings(max_examples=200)
def test_text_and_datetime_of_one_moment_are_the_same_exact_microsecond(moment: datetime) -> None:
    expected = (moment - _EPOCH) // timedelta(microseconds=1)
    assert microseconds_of(moment) == expected
    assert microseconds_of(moment.isoformat()) == expected
    assert microseconds_of(moment.isoformat().replace("T", " ").encode()) == expected


@given(st.datetimes())
@settings(max_examples=100)
def test_without_an_offset_utc_is_meant(moment: datetime) -> None:
    assert microseconds_of(moment) == microseconds_of(moment.isoformat()) == microseconds_of(moment.isoformat() + "Z")


@given(st.dates())
@settings(max_examples=100)
def test_a_date_is_its_first_microsecond(day: date) -> None:
    assert microseconds_of(day) == microseconds_of(day.isoformat()) == microseconds_of(f"{day.isoformat()}T00:00:00z")


@given(st.text(max_size=40))
@settings(max_examples=300)
def test_any_text_is_a_time_or_a_value_error(text: str) -> None:
    try:
        microseconds_of(text)
    except ValueError:
        return
    assert not text or text[:4].isascii()


@pytest.mark.parametrize(
    "text",
    ["20260101", "2026-W01-1", "2026-1-1", "2026-01-01T10", "2026-01-01T10:00", "2026-13-01", "2026-01-01T24:00:00",
     "2026-01-01T10:00:60Z", "2026-01-01T10:00:00+24:00", "2026-01-01Z", "٢٠٢٦-01-01",
     " 2026-01-01", "2026-01-01T10:00:00.Z", "now"],
)  # fmt: skip
def test_what_is_not_rfc_3339_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        microseconds_of(text)


@pytest.mark.parametrize(
    ("text", "micros"),
    [("1970-01-01T00:00:00.1Z", 100_000), ("1970-01-01T00:00:00.123456789Z", 123_456), ("1969-12-31T23:59:59.9999999Z", -1)],
)
def test_fractions_are_exact_and_cut_off_towards_the_past(text: str, micros: int) -> None:
    assert microseconds_of(text) == micros


def test_missing_times_are_one_value() -> None:
    for value in (None, "", float("nan"), np.datetime64("NaT", "us"), np.float32("nan")):
        assert microseconds_of(value) == MISSING_TIMESTAMP
    assert microseconds_of_array(np.array(["NaT", 0], dtype="datetime64[ns]")).tolist() == [MISSING_TIMESTAMP, 0]


def test_numbers_are_microseconds_and_must_be_whole() -> None:
    assert microseconds_of(5) == microseconds_of(5.0) == microseconds_of(np.int32(5)) == 5
    assert microseconds_of(np.datetime64("1970-01-02")) == 86_400_000_000
    for value in (True, np.bool_(1), 0.5, float("inf"), [1], object()):
        with pytest.raises(ValueError, match=r"."):
            microseconds_of(value)
