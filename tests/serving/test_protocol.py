import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest
import uvloop
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gnomon.serving.http import json_reply
from gnomon.serving.protocol import Connection
from gnomon.serving.server import Limits, Server
from tests.serving.connections import Answer, Client, Echo, answers_in, connected, pieces, request, until

_BODIES = st.none() | st.binary(max_size=60)
_REQUESTS = st.builds(
    request,
    st.sampled_from(["GET", "POST", "HEAD", "PUT"]),
    st.sampled_from(["/", "/v2/models/m/infer", "/a%20b?c=d"]),
    _BODIES,
    st.dictionaries(st.sampled_from(["accept", "x-one", "x-two"]), st.sampled_from(["", "a", "b, c"])),
)
_CHUNKED = st.lists(st.binary(min_size=1, max_size=20), max_size=3).map(
    lambda chunks: (
        request("POST", "/c", headers={"transfer-encoding": "chunked"})
        + b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks)
        + b"0\r\n\r\n"
    )
)
_STREAMS = st.lists(_REQUESTS | _CHUNKED, min_size=1, max_size=4).map(b"".join)
_CUTS = st.lists(st.integers(0, 10_000), max_size=8)


def _fed(data: bytes, cuts: list[int]) -> tuple[bytes, bool]:
    """Return what a connection wrote, and whether it ended itself."""
    _, connection, transport = connected()
    for piece in pieces(data, cuts):
        connection.data_received(piece)
    return bytes(transport.written), transport.is_half_closed or transport.is_closed


def _statuses(written: bytes) -> list[int]:
    return [answer.status for answer in answers_in(written)]


# -- laws over byte streams


@given(_STREAMS, _CUTS)
@settings(max_examples=100, deadline=None)
def test_where_a_stream_is_cut_changes_nothing(data: bytes, cuts: list[int]) -> None:
    whole, ended = _fed(data, [])
    assert _fed(data, cuts) == (whole, ended)
    assert not ended


@given(st.lists(_REQUESTS.filter(lambda sent: not sent.startswith(b"HEAD")) | _CHUNKED, min_size=1, max_size=3).map(b"".join))
@settings(max_examples=20, deadline=None)
def test_a_stream_cut_at_every_byte_gives_the_same_answers(data: bytes) -> None:
    assert _fed(data, list(range(len(data)))) == _fed(data, [])


@given(st.binary(max_size=400), _CUTS)
@example(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [])
@example(b"\x16\x03\x01\x02\x00\x01\x00", [])
@example(b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", [])
@settings(max_examples=150, deadline=None)
def test_any_bytes_get_whole_replies_that_blame_the_client(data: bytes, cuts: list[int]) -> None:
    written, ended = _fed(data, cuts)
    statuses = _statuses(written)
    assert all(status == 200 or 400 <= status < 500 for status in statuses)
    assert ended == (statuses[-1:] != [200] and bool(statuses))


@given(_STREAMS.filter(lambda data: b"HEAD" not in data), st.integers(0, 10_000), st.binary(min_size=1, max_size=3), _CUTS)
@settings(max_examples=150, deadline=None)
def test_a_damaged_stream_is_answered_up_to_the_damage(data: bytes, place: int, damage: bytes, cuts: list[int]) -> None:
    place %= len(data)
    damaged = data[:place] + damage + data[place + len(damage) :]
    if b"HEAD " in damaged:
        return
    written, _ = _fed(damaged, cuts)
    statuses = [answer.status for answer in answers_in(written) if answer.status != 100]
    assert all(status == 200 or 400 <= status < 500 for status in statuses)
    assert all(status == 200 for status in statuses[:-1])


# -- single requests


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 20_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\nhost: a\r\n\r\n", 431),
        (request("POST", "/", b"z" * 1001), 413),
        (request("POST", "/", headers={"content-length": "1001"}), 413),
        (request("POST", "/", headers={"content-length": "9" * 30}), 400),
        (request("POST", "/", headers={"transfer-encoding": "chunked"}) + b"3e9\r\n" + b"z" * 1001, 413),
        (request("POST", "/", headers={"content-length": "1", "transfer-encoding": "chunked"}), 400),
        (request("POST", "/", b"a", {"expect": "a-miracle"}), 417),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n", 405),
    ],
)
def test_what_is_refused_is_refused_once_and_ends_the_connection(sent: bytes, status: int) -> None:
    for cuts in ([], list(range(0, len(sent), 7))):
        written, ended = _fed(sent + request("GET", "/"), cuts)
        assert _statuses(written) == [status]
        assert ended
        assert answers_in(written)[0].headers["connection"] == "close"


def test_a_head_that_never_ends_is_refused() -> None:
    _, connection, transport = connected()
    connection.data_received(b"GET / HTTP/1.1\r\nhost: a\r\nx: ")
    for _ in range(20):
        connection.data_received(b"y" * 1000)
    assert _statuses(bytes(transport.written)) == [431]


def test_head_has_the_headers_of_get_and_no_body() -> None:
    get, _ = _fed(request("GET", "/"), [])
    head, _ = _fed(request("HEAD", "/"), [])
    names = [line.partition(b":")[0] for line in head.split(b"\r\n")]
    assert head.endswith(b"\r\n\r\n")
    assert names == [line.partition(b":")[0] for line in get.partition(b"\r\n\r\n")[0].split(b"\r\n")] + [b"", b""]


def test_an_expectation_is_met_once_the_request_may_continue() -> None:
    _, connection, transport = connected()
    connection.data_received(request("POST", "/", headers={"expect": "100-continue", "content-length": "2"}))
    assert bytes(transport.written) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.data_received(b"ab")
    assert answers_in(transport.written[25:])[0].json()["body"] == "ab"


def test_a_body_that_comes_uncalled_gets_no_call() -> None:
    written, _ = _fed(request("POST", "/", headers={"expect": "100-continue", "content-length": "5000"}), [])
    assert _statuses(written) == [413]


def test_http_1_0_closes_unless_asked_to_keep_alive() -> None:
    written, ended = _fed(b"GET / HTTP/1.0\r\n\r\n", [])
    assert (_statuses(written), ended) == ([200], True)
    written, ended = _fed(b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n" * 2, [])
    assert (_statuses(written), ended) == ([200, 200], False)
    assert answers_in(written)[0].headers["connection"] == "keep-alive"


def test_the_last_request_that_a_client_announces_is_the_last_one() -> None:
    written, ended = _fed(request("GET", "/", headers={"connection": "close"}) + request("GET", "/"), [])
    assert (_statuses(written), ended) == ([200], True)


def test_an_offered_upgrade_is_declined_and_the_request_answered() -> None:
    offer = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2-settings": "AAMAAABk"}
    sent = request("POST", "/u", b"abc", offer) + request("GET", "/next")
    for cuts in ([], list(range(len(sent)))):
        written, ended = _fed(sent, cuts)
        assert [answer.json()["path"] for answer in answers_in(written)] == ["/u", "/next"]
        assert answers_in(written)[0].json()["body"] == "abc"
        assert not ended


# -- time, told to the server


def test_a_request_that_dribbles_in_is_timed_out() -> None:
    server, connection, transport = connected(limits=Limits(read_s=10))
    connection.data_received(b"GET / HT")
    server.tick(10)
    assert not transport.written
    server.tick(10.1)
    assert _statuses(bytes(transport.written)) == [408]
    assert transport.is_half_closed
    server.tick(13)
    assert transport.is_closed


def test_a_body_has_longer_the_more_of_it_comes() -> None:
    server, connection, transport = connected(Echo(10**6), Limits(read_s=10, body_rate=1000))
    connection.data_received(request("POST", "/", headers={"content-length": "100000"}) + b"x" * 50_000)
    server.tick(59)
    assert not transport.written
    server.tick(61)
    assert _statuses(bytes(transport.written)) == [408]


def test_an_unused_connection_is_closed() -> None:
    server, connection, transport = connected(limits=Limits(idle_s=75))
    server.tick(50)
    connection.data_received(request("GET", "/"))
    server.tick(120)
    assert not transport.is_closed
    server.tick(126)
    assert transport.is_closed


def test_a_client_that_does_not_read_is_cut_off() -> None:
    server, connection, transport = connected(limits=Limits(write_s=30))
    connection.data_received(request("GET", "/"))
    connection.pause_writing()
    assert transport.is_reading_paused
    connection.data_received(request("GET", "/") * 3)
    assert len(answers_in(transport.written)) == 1
    server.tick(29)
    assert not transport.is_closed
    server.tick(31)
    assert transport.is_closed


def test_a_client_that_reads_again_is_answered_on() -> None:
    _, connection, transport = connected()
    connection.pause_writing()
    connection.data_received(request("GET", "/") * 3)
    assert not transport.written
    connection.resume_writing()
    assert len(answers_in(transport.written)) == 3
    assert not transport.is_reading_paused


# -- over a real network


def _over_tcp(scenario: Callable[[Echo, Server, Client], Awaitable[None]], limits: Limits | None = None) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        echo = Echo(2**20)
        server = Server(echo, limits or Limits(), loop.time())
        listening = await loop.create_server(lambda: Connection(server), "127.0.0.1", 0)
        client = Client(*listening.sockets[0].getsockname()[:2])
        try:
            await asyncio.wait_for(scenario(echo, server, client), 30)
        finally:
            await client.close()
            server.abort()
            listening.close()
            await listening.wait_closed()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())


def _has_asked(echo: Echo, times: int) -> bool:
    return len(echo.later) == times


def test_pipelined_requests_are_answered_in_order_also_where_one_takes_longer() -> None:
    async def scenario(echo: Echo, _server: Server, client: Client) -> None:
        paths = ["/1", "/later", "/2", "/later", "/3"]
        await client.send(b"".join(request("POST", path, path.encode()) for path in paths))
        answers: list[Answer] = [await client.receive()]
        for turn in (0, 1):
            await until(partial(_has_asked, echo, turn + 1))
            echo.later[turn].set_result(json_reply(200, {"path": "/later"}))
        answers += [await client.receive() for _ in range(4)]
        assert [answer.json()["path"] for answer in answers] == paths

    _over_tcp(scenario)


def test_a_refusal_waits_for_the_replies_before_it() -> None:
    async def scenario(echo: Echo, _server: Server, client: Client) -> None:
        await client.send(request("GET", "/later") + b"nonsense\r\n\r\n")
        await until(lambda: len(echo.later) == 1)
        echo.later[0].set_result(json_reply(200, {}))
        assert [(await client.receive()).status, (await client.receive()).status] == [200, 400]

    _over_tcp(scenario)


def test_a_client_that_leaves_cancels_its_prediction() -> None:
    async def scenario(echo: Echo, server: Server, client: Client) -> None:
        await client.send(request("GET", "/later"))
        await until(lambda: len(echo.later) == 1)
        for connection in tuple(server.connections):
            connection.abort()
        await until(echo.later[0].cancelled)
        assert not server.connections

    _over_tcp(scenario)


def test_a_client_that_half_closes_still_gets_its_answers() -> None:
    async def scenario(echo: Echo, server: Server, client: Client) -> None:
        await client.send(request("GET", "/later") + request("GET", "/after"))
        client.half_close()
        await until(lambda: len(echo.later) == 1)
        echo.later[0].set_result(json_reply(200, {"path": "/later"}))
        answers = [await client.receive(), await client.receive()]
        assert [answer.json()["path"] for answer in answers] == ["/later", "/after"]
        await until(lambda: not server.connections)

    _over_tcp(scenario)


def test_a_slow_reader_bounds_what_is_kept_for_it_and_gets_everything() -> None:
    async def scenario(_echo: Echo, server: Server, client: Client) -> None:
        await client.send(request("GET", "/big") * 20)
        await until(lambda: bool(server.connections))
        (connection,) = server.connections
        assert isinstance(connection, Connection)
        await until(lambda: connection._is_paused)
        assert connection._transport.get_write_buffer_size() < 2 * 2**20
        for _ in range(20):
            assert len((await client.receive()).body) == 2**20

    _over_tcp(scenario)


def test_a_refused_upload_still_reads_its_refusal() -> None:
    async def scenario(_echo: Echo, _server: Server, client: Client) -> None:
        await client.send(request("POST", "/", headers={"content-length": str(2**22)}))
        for _ in range(32):
            await client.send(b"x" * 2**16)
        assert (await client.receive()).status == 413

    _over_tcp(scenario)


def test_while_draining_each_connection_gets_one_more_answer() -> None:
    async def scenario(_echo: Echo, server: Server, client: Client) -> None:
        assert "connection" not in (await client.ask("GET", "/")).headers
        server.drain()
        assert (await client.ask("GET", "/")).headers["connection"] == "close"
        await until(lambda: not server.connections)

    _over_tcp(scenario)


def test_idle_connections_are_closed_and_busy_ones_are_not() -> None:
    async def scenario(echo: Echo, server: Server, client: Client) -> None:
        await client.send(request("GET", "/later"))
        await until(lambda: len(echo.later) == 1)
        server.close_idle()
        echo.later[0].set_result(json_reply(200, {}))
        assert (await client.receive()).status == 200
        server.close_idle()
        assert await client.ended() == b""

    _over_tcp(scenario)
