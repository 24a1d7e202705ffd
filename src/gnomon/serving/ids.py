"""Prediction ids: UUIDs of version 7, which sort by the time they were minted."""

import os
import time

_VERSION_AND_VARIANT = (0x7 << 76) | (0b10 << 62)
_RANDOM_BITS = ~((0xF << 76) | (0b11 << 62)) & ((1 << 80) - 1)
_POOL_BYTES = 4000


class PredictionIds:
    """Mints ids. A process makes its own after a fork, since it draws random bytes ahead."""

    def __init__(self) -> None:
        self._pool = b""
        self._used = 0

    def mint(self) -> str:
        """Return a new id, such as ``019aabcd-0123-7abc-89ab-0123456789ab``. Source: RFC 9562, section 5.7."""
        if self._used >= len(self._pool):
            self._pool, self._used = os.urandom(_POOL_BYTES), 0
        drawn = int.from_bytes(self._pool[self._used : self._used + 10])
        self._used += 10
        value = f"{(time.time_ns() // 1_000_000) << 80 | (drawn & _RANDOM_BITS) | _VERSION_AND_VARIANT:032x}"
        return f"{value[:8]}-{value[8:12]}-{value[12:16]}-{value[16:20]}-{value[20:]}"
