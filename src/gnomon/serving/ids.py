"""Prediction ids: UUIDs of version 7, which sort by the time they were minted."""

import os
import time

_POOL_BYTES = 4096
_VARIANT = str.maketrans("0123456789abcdef", "89ab89ab89ab89ab")


class PredictionIds:
    """Mints ids. A process makes its own after a fork, since it draws random digits ahead."""

    def __init__(self) -> None:
        self._digits = ""
        self._used = 0

    def mint(self) -> str:
        """Return a new id, such as ``019aabcd-0123-7abc-89ab-0123456789ab``. Source: RFC 9562, section 5.7."""
        start = self._used
        if start + 19 > len(self._digits):
            self._digits, start = os.urandom(_POOL_BYTES).hex(), 0
        self._used = start + 19
        when, digits = f"{time.time_ns() // 1_000_000:012x}", self._digits[start : start + 19]
        return f"{when[:8]}-{when[8:]}-7{digits[:3]}-{digits[3].translate(_VARIANT)}{digits[4:7]}-{digits[7:]}"
