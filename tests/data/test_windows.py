from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gnomon.data.windows import Window, Windows, microseconds, moment
from gnomon.resources.quantities import Months
from tests.strategies.windows import all_windows, calendar_windows, fixed_windows, hours, midnights, moments, months

DAY = timedelta(days=1)
MICROSECOND = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(all_windows, moments)
def test_the_windows_around_a_moment_are_just_those_that_hold_it(windows: Windows, now: datetime) -> None:
    around = windows.around(now)
    assert all(now in window for window in around)
    number = windows.number_at(now)
    near = [windows.ending(n) for n in range(number - 2, number + len(around) + 3)]
    assert [window for window in near if now in window] == list(around)
    assert all(windows.has(window) for window in near)


@given(hours | months, moments, st.none() | midnights)
def test_adjacent_windows_tile_time(span: timedelta | Months, now: datetime, origin: datetime | None) -> None:
    windows = Windows(span, span, origin)
    (window,) = windows.around(now)
    number = windows.number_at(now)
    assert windows.ending(number).end == window.start
    assert windows.ending(number + 2).start == window.end


@given(fixed_windows, moments)
def test_a_moment_lies_in_as_many_fixed_windows_as_steps_fit_into_a_span(windows: Windows, now: datetime) -> None:
    assert isinstance(windows.span, timedelta)
    assert isinstance(windows.every, timedelta)
    fewest, rest = divmod(windows.span, windows.every)
    assert len(windows.around(now)) in ({fewest, fewest + 1} if rest else {fewest})


@given(st.integers(1, 12), st.integers(1, 5), moments)
def test_a_moment_lies_in_as_many_calendar_windows_as_steps_fit_into_a_span(step: int, steps: int, now: datetime) -> None:
    assert len(Windows(Months(step * steps), Months(step)).around(now)) == steps


@given(all_windows, moments)
def test_no_window_cuts_a_part_of_the_grid(windows: Windows, now: datetime) -> None:
    grid = windows.grid
    for window in (windows.ending(windows.number_at(now)), *windows.around(now)):
        assert (microseconds(window.start) - grid.offset) % grid.size == 0
        assert (microseconds(window.end) - grid.offset) % grid.size == 0


@given(all_windows, moments, st.integers(0, 50))
def test_windows_end_in_steps(windows: Windows, now: datetime, steps: int) -> None:
    number = windows.number_at(now)
    last, after = windows.ending(number).end, windows.ending(number + steps).end
    assert last <= now < windows.ending(number + 1).end
    if isinstance(windows.every, timedelta):
        assert after - last == steps * windows.every
    else:
        assert (after.year - last.year) * 12 + after.month - last.month == steps * windows.every.count
        assert (after.day, after.time()) == (last.day, last.time())


@given(calendar_windows, moments)
def test_months_begin_at_the_first_unless_an_origin_says_otherwise(windows: Windows, now: datetime) -> None:
    end = windows.ending(windows.number_at(now)).end
    assert end.day == (windows.origin.day if windows.origin else 1)
    assert end.time() == datetime.min.time()


@given(moments)
def test_microseconds_read_back(now: datetime) -> None:
    assert moment(microseconds(now)) == now


@pytest.mark.parametrize(
    ("windows", "inside", "start", "end", "label"),
    [
        (Windows(Months(1), Months(1)), "2013-04-30T23:59:59.999999", "2013-04-01", "2013-05-01", "2013-04"),
        (Windows(Months(1), Months(1)), "2012-02-29", "2012-02-01", "2012-03-01", "2012-02"),
        (Windows(Months(1), Months(1)), "2013-12-31", "2013-12-01", "2014-01-01", "2013-12"),
        (Windows(Months(12), Months(12)), "2013-12-31", "2013-01-01", "2014-01-01", "2013"),
        (Windows(Months(3), Months(3)), "2013-05-05", "2013-04-01", "2013-07-01", "2013-04-01/2013-06-30"),
        (Windows(Months(12), Months(12), at("2013-04-06")), "2014-04-05", "2013-04-06", "2014-04-06", "2013-04-06/2014-04-05"),
        (Windows(7 * DAY, 7 * DAY), "2026-11-22", "2026-11-16", "2026-11-23", "2026-11-16/2026-11-22"),
        (Windows(DAY, DAY), "2012-02-29", "2012-02-29", "2012-03-01", "2012-02-29"),
        (
            Windows(timedelta(hours=6), timedelta(hours=6)),
            "2013-01-01T07:00",
            "2013-01-01T06:00",
            "2013-01-01T12:00",
            "2013-01-01T06:00/2013-01-01T12:00",
        ),
    ],
)
def test_windows_lie_where_people_expect_them(windows: Windows, inside: str, start: str, end: str, label: str) -> None:
    assert windows.around(at(inside)) == (Window(at(start), at(end)),)
    assert windows.around(at(inside))[0].label == label


def test_the_last_ninety_days_at_each_month_end() -> None:
    windows = Windows(90 * DAY, Months(1))
    found = windows.around(at("2013-03-15"))
    assert [window.end for window in found] == [at("2013-04-01"), at("2013-05-01"), at("2013-06-01")]
    assert {window.end - window.start for window in found} == {90 * DAY}


def test_longer_steps_leave_gaps() -> None:
    windows = Windows(DAY, 7 * DAY)
    assert windows.around(at("2026-11-22")) == (Window(at("2026-11-22"), at("2026-11-23")),)
    assert windows.around(at("2026-11-22") - MICROSECOND) == ()
