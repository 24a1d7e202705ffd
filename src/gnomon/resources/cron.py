"""Cron expressions and time zones as people write them, each typed once."""

import re
from datetime import datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, WithJsonSchema

_FIELDS = 5
_LETTERS = re.compile(r"[A-Za-z]+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_NAMES = frozenset((*_MONTHS, "sun", "mon", "tue", "wed", "thu", "fri", "sat"))
_ANY_DAY = datetime.fromisoformat("2026-01-01")


def parse_cron(text: str) -> str:
    """Return ``text`` where it is a cron expression of five fields that comes due at some time.

    Raises:
        ValueError: It is none, or names a day that never comes, such as the 30th of February.
    """
    from croniter import CroniterBadDateError, CroniterError, croniter  # noqa: PLC0415 - only schedules need it

    words = {word.lower() for word in _LETTERS.findall(text)}
    if len(text.split()) != _FIELDS or not words <= _NAMES:
        raise ValueError('write minute, hour, day, month and weekday: "0 3 * * 1" is Mondays at 3')
    try:
        croniter(text, _ANY_DAY).get_next(datetime)
    except CroniterBadDateError:
        raise ValueError("write a day that comes: this one never does") from None
    except CroniterError as error:
        raise ValueError(f'write minute, hour, day, month and weekday, such as "0 3 * * 1" ({error})') from None
    return text


def parse_timezone(text: str) -> str:
    """Return ``text`` where it names a time zone.

    Raises:
        ValueError: There is no such zone.
    """
    try:
        ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError("write a time zone as Region/City, such as Europe/Berlin, or UTC") from None
    return text


Cron = Annotated[str, AfterValidator(parse_cron), WithJsonSchema({"type": "string", "examples": ["0 3 * * 1", "*/15 * * * *"]})]
"""Minute, hour, day of the month, month, day of the week."""

TimeZone = Annotated[
    str, AfterValidator(parse_timezone), WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]})
]
"""A name of the IANA time zone database."""
