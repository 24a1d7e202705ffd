from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.operator.schedules import due, next_firing

MONDAYS = "0 3 * * 1"
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"])
CRONS = st.sampled_from([MONDAYS, "30 2 * * *", "*/15 * * * *", "0 0 1 * *", "59 23 29 2 *", "15 1,2 * 3,10 0"])
_FIRST, _LAST = datetime.fromisoformat("2026-01-01"), datetime.fromisoformat("2027-12-31")
MOMENTS = st.datetimes(_FIRST, _LAST, timezones=st.just(UTC))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def test_a_schedule_is_due_from_its_minute_on() -> None:
    assert due(MONDAYS, "UTC", at("2026-04-05T00:00"), at("2026-04-06T02:59:59")) is None
    assert due(MONDAYS, "UTC", at("2026-04-05T00:00"), at("2026-04-06T03:00:00")) == at("2026-04-06T03:00")


def test_missed_firings_fold_into_the_newest() -> None:
    assert due(MONDAYS, "UTC", at("2026-01-01T00:00"), at("2026-04-08T12:00")) == at("2026-04-06T03:00")


def test_what_has_fired_is_not_due_again() -> None:
    assert due(MONDAYS, "UTC", at("2026-04-06T03:00"), at("2026-04-06T03:00:30")) is None


@pytest.mark.parametrize(
    ("cron", "zone", "last", "fired"),
    [
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:00"),  # 02:30 is skipped: at the jump
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),  # 02:30 comes twice: the first
        ("0 9 * * *", "Asia/Kathmandu", "2026-04-01T12:00", "2026-04-02T03:15"),
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", "2026-10-03T15:30"),  # a jump of half an hour
    ],
)
def test_the_clock_of_a_zone_decides(cron: str, zone: str, last: str, fired: str) -> None:
    moment = at(fired)
    assert due(cron, zone, at(last), moment) == moment
    assert due(cron, zone, at(last), moment - timedelta(seconds=1)) is None
    assert next_firing(cron, zone, at(last)) == moment
    assert due(cron, zone, moment, moment + timedelta(hours=20)) is None, "once a day"


def test_late_in_a_doubled_hour_nothing_of_it_is_forgotten() -> None:
    """At 02:10 for the second time, 02:30 has been already."""
    assert due("30 2 * * *", "Europe/Berlin", at("2026-10-24T12:00"), at("2026-10-25T01:10")) == at("2026-10-25T00:30")


@settings(max_examples=60)
@given(CRONS, ZONES, MOMENTS)
def test_the_next_firing_is_due_when_it_comes_and_not_before(cron: str, zone: str, now: datetime) -> None:
    firing = next_firing(cron, zone, now)
    assert firing > now
    assert due(cron, zone, now, firing) == firing
    assert due(cron, zone, now, firing - timedelta(seconds=1)) is None
