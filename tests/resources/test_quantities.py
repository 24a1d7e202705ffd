from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.resources.quantities import (
    format_duration,
    format_share,
    format_size,
    parse_duration,
    parse_share,
    parse_size,
)
from tests.strategies.resources import durations, shares


@given(durations)
def test_a_duration_reads_back_as_it_was_written(value: timedelta) -> None:
    assert parse_duration(format_duration(value)) == value


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
