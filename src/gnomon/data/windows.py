"""Windows of event time: pure arithmetic. Every window is half-open, ``[start, end)``, in UTC.

Windows end at steps: at ``origin`` and every ``every`` from there, in both directions; each covers the ``span`` before its
end. So windows are adjacent where both are equal, overlap where ``span`` is the longer, and leave gaps where ``every`` is.
Steps of months follow the calendar.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import gcd

from gnomon.resources.quantities import Months

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_MONTHS = 12
EARLIEST = datetime(1000, 1, 1, tzinfo=UTC)
"""What happened before this, or after ``LATEST``, is a mistake of the data, and in no window."""
LATEST = datetime(9000, 1, 1, tzinfo=UTC)


def microseconds(at: datetime) -> int:
    """Return a moment as microseconds since 1970 in UTC."""
    return (at - _EPOCH) // _MICROSECOND


def moment(at: int) -> datetime:
    """Return microseconds since 1970 as a moment in UTC."""
    return _EPOCH + at * _MICROSECOND


@dataclass(frozen=True, order=True)
class Window:
    """The time from ``start`` up to but not including ``end``."""

    start: datetime
    end: datetime

    def __contains__(self, at: datetime) -> bool:
        """Return whether a moment lies in the window."""
        return self.start <= at < self.end

    @property
    def label(self) -> str:
        """What people call it: ``2013``, ``2013-04`` or ``2013-04-05``, where it is just that; else its first and last day.

        Windows that do not begin and end at midnight are called by their hours.
        """
        start, end = self.start, self.end
        if (start.hour, start.minute, end.hour, end.minute) != (0, 0, 0, 0):
            return f"{start:%Y-%m-%dT%H:%M}/{end:%Y-%m-%dT%H:%M}"
        if end - start == _DAY:
            return f"{start:%Y-%m-%d}"
        if start.day == 1 and end == _later(start, 1):
            return f"{start:%Y-%m}"
        if (start.month, start.day) == (1, 1) and end == _later(start, _MONTHS):
            return f"{start:%Y}"
        return f"{start:%Y-%m-%d}/{end - _DAY:%Y-%m-%d}"

    def __str__(self) -> str:
        return self.label


@dataclass(frozen=True)
class Grid:
    """Even parts of time into which the ends of windows fall: each ``size`` long, one of them beginning at ``offset``.

    Both are in microseconds. What is known of each part is enough to know it of every window.
    """

    size: int
    offset: int

    def __str__(self) -> str:
        return f"{self.size}+{self.offset}"


@dataclass(frozen=True)
class Windows:
    """All windows of one shape.

    Args:
        span: How much time a window covers.
        every: From the end of a window to the end of the next.
        origin: An end of a window. The default is the first of January where ``every`` is of months, and Monday, 1970-01-05,
            where it is of fixed length, so that weeks begin on Mondays.
    """

    span: timedelta | Months
    every: timedelta | Months
    origin: datetime | None = None

    @property
    def grid(self) -> Grid:
        """The largest even parts that no window cuts."""
        if isinstance(self.every, Months):
            size = _DAY // _MICROSECOND
            return Grid(size if isinstance(self.span, Months) else gcd(size, self.span // _MICROSECOND), 0)
        assert isinstance(self.span, timedelta)  # noqa: S101 - months in steps of fixed length are refused where they are declared
        size = gcd(self.span // _MICROSECOND, self.every // _MICROSECOND)
        return Grid(size, microseconds(self._origin) % size)

    def ending(self, number: int) -> Window:
        """Return the window that ends ``number`` steps after the origin."""
        end = self._step(number)
        return Window(_later(end, -self.span.count) if isinstance(self.span, Months) else end - self.span, end)

    def number_at(self, at: datetime) -> int:
        """Return the number of the last window that has ended at a moment."""
        if isinstance(self.every, timedelta):
            return (at - self._origin) // self.every
        months = (at.year - self._origin.year) * _MONTHS + at.month - self._origin.month
        if self._step_of_months(months) > at:
            months -= 1
        return months // self.every.count

    def around(self, at: datetime) -> tuple[Window, ...]:
        """Return the windows that hold a moment, the oldest first; none in a gap."""
        number = self.number_at(at) + 1
        found = []
        while (window := self.ending(number)).start <= at:
            found.append(window)
            number += 1
        return tuple(found)

    def has(self, window: Window) -> bool:
        """Return whether this is one of these windows."""
        return self.ending(self.number_at(window.end)) == window

    @property
    def _origin(self) -> datetime:
        if self.origin is not None:
            return self.origin
        return _EPOCH if isinstance(self.every, Months) else _FIRST_MONDAY

    def _step(self, number: int) -> datetime:
        if isinstance(self.every, timedelta):
            return self._origin + number * self.every
        return self._step_of_months(number * self.every.count)

    def _step_of_months(self, months: int) -> datetime:
        return _later(self._origin, months)


def _later(at: datetime, months: int) -> datetime:
    """Return the same day and hour of another month. The day is one that every month has."""
    years, month = divmod(at.month - 1 + months, _MONTHS)
    return at.replace(year=at.year + years, month=month + 1)
