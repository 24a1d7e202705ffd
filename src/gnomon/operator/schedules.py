"""Schedules: a cron expression and a moment become the firing that is due. Missed firings fold into one."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import croniter

_MINUTE = timedelta(minutes=1)
_FOLD = timedelta(hours=2)
"""No clock is set back by more than this."""


def due(cron: str, timezone: str, last: datetime, now: datetime) -> datetime | None:
    """Return the newest firing after ``last`` and up to ``now``, or None where there is none.

    However many firings were missed, one is due. In a zone whose clock jumps, a time of day that is skipped fires when the
    clock has jumped, and one that comes twice fires the first time.

    Args:
        cron: Minute, hour, day of the month, month and day of the week.
        timezone: The zone of that time of day, such as ``UTC``.
        last: The firing before, or the moment from which the schedule counts.
        now: This moment.

    Returns:
        The firing, in UTC.
    """
    zone = ZoneInfo(timezone)
    newest = _newest(cron, zone, now.astimezone(UTC).replace(second=0, microsecond=0))
    return newest if newest > last else None


def next_firing(cron: str, timezone: str, now: datetime) -> datetime:
    """Return the first firing after ``now``, in UTC."""
    zone = ZoneInfo(timezone)
    firings = croniter(cron, _wall_clock(now, zone) - _FOLD)
    while (firing := _moment(firings.get_next(datetime), zone)) <= now:
        pass
    return firing


@lru_cache(maxsize=1024)
def _newest(cron: str, zone: ZoneInfo, minute: datetime) -> datetime:
    """Return the newest firing up to a minute."""
    # While the clock shows an hour for the second time, later firings of that hour are past already.
    ahead = _FOLD if minute.astimezone(zone).fold else _MINUTE
    firings = croniter(cron, _wall_clock(minute, zone) + ahead)
    while (firing := _moment(firings.get_prev(datetime), zone)) > minute:
        pass
    return firing


def _wall_clock(moment: datetime, zone: ZoneInfo) -> datetime:
    return moment.astimezone(zone).replace(tzinfo=None, fold=0)


def _moment(wall_clock: datetime, zone: ZoneInfo) -> datetime:
    """Return when a clock first shows a time, or would: one that is skipped becomes the moment after the jump."""
    at = wall_clock.replace(tzinfo=zone, fold=0)
    moment = at.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == wall_clock:
        return moment
    # Skipped. The offset before the jump puts the moment behind it, by as much as the clock was past the jump.
    before, after = at.utcoffset(), at.replace(fold=1).utcoffset()
    jump = moment
    while before is not None and after is not None and (jump - _MINUTE).astimezone(zone).utcoffset() == after:
        jump -= _MINUTE
    return jump
