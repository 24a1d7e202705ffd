"""Real gateways: processes of their own, on real artifacts, under load."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import orjson
import pytest

from gnomon.errors import DeadlineError, GatewayError
from gnomon.inference.golden import GoldenRows
from gnomon.serving.process import GatewayHandle, find_gateway, start_gateway, stop_gateway
from gnomon.serving.routes import ROUTES_FILE, Route, RouteTable, Target, write_routes
from gnomon.serving.status import read_status, read_supervisor, read_worker
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact
from tests.serving.connections import Answer, Client, request, until

BODY = orjson.dumps(
    {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [1.0]},
                {"name": "count", "shape": [1], "datatype": "INT64", "data": [None]}]}
)  # fmt: skip
INFER = request("POST", "/v2/models/m/infer", BODY)


@dataclass
class Place:
    """A gateway's home and its artifacts."""

    home: Path
    store: OciLayout
    layout: Path
    epoch: int = 0
    digests: dict[str, str] = field(default_factory=dict)

    def version(self, number: int) -> Target:
        """Return a version whose answer to ``BODY`` is its number."""
        name = str(number)
        if name not in self.digests:
            self.digests[name] = make_artifact(self.store, float(number))
        return Target(name, self.digests[name])

    def route(self, active: Target | None, *warm: Target) -> int:
        """Let service ``m`` lead to ``active`` and return the epoch of that."""
        self.epoch += 1
        write_routes(self.home / ROUTES_FILE, RouteTable(self.epoch, {"m": Route("team", active, list(warm))}))
        return self.epoch

    def start(self, workers: int = 1, listen: str = "127.0.0.1:0") -> GatewayHandle:
        """Start the gateway and return when it has applied its routes."""
        handle = start_gateway(self.home, self.layout, listen, workers)
        self.wait_for(lambda: self.is_applied(self.epoch))
        return handle

    def is_applied(self, epoch: int) -> bool:
        return read_status(self.home).applied_epoch >= epoch

    def is_without(self, pid: int) -> bool:
        return pid not in self.workers()

    @staticmethod
    def wait_for(condition: Callable[[], bool]) -> None:
        asyncio.run(until(condition))

    def workers(self) -> list[int]:
        """Return the process ids of the live workers."""
        supervisor = read_supervisor(self.home)
        return [pid for pid in supervisor.workers.values() if pid] if supervisor else []


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "gateway", OciLayout(tmp_path / "oci"), tmp_path / "oci")
    yield place
    left = read_supervisor(place.home) if find_gateway(place.home) else None
    with contextlib.suppress(DeadlineError):
        stop_gateway(place.home, timedelta(seconds=5))
    assert left is None or not _is_alive(left.pid)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def _ask(handle: GatewayHandle) -> Answer:
    async def once() -> Answer:
        client = Client(handle.host, handle.port)
        try:
            return await client.ask("POST", "/v2/models/m/infer", BODY)
        finally:
            await client.close()

    return asyncio.run(once())


@dataclass
class Load:
    """Closed-loop load: every answer is checked, and a request without an answer is a failure."""

    handle: GatewayHandle
    digests: dict[str, str]
    answered: int = 0
    failures: list[str] = field(default_factory=list)
    versions: list[str] = field(default_factory=list)
    is_over: bool = False

    @contextlib.asynccontextmanager
    async def running(self, connections: int) -> AsyncIterator[None]:
        """Ask on so many connections as long as the block lasts."""
        asking = [asyncio.create_task(self._connection()) for _ in range(connections)]
        try:
            yield
        finally:
            self.is_over = True
            await asyncio.gather(*asking)

    async def _connection(self) -> None:
        """Ask until it is over; connect again when the server has said that an answer was the last one."""
        client = Client(self.handle.host, self.handle.port)
        while not self.is_over:
            try:
                if not client.is_open:
                    await client.open()
            except OSError:
                return  # nobody listens any more: this request was never sent
            try:
                await client.send(INFER)
                self.check(await client.receive())
            except (OSError, EOFError) as error:
                self.failures.append(repr(error))
                await client.close()
        await client.close()

    def has_answered(self, count: int) -> bool:
        """Return whether so many answers came."""
        return self.answered >= count

    def check(self, answer: Answer) -> None:
        """Count an answer; its version, digest and number must belong together."""
        self.answered += 1
        document = answer.json()
        version = document.get("model_version", "")
        told = (answer.status, document.get("outputs", [{}])[0].get("data"), answer.headers.get("x-gnomon-digest"))
        if told != (200, [float(version or "nan")], self.digests.get(version)):
            self.failures.append(f"{told} as version {version}: {document.get('error')}")
        if self.versions[-1:] != [version]:
            self.versions.append(version)


def test_switching_under_load_loses_and_mixes_nothing(place: Place) -> None:
    one, two, three = (place.version(number) for number in (1, 2, 3))
    place.route(one, two)
    handle = place.start(workers=2)

    async def scenario() -> Load:
        load = Load(handle, place.digests)
        async with load.running(connections=32):
            for turn in range(50):
                active = (two, three, one)[turn % 3]  # three is never warm: it is loaded anew each time
                epoch = place.route(active, one if active == two else two)
                await until(partial(place.is_applied, epoch))
                goal = load.answered + 1
                await until(partial(load.has_answered, goal))
        return load

    load = asyncio.run(scenario())
    assert load.failures == []
    assert load.answered > 50
    assert set(load.versions) == {"1", "2", "3"}
    assert read_status(place.home).services["m"].codes[200] <= load.answered


def test_after_a_switch_is_applied_everywhere_only_the_new_version_answers(place: Place) -> None:
    place.route(place.version(1), place.version(2))
    handle = place.start(workers=2)

    async def scenario() -> None:
        clients = [Client(handle.host, handle.port) for _ in range(8)]
        for turn in range(10):
            number = turn % 2 + 1
            epoch = place.route(place.version(number), place.version(3 - number))
            await until(partial(place.is_applied, epoch))
            answers = [await client.ask("POST", "/v2/models/m/infer", BODY) for client in clients]
            assert {answer.json()["model_version"] for answer in answers} == {str(number)}
        for client in clients:
            await client.close()

    asyncio.run(scenario())


def test_a_killed_worker_is_replaced_and_loads_what_is_routed(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start(workers=2)
    before = place.workers()
    os.kill(before[0], signal.SIGKILL)
    place.wait_for(lambda: before[0] not in place.workers() and len(place.workers()) == 2 and place.is_applied(1))
    assert before[1] in place.workers()
    assert [_ask(handle).status for _ in range(10)] == [200] * 10
    assert find_gateway(place.home) == handle


def test_a_worker_that_keeps_crashing_is_restarted_ever_later(place: Place) -> None:
    place.route(place.version(1))
    place.start()
    for _ in range(3):
        place.wait_for(lambda: place.is_applied(1))
        (pid,) = place.workers()
        os.kill(pid, signal.SIGKILL)
        place.wait_for(partial(place.is_without, pid))
    lines = [orjson.loads(line) for line in (place.home / "gateway.log").read_bytes().splitlines()]
    waits = [line["again_in_s"] for line in lines if line["event"] == "worker_ended"]
    assert waits == [0.05, 0.1, 0.2]


@pytest.mark.parametrize("received", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_the_gateway_outlives_whoever_started_it(place: Place, received: signal.Signals) -> None:
    place.route(place.version(1))
    code = "import sys, time; from pathlib import Path; from gnomon.serving.process import start_gateway\n"
    code += (
        "start_gateway(Path(sys.argv[1]), Path(sys.argv[2]), '127.0.0.1:0', 1); print('started', flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(place.home), str(place.layout)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True) as operator:
        assert operator.stdout
        assert operator.stdout.readline() == b"started\n"
        os.killpg(operator.pid, received)
        assert operator.wait() == -received or received == signal.SIGINT
    handle = find_gateway(place.home)
    assert handle
    assert _ask(handle).json()["model_version"] == "1"
    place.route(place.version(2))
    place.wait_for(lambda: place.is_applied(2))
    assert _ask(handle).json()["model_version"] == "2"
    assert start_gateway(place.home, place.layout, "127.0.0.1:0") == handle


def test_draining_answers_what_was_asked(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start(workers=2)

    async def scenario() -> Load:
        load = Load(handle, place.digests)
        async with load.running(connections=16):
            await until(partial(load.has_answered, 200))
            await asyncio.to_thread(stop_gateway, place.home)
        return load

    load = asyncio.run(scenario())
    assert load.failures == []
    assert find_gateway(place.home) is None
    assert read_supervisor(place.home) is None


def test_golden_rows_that_differ_leave_the_old_version_serving(place: Place) -> None:
    wrong = GoldenRows({"x": [1.0], "count": [1]}, [99.0])
    place.route(place.version(1))
    handle = place.start(workers=2)
    epoch = place.route(Target("2", make_artifact(place.store, 2.0, golden=wrong)), place.version(1))
    place.wait_for(lambda: place.is_applied(epoch))
    status = read_status(place.home)
    assert status.active == {"m": place.digests["1"]}
    assert "version 2 cannot be loaded: 1 of 1 golden rows differ" in status.errors["m"]
    assert {_ask(handle).json()["model_version"] for _ in range(8)} == {"1"}
    # A worker that starts only now has never seen version 1 routed; it still serves what its predecessor did.
    (victim, _) = place.workers()
    os.kill(victim, signal.SIGKILL)
    place.wait_for(lambda: victim not in place.workers() and len(place.workers()) == 2 and place.is_applied(epoch))
    assert read_status(place.home).active == {"m": place.digests["1"]}


def test_a_corrupt_blob_leaves_the_old_version_serving_until_it_is_mended(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start()
    target = place.version(2)
    layer = place.store.manifest(target.digest).layer("model.onnx")  # type: ignore[arg-type]  # a digest as routes carry it
    assert layer
    blob = place.store.blob_path(layer.digest)
    content = blob.read_bytes()
    blob.unlink()
    blob.write_bytes(content[:-1] + b"\x00")
    epoch = place.route(target)
    place.wait_for(lambda: place.is_applied(epoch))
    assert "version 2 cannot be loaded" in read_status(place.home).errors["m"]
    assert _ask(handle).json()["model_version"] == "1"
    blob.write_bytes(content)
    epoch = place.route(target)
    place.wait_for(lambda: place.is_applied(epoch))
    assert read_status(place.home).errors == {}
    assert _ask(handle).json()["model_version"] == "2"


def test_routes_that_are_not_ours_change_nothing_and_are_told(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start()
    (place.home / ROUTES_FILE).write_text("{")
    place.wait_for(lambda: bool(read_status(place.home).problems))
    assert _ask(handle).json()["model_version"] == "1"
    epoch = place.route(place.version(2))
    place.wait_for(lambda: place.is_applied(epoch))
    assert read_status(place.home).problems == ()


def test_requests_wait_for_a_gateway_that_is_just_starting(place: Place) -> None:
    place.route(place.version(1))
    handle = start_gateway(place.home, place.layout, "127.0.0.1:0", 2)
    assert _ask(handle).status == 200


def test_a_port_that_is_taken_is_named(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(GatewayError, match=rf"cannot listen on 127\.0\.0\.1:{port}: Address already in use") as caught:
            start_gateway(place.home, place.layout, f"127.0.0.1:{port}")
    assert caught.value.mend == "stop what listens there, or serve on another port"
    for nonsense in ("8081", "127.0.0.1:port", "127.0.0.1:99999", ":"):
        with pytest.raises(GatewayError, match="no address to listen on"):
            start_gateway(place.home, place.layout, nonsense)
    assert find_gateway(place.home) is None


def test_a_second_start_finds_the_first_and_another_layout_is_refused(place: Place, tmp_path: Path) -> None:
    handle = place.start()
    assert start_gateway(place.home, place.layout, "127.0.0.1:0", 4) == handle
    with pytest.raises(GatewayError, match="stop it first"):
        start_gateway(place.home, tmp_path / "other", "127.0.0.1:0")


def test_a_killed_supervisor_is_noticed_and_its_port_taken_over(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start(workers=2)
    orphans = place.workers()
    os.kill(handle.pid, signal.SIGKILL)
    place.wait_for(lambda: find_gateway(place.home) is None)
    again = start_gateway(place.home, place.layout, handle.address, 1)
    assert (again.port, again.pid != handle.pid) == (handle.port, True)
    assert _ask(again).status == 200
    place.wait_for(lambda: not any(_is_alive(pid) for pid in orphans))


def test_a_gateway_that_does_not_drain_in_time_is_killed(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start()
    with socket.create_connection((handle.host, handle.port)) as slow:
        slow.sendall(INFER[:-5])
        place.wait_for(lambda: _established(handle.port))
        with pytest.raises(DeadlineError, match=r"did not drain within 0\.2 s"):
            stop_gateway(place.home, timedelta(seconds=0.2))
    assert find_gateway(place.home) is None
    place.wait_for(lambda: not any(_is_alive(pid) for pid in place.workers()))


def _established(port: int) -> bool:
    """Return whether some server socket on ``port`` has been accepted and has read all that was sent."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return any(row[1].endswith(f":{port:04X}") and row[3] == "01" and row[4].endswith(":00000000") for row in rows)


def test_stopping_what_does_not_run_does_nothing(place: Place) -> None:
    stop_gateway(place.home)
    assert find_gateway(place.home) is None


def test_the_gateway_inherits_no_secrets_and_imports_nothing_heavy(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAREHOUSE_PASSWORD", "hunter2")
    place.route(place.version(1))
    handle = place.start()
    for pid in (handle.pid, *place.workers()):
        assert b"hunter2" not in Path(f"/proc/{pid}/environ").read_bytes()
        mapped = Path(f"/proc/{pid}/maps").read_text()
        assert not any(f"/{heavy}/" in mapped for heavy in ("sklearn", "pandas", "polars", "pydantic", "lightgbm", "scipy"))


def test_the_metrics_of_all_workers_are_on_one_page(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start(workers=2)

    async def scenario() -> str:
        load = Load(handle, place.digests)
        async with load.running(connections=16):
            await until(lambda: all(_successes(place, slot) for slot in (0, 1)))
        client = Client(handle.host, handle.port)
        page = await client.ask("GET", "/metrics")
        await client.close()
        return page.body.decode()

    page = asyncio.run(scenario())
    for slot in (0, 1):
        assert f'gnomon_requests_total{{service="m",version="1",worker="{slot}",code="200"}}' in page


def test_connections_are_shared_out_evenly(place: Place) -> None:
    place.route(place.version(1))
    handle = place.start(workers=2)

    async def scenario() -> list[int]:
        clients = [Client(handle.host, handle.port) for _ in range(20)]
        for client in clients:
            await client.ask("GET", "/v2/health/live")
        counts = [len(_connections(pid, handle.port)) for pid in place.workers()]
        for client in clients:
            await client.close()
        return counts

    counts = asyncio.run(scenario())
    assert sum(counts) == 20
    assert min(counts) >= 6


def _connections(pid: int, port: int) -> set[str]:
    """Return the sockets that a process holds open and that are connections to ``port``."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    accepted = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "01"}
    return accepted & {str(descriptor.readlink()) for descriptor in Path(f"/proc/{pid}/fd").iterdir()}


def _successes(place: Place, slot: int) -> int:
    status = read_worker(place.home, slot)
    return status.services["m"].versions["1"].codes.get(200, 0) if status else 0
