"""A connection without a network, for laws over byte streams; and a plain client that checks what it reads."""

import asyncio
import itertools
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import httptools

from gnomon.serving.http import Reply, json_reply
from gnomon.serving.protocol import Connection
from gnomon.serving.server import Limits, Server


class Echo:
    """Answers with what it was asked. ``/later`` answers when the test says so; ``/big`` with a megabyte."""

    def __init__(self, body_limit: int = 1000) -> None:
        self._body_limit = body_limit
        self.later: list[asyncio.Future[Reply]] = []

    def body_limit(self, path: bytes) -> int:  # noqa: ARG002 - the interface's
        return self._body_limit

    def answer(self, method: bytes, path: bytes, body: bytes) -> Reply | asyncio.Future[Reply]:
        if path == b"/big":
            return Reply(b"HTTP/1.1 200 OK\r\n", b"x" * 2**20)
        reply = json_reply(200, {"method": method.decode(), "path": path.decode("latin-1"), "body": body.decode("latin-1")})
        if path != b"/later":
            return reply
        promised: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self.later.append(promised)
        return promised


class MemoryTransport(asyncio.Transport):
    """Keeps what is written; nothing is ever waited for."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.is_closed = False
        self.is_half_closed = False
        self.is_reading_paused = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_half_closed
        self.written += data

    def write_eof(self) -> None:
        self.is_half_closed = True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0


def connected(application: Echo | None = None, limits: Limits | None = None) -> tuple[Server, Connection, MemoryTransport]:
    """Return a connection that has just been made, at time 0."""
    server = Server(application or Echo(), limits or Limits(), 0.0)
    connection, transport = Connection(server), MemoryTransport()
    connection.connection_made(transport)
    return server, connection, transport


@dataclass
class Answer:
    """A reply as a client reads it."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        """Return the document in the body."""
        return json.loads(self.body)


class _Events:
    def __init__(self) -> None:
        self.parser = httptools.HttpResponseParser(self)
        self.answers: list[Answer] = []
        self._open: Answer | None = None

    def on_message_begin(self) -> None:
        self._open = Answer()

    def on_header(self, name: bytes, value: bytes) -> None:
        assert self._open
        self._open.headers[name.decode().lower()] = value.decode()

    def on_body(self, chunk: bytes) -> None:
        assert self._open
        self._open.body += chunk

    def on_message_complete(self) -> None:
        assert self._open
        self._open.status = self.parser.get_status_code()
        self.answers.append(self._open)
        self._open = None

    @property
    def is_whole(self) -> bool:
        return self._open is None


def answers_in(written: bytes | bytearray) -> list[Answer]:
    """Return the replies in a byte stream, which must hold nothing else."""
    events = _Events()
    events.parser.feed_data(bytes(written))
    assert events.is_whole
    return events.answers


def request(method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
    """Return the bytes of a request."""
    lines = [f"{method} {path} HTTP/1.1", "host: test"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + (body or b"")


def pieces(data: bytes, cuts: Iterable[int]) -> list[bytes]:
    """Return ``data`` cut at the given places."""
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[start:end] for start, end in itertools.pairwise(places)]


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Return when ``condition`` holds; it must within ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - what is waited for happens in other processes too
            await asyncio.sleep(0.002)


class Client:
    """One connection to a server. ``ask`` raises ``EOFError`` where the connection ends before the whole answer."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._events = _Events()
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    @property
    def is_open(self) -> bool:
        return self._writer is not None

    async def open(self) -> None:
        """Connect."""
        self._reader, self._writer = await asyncio.open_connection(*self._address)
        self._events = _Events()

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        if self._writer is None:
            await self.open()
        assert self._writer
        self._writer.write(data)
        await self._writer.drain()

    async def receive(self) -> Answer:
        """Return the next answer."""
        assert self._reader
        while not self._events.answers:
            async with asyncio.timeout(20):
                data = await self._reader.read(2**16)
            if not data:
                await self.close()
                raise EOFError
            self._events.parser.feed_data(data)
        answer = self._events.answers.pop(0)
        if answer.headers.get("connection") == "close":
            await self.close()
        return answer

    async def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Send a request and return its answer; connects where it is not connected."""
        await self.send(request(method, path, body))
        return await self.receive()

    async def ended(self) -> bytes:
        """Return what still comes until the server closes."""
        assert self._reader
        async with asyncio.timeout(20):
            return await self._reader.read()

    def half_close(self) -> None:
        """Say that nothing more will be sent."""
        assert self._writer
        self._writer.write_eof()

    async def close(self) -> None:
        """Close the connection."""
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None
