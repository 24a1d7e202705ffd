from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.features.calendar_parts import EARLIEST, LATEST, PARTS, calendar_part, part_of_moment
from gnomon.inference.signature import MISSING_TIMESTAMP

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parts_of(stamp: int) -> dict[str, int]:
    return {part: int(calendar_part(np.array([stamp]), part)[0]) for part in PARTS}


@settings(max_examples=200, deadline=None)
@given(st.integers(EARLIEST, LATEST))
def test_parts_are_those_of_the_gregorian_calendar(stamp: int) -> None:
    moment = EPOCH + timedelta(microseconds=stamp)
    leap_year_day = moment.replace(year=2000).timetuple().tm_yday
    assert parts_of(stamp) == {
        "minute_of_day": moment.hour * 60 + moment.minute,
        "hour": moment.hour,
        "weekday": moment.weekday(),
        "day_of_month": moment.day,
        "month": moment.month,
        "day_of_year": leap_year_day,
        "minute": moment.minute,
        "iso_weekday": moment.isoweekday(),
        "year": moment.year,
        "ordinal_day": moment.timetuple().tm_yday,
    }
    assert {part: part_of_moment(stamp, part) for part in PARTS} == parts_of(stamp)


def test_a_missing_timestamp_has_the_parts_of_the_epoch() -> None:
    assert parts_of(MISSING_TIMESTAMP) == parts_of(0)


def test_timestamps_beyond_the_calendar_are_held_at_its_ends() -> None:
    assert parts_of(MISSING_TIMESTAMP + 1) == parts_of(EARLIEST)
    assert parts_of(2**63 - 1) == parts_of(LATEST)
