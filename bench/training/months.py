"""Which months are learnt from and which judge. Policies were developed on the first half of the year alone."""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class Months:
    """Flights from ``first``; those of ``chosen`` choose between candidates, those from ``judged`` until ``end`` only judge."""

    first: datetime
    chosen: datetime
    judged: datetime
    end: datetime


def _at(month: int) -> datetime:
    return datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)


WHOLE = Months(_at(1), _at(9), _at(11), _at(13))
"""January to August, September and October, November and December: no policy saw the last two when it was made."""
QUICK = Months(_at(1), _at(5), _at(6), _at(7))
"""January to April, May, June: a quick look, on months that policies were developed on."""
