from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.resources.quantities import (
    Months,
    format_duration,
    format_moment,
    format_share,
    format_size,
    format_span,
    parse_duration,
    parse_moment,
    parse_share,
    parse_size,
    parse_span,
)
from tests.strategies.resources import durations, shares
from tests.strategies.windows import hours, moments, months


@given(durations)
def test_a_duration_reads_back_as_it_was_written(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


@given(hours | months)
def test_a_span_reads_back_as_it_was_written(value: timedelta | Months) -> None:
    assert parse_span(format_span(value)) == value


@given(moments | st.datetimes(timezones=st.just(UTC)))
def test_a_moment_reads_back_as_it_was_written(value: datetime) -> None:
    assert parse_moment(format_moment(value)) == value


@given(shares)
def test_a_share_reads_back_as_it_was_written(value: float) -> None:
    assert parse_share(format_share(value)) == value


@given(st.integers(0, 2**60))
def test_a_size_reads_back_as_it_was_written(value: int) -> None:
    assert parse_size(format_size(value)) == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30s", timedelta(seconds=30)),
        ("1.5h", timedelta(minutes=90)),
        ("500ms", timedelta(milliseconds=500)),
        ("0.25ms", timedelta(microseconds=250)),
        ("7d", timedelta(days=7)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_durations_are_read(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["30", "30 s", "s", "-1s", "1w", "1.s", "1e3s", "٣s", "5m\n", "36501d", "9" * 400 + "d", 30, None, True]
)
def test_other_things_are_not_durations(text: object) -> None:
    with pytest.raises(ValueError, match="write a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("20%", 0.2), ("0.5%", 0.005), ("100%", 1.0), ("0%", 0.0), ("12.3456789%", 0.123456789)]
)
def test_shares_are_read_exactly(text: str, expected: float) -> None:
    assert parse_share(text) == expected


@pytest.mark.parametrize("text", ["20", "0.2", 0.2, 20, "100.1%", "-1%", "%", "1e1%", "20%\n", None])
def test_other_things_are_not_shares(text: object) -> None:
    with pytest.raises(ValueError, match="write a share"):
        parse_share(text)


@pytest.mark.parametrize(
    ("text", "expected"), [("64KiB", 65_536), ("1.5GB", 1_500_000_000), ("0B", 0), ("9007199254740993B", 9_007_199_254_740_993)]
)
def test_sizes_are_read_exactly(text: str, expected: int) -> None:
    assert parse_size(text) == expected


@pytest.mark.parametrize("text", ["64", "64K", "64kb", "1PiB", "2000000TiB", 64, True, "5MiB "])
def test_other_things_are_not_sizes(text: object) -> None:
    with pytest.raises(ValueError, match="write a size"):
        parse_size(text)


@pytest.mark.parametrize(("value", "text"), [(0, "0s"), (90, "90s"), (120, "2m"), (86_400, "1d"), (0.0005, "0.5ms")])
def test_durations_are_written_in_the_largest_whole_unit(value: float, text: str) -> None:
    assert format_duration(timedelta(seconds=value)) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("90d", timedelta(days=90)),
        ("1w", timedelta(weeks=1)),
        ("6h", timedelta(hours=6)),
        ("1mo", Months(1)),
        ("1y", Months(12)),
        ("100y", Months(1200)),
    ],
)
def test_spans_are_read(text: str, expected: timedelta | Months) -> None:
    assert parse_span(text) == expected


@pytest.mark.parametrize("text", ["1.5mo", "0mo", "0y", "101y", "1 mo", "mo", "1M", "1mon", "5ms", "6000w", "-1mo", 30, None])
def test_other_things_are_not_spans(text: object) -> None:
    with pytest.raises(ValueError, match="write a "):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2013-01-01", "2013-01-01"),
        ("2013-01-01T00:00Z", "2013-01-01"),
        ("2013-01-01T06:00:00+02:00", "2013-01-01T04:00:00Z"),
        ("2013-01-01T06:00:00.5Z", "2013-01-01T06:00:00.500000Z"),
    ],
)
def test_moments_are_read_in_utc(text: str, expected: str) -> None:
    assert format_moment(parse_moment(text)) == expected


@pytest.mark.parametrize(
    "text",
    ["2013-02-30", "2013-1-1", "2013", "01/02/2013", "2013-01-01T06:00", "2013-01-01T25:00Z", "0001-01-01T00:00+12:00", 5],
)
def test_other_things_are_no_moments(text: object) -> None:
    with pytest.raises(ValueError, match="write a "):
        parse_moment(text)
