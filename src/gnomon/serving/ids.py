"""Prediction ids: UUIDs of version 7 that sort by the time they were minted, and tell which artifact answered.

An id has 48 bits of time in milliseconds, 24 bits that the digest of the artifact begins with, and 50 bits of chance; the other
6 say that it is a UUID of version 7. So an answer can be traced without a log of requests. Ten thousand answers of one artifact
in a second, day and night, come to two equal ids about once in 800 years. An id is a name, not a secret.
"""

import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_POOL_BYTES = 4096
_VARIANT = str.maketrans("0123456789abcdef", "89ab89ab89ab89ab")
_DRAWN = 13
_ID = re.compile(r"([0-9a-f]{8})-([0-9a-f]{4})-7([0-9a-f]{3})-[89ab]([0-9a-f]{3})-[0-9a-f]{12}")
_START = datetime(1970, 1, 1, tzinfo=UTC)
MARK_DIGITS = 6
"""Hexadecimal digits of an artifact's digest that an id carries."""


@dataclass(frozen=True)
class PredictionMark:
    """What an id tells: when it was minted, and what the digest of the artifact begins with, after ``sha256:``."""

    at: datetime
    digest_prefix: str


class PredictionIds:
    """Mints ids. A process makes its own after a fork, since it draws random digits ahead."""

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def mint(self, mark: str) -> str:
        """Return a new id, such as ``019aabcd-0123-7abc-89ab-0123456789ab``. Source: RFC 9562, section 5.7.

        Args:
            mark: From ``mark_of``, of the artifact that answers.
        """
        start = self._used
        if start + _DRAWN > len(self._digits):
            self._digits, start = os.urandom(_POOL_BYTES).hex(), 0
        self._used = start + _DRAWN
        when, digits = f"{time.time_ns() // 1_000_000:012x}", self._digits[start : start + _DRAWN]
        return f"{when[:8]}-{when[8:]}-7{mark[:3]}-{digits[0].translate(_VARIANT)}{mark[3:]}-{digits[1:]}"


def mark_of(digest: str) -> str:
    """Return what ids carry of an artifact's digest."""
    return digest.removeprefix("sha256:")[:MARK_DIGITS]


def read_prediction_id(text: str) -> PredictionMark | None:
    """Return what an id tells; None where it is none that the gateway could have minted."""
    found = _ID.fullmatch(text.lower())
    if found is None:
        return None
    at = _START + timedelta(milliseconds=int(found[1] + found[2], 16))
    return PredictionMark(at, found[3] + found[4])
