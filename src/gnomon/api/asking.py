"""Requests become the values that they carry, and blocking calls leave the server free."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from starlette.requests import Request

from gnomon.errors import UsageError
from gnomon.resources.identity import ResourceKey

MOST_ROWS = 10_000
"""The most items of one answer."""
_LARGEST_NUMBER = 2**63 - 1
"""What records count with."""
_LONGEST_NUMBER = 19
_T = TypeVar("_T")


def aside(call: Callable[[], _T]) -> Awaitable[_T]:
    """Make a blocking call in a thread, so that one slow answer does not hold up the others."""
    return asyncio.to_thread(call)


def path_key(request: Request, kind: str) -> ResourceKey:
    """Return the resource that a path names."""
    return ResourceKey(kind, request.path_params["namespace"], request.path_params["name"])


def number(text: str | None, default: int) -> int:
    """Return a number that was sent, or the default.

    Raises:
        UsageError: It is no number that counts anything.
    """
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and int(text) <= _LARGEST_NUMBER):
        raise UsageError(f"{text[:40]!r} is not a number that counts anything", "give a whole number, such as limit=50")
    return int(text)


async def body(request: Request, largest: int, what: str, mend: str) -> bytes:
    """Return a request's body, never more than ``largest`` bytes of it, whatever its head says.

    Raises:
        UsageError: There is more; ``what`` names it, and ``mend`` says what to send instead.
    """
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > largest:
            raise UsageError(f"{what} are too large", mend)
    return bytes(received)
