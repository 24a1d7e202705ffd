"""What an application answers, in HTTP's terms: whole bodies in, whole replies out."""

from asyncio import Future
from typing import Protocol

import msgspec
import orjson

_REASONS = {
    200: b"OK",
    400: b"Bad Request",
    404: b"Not Found",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    413: b"Content Too Large",
    417: b"Expectation Failed",
    431: b"Request Header Fields Too Large",
    500: b"Internal Server Error",
    503: b"Service Unavailable",
}


class Reply(msgspec.Struct, frozen=True, gc=False):
    """``head`` is the status line and the header lines that are the application's, each with its line end."""

    head: bytes
    body: bytes


class Application(Protocol):
    """Turns requests into replies. It raises nothing: what goes wrong is a reply too."""

    def body_limit(self, path: bytes) -> int:
        """Return how many bytes a request to ``path`` may carry."""
        ...

    def answer(self, method: bytes, path: bytes, body: bytes) -> Reply | Future[Reply]:
        """Return the reply; a future where it takes longer than the loop should wait."""
        ...


def head(status: int, content_type: bytes = b"application/json", extra: bytes = b"") -> bytes:
    """Return the head of a reply. ``extra`` holds whole header lines."""
    return b"HTTP/1.1 %d %b\r\ncontent-type: %b\r\n%b" % (status, _REASONS[status], content_type, extra)


def json_reply(status: int, document: object, extra: bytes = b"") -> Reply:
    """Return a reply with a JSON document."""
    return Reply(head(status, extra=extra), orjson.dumps(document))


def error_reply(status: int, message: str, extra: bytes = b"") -> Reply:
    """Return an error as the Open Inference Protocol writes it."""
    return json_reply(status, {"error": message}, extra)


def with_mend(cause: str, mend: str) -> str:
    """Return cause and mend as one sentence for an error reply."""
    return f"{cause}: {mend}" if mend else cause
