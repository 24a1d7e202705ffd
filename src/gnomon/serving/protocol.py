"""HTTP/1.1 on one connection: llhttp's events become requests, replies go out in the order of their requests.

Everything that a client could hold on to is bounded: heads, bodies, the time for either, unread replies, unused connections.
"""

import asyncio
from asyncio import Future
from collections import deque
from typing import cast

import httptools
import msgspec

from gnomon.serving.http import Reply, error_reply
from gnomon.serving.server import Server

_UNSENT_BYTES = 64 * 2**10
"""Replies that a client has not read; with more than that, it is answered no further."""


class _Request(msgspec.Struct, gc=False):
    """A request read whole; ``reply`` is set where it was refused while it was read."""

    method: bytes
    path: bytes
    body: bytes
    is_last: bool
    is_http_1_0: bool = False
    reply: Reply | None = None


class _RefusedError(Exception):
    """Ends the parsing of a connection from within a callback."""

    def __init__(self, reply: Reply) -> None:
        super().__init__()
        self.reply = reply


class Connection(asyncio.Protocol):
    """One connection. The ``on_…`` methods are llhttp's."""

    __slots__ = (
        "_application", "_began", "_body", "_body_limit", "_deadline", "_encoding", "_expects_continue", "_has_host",
        "_head_bytes", "_head_fed", "_in_head", "_is_1_0", "_is_closing", "_is_lingering", "_is_paused", "_is_reading",
        "_length", "_parser", "_path", "_pending", "_queue", "_received", "_server", "_transport", "_unsent",
    )  # fmt: skip

    def __init__(self, server: Server) -> None:
        self._server = server
        self._application = server.application
        self._parser = httptools.HttpRequestParser(self)
        self._queue: deque[_Request] = deque()
        self._pending: Future[Reply] | None = None
        self._is_reading = False  # a request has begun and is not whole yet
        self._in_head = False
        self._is_closing = False  # no further request is read
        self._is_lingering = False
        self._is_paused = False
        self._expects_continue = False
        self._unsent = 0
        self._deadline = 0.0
        self._reset()

    def _reset(self) -> None:
        self._path = b""
        self._body: list[bytes] = []
        self._head_bytes = self._head_fed = 0
        self._received = 0
        self._has_host = False
        self._is_1_0 = False
        self._length = self._encoding = b""

    # -- the transport's events

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take up the connection."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=_UNSENT_BYTES, low=0)
        self._server.connections.add(self)
        self._began = self._server.now
        self._deadline = self._began + self._server.limits.idle_s

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Let go of everything, a prediction under way included."""
        self._server.connections.discard(self)
        self._is_closing = True
        self._queue.clear()
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None

    def data_received(self, data: bytes) -> None:
        """Read on."""
        if self._is_closing:
            return
        was_in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserCallbackError as error:
            refused = error.__context__
            if not isinstance(refused, _RefusedError):
                raise
            self._refuse(refused.reply)
        except httptools.HttpParserError as error:
            if not self._is_closing:
                self._refuse(error_reply(400, f"this is not HTTP/1.1: {error}"))
        else:
            self._head_fed += len(data) if was_in_head else 0
            if self._in_head and self._head_fed > self._server.limits.head_bytes:
                self._refuse(self._head_too_large())

    def eof_received(self) -> bool:
        """Keep the connection for replies that are still due; otherwise close it."""
        self._is_closing = True
        return bool(self._pending or self._queue) and not self._is_lingering

    def pause_writing(self) -> None:
        """Answer no more until the client has read."""
        self._is_paused = True
        self._unsent = self._transport.get_write_buffer_size()
        self._deadline = self._server.now + self._server.limits.write_s
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Go on answering."""
        self._is_paused = False
        if self._is_lingering:
            self._linger()
        else:
            self._deadline = self._server.now + self._server.limits.idle_s
            self._serve_queued()

    # -- llhttp's events

    def on_message_begin(self) -> None:
        """Begin a request."""
        if self._is_closing:
            return
        self._is_reading = self._in_head = True
        self._began = self._server.now
        self._reset()

    def on_url(self, url: bytes) -> None:
        """Take (a part of) the request target."""
        self._path += url
        self._head_bytes += len(url)
        if self._head_bytes > self._server.limits.head_bytes:
            raise _RefusedError(self._head_too_large())

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header or a trailer."""
        length = len(name)
        self._head_bytes += length + len(value) + 4
        if self._head_bytes > self._server.limits.head_bytes:
            raise _RefusedError(self._head_too_large())
        if not self._in_head:
            return
        if length == 4:
            self._has_host |= name.lower() == b"host"
        elif length == 6:
            if name.lower() == b"expect":
                if value.lower() != b"100-continue":
                    raise _RefusedError(error_reply(417, "the only expectation that is met here is 100-continue"))
                self._expects_continue = True
        elif length == 14:
            if name.lower() == b"content-length":
                self._length = value
        elif length == 17 and name.lower() == b"transfer-encoding":
            self._encoding = value

    def on_headers_complete(self) -> None:
        """Refuse a body that is too large before it comes, and call for one that waits to be called for."""
        self._in_head = False
        self._body_limit = self._application.body_limit(self._path)
        self._is_1_0 = self._parser.get_http_version() == "1.0"
        if not (self._has_host or self._is_1_0):
            raise _RefusedError(error_reply(400, "the Host header is missing"))
        if self._length and int(self._length) > self._body_limit:
            raise self._too_large()
        if self._expects_continue:
            if self._is_1_0:
                self._expects_continue = False
            elif not (self._queue or self._pending):
                self._call_for_body()

    def on_body(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._received += len(chunk)
        if self._received > self._body_limit:
            raise self._too_large()
        self._body.append(chunk)

    def on_message_complete(self) -> None:
        """Answer the request, or let it wait for those before it."""
        if self._is_closing:
            return
        parser = self._parser
        if parser.should_upgrade():
            return  # HttpParserUpgrade follows
        self._is_reading = self._expects_continue = False
        body = self._body
        is_last = not parser.should_keep_alive()
        self._is_closing = is_last
        request = _Request(
            parser.get_method(),
            self._path,
            body[0] if len(body) == 1 else b"".join(body),
            is_last,
            self._is_1_0 and not is_last,
        )
        if self._queue or self._pending is not None or self._is_paused:
            self._queue.append(request)
            self._transport.pause_reading()
        else:
            self._serve(request)

    # -- replies

    def _serve(self, request: _Request) -> None:
        reply = request.reply or self._application.answer(request.method, request.path, request.body)
        if isinstance(reply, Reply):
            self._write(request, reply)
            return
        self._pending = reply
        self._transport.pause_reading()
        reply.add_done_callback(lambda done: self._finish(request, done))

    def _finish(self, request: _Request, reply: Future[Reply]) -> None:
        if reply.cancelled():
            return
        self._pending = None
        self._write(request, reply.result())
        self._serve_queued()

    def _serve_queued(self) -> None:
        while self._queue and self._pending is None and not self._is_paused:
            self._serve(self._queue.popleft())
        if self._queue or self._pending or self._is_paused or self._is_lingering:
            return
        if self._is_closing:  # the client has closed its side
            self._linger()
            return
        if self._expects_continue:
            self._call_for_body()
        self._transport.resume_reading()

    def _write(self, request: _Request, reply: Reply) -> None:
        body = reply.body
        is_last = request.is_last or (self._server.is_draining and not self._queue)
        if is_last:
            framing = b"connection: close\r\ncontent-length: %d\r\n\r\n"
        elif request.is_http_1_0:
            framing = b"connection: keep-alive\r\ncontent-length: %d\r\n\r\n"
        else:
            framing = b"content-length: %d\r\n\r\n"
        head = reply.head + self._server.date + framing % len(body)
        self._deadline = self._server.now + self._server.limits.idle_s
        self._transport.write(head if request.method == b"HEAD" else head + body)
        if is_last:
            self._linger()

    def _call_for_body(self) -> None:
        self._expects_continue = False
        self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    # -- the end of a connection

    def check(self) -> None:
        """End what took too long."""
        now, limits = self._server.now, self._server.limits
        if self._is_paused and self._transport.get_write_buffer_size() < self._unsent:
            self._unsent = self._transport.get_write_buffer_size()
            self._deadline = now + limits.write_s
        elif self._is_paused or self._is_lingering:
            if now > self._deadline:
                self._transport.abort()
        elif self._pending or self._queue:
            self._deadline = now + limits.idle_s  # predictions have a time limit of their own
        elif self._is_reading:
            if now > self._began + limits.read_s + self._received / limits.body_rate:
                self._refuse(error_reply(408, "the request came too slowly"))
        elif now > self._deadline:
            self._transport.close()

    def close_if_idle(self) -> None:
        """Close the connection unless it asks something."""
        if not (self._pending or self._queue or self._is_reading or self._is_paused or self._is_lingering):
            self._is_closing = True
            self._transport.close()

    def abort(self) -> None:
        """Cut the connection."""
        self._transport.abort()

    def _linger(self) -> None:
        """Close this side, and take what the client still sends: closing at once would make it lose the reply."""
        self._is_closing = self._is_lingering = True
        self._queue.clear()
        limits = self._server.limits
        self._deadline = self._server.now + (limits.write_s if self._is_paused else limits.linger_s)
        if not self._transport.is_closing():
            if not self._is_paused:
                self._transport.write_eof()
            self._transport.resume_reading()

    def _refuse(self, reply: Reply) -> None:
        """Let ``reply`` be the last one, behind those that are due before it."""
        self._is_closing = True
        self._is_reading = self._in_head = self._expects_continue = False
        refused = _Request(b"", b"", b"", is_last=True, reply=reply)
        if self._queue or self._pending is not None or self._is_paused:
            self._queue.append(refused)
        else:
            self._serve(refused)

    def _head_too_large(self) -> Reply:
        return error_reply(431, f"the request's head has more than {self._server.limits.head_bytes} bytes")

    def _too_large(self) -> _RefusedError:
        return _RefusedError(error_reply(413, f"bodies of up to {self._body_limit} bytes are taken here"))

    def _without_upgrade(self, rest: bytes) -> None:
        """Read a request that offers an upgrade (as ``curl --http2`` does) as if it did not: llhttp leaves its body to us."""
        method, path = self._parser.get_method(), self._path
        framing = b"content-length: %b\r\n" % self._length if self._length else b""
        framing += b"transfer-encoding: %b\r\n" % self._encoding if self._encoding else b""
        if method == b"CONNECT":
            self._refuse(error_reply(405, "this is no proxy"))
            return
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(b"%b %b HTTP/1.1\r\nhost: -\r\n%b\r\n" % (method, path, framing) + rest)
