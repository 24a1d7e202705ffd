import json
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from gnomon.errors import GatewayError
from gnomon.operator.actions import ServiceRoute, TargetVersion
from gnomon.operator.gateway import GatewayControl
from gnomon.serving.process import find_gateway, stop_gateway
from gnomon.serving.routes import ROUTES_FILE
from gnomon.serving.status import SUPERVISOR_FILE
from gnomon.stores.artifacts.layout import OciLayout
from tests.artifacts import make_artifact
from tests.operator.states import SERVICE, digest


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def control(folder: Path, listen: str = "127.0.0.1:0") -> GatewayControl:
    return GatewayControl(folder / "gateway", folder / "artifacts", listen, 1)


def route(active: TargetVersion | None) -> ServiceRoute:
    return ServiceRoute(SERVICE, active, (), 2**20, timedelta(seconds=5))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    OciLayout(tmp_path / "artifacts")
    yield tmp_path
    stop_gateway(tmp_path / "gateway")


def test_a_gateway_that_was_killed_comes_back_on_its_address_with_what_it_served(folder: Path) -> None:
    weight = TargetVersion(1, make_artifact(OciLayout(folder / "artifacts"), 2.0))
    control(folder).ensure()
    adopting = control(folder)  # as an operator does that was started after the first one was killed
    handle = adopting.ensure()
    adopting.write((route(weight),))
    until(lambda: adopting.view().applied)
    assert adopting.view().active == {"delay": weight.digest}

    os.killpg(handle.pid, signal.SIGKILL)
    until(lambda: not adopting.is_up())
    assert not adopting.view().is_up
    adopting.revive()
    again = find_gateway(folder / "gateway")
    assert again is not None
    assert again.address == handle.address
    until(lambda: adopting.view().applied)
    body = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP64", "data": [3.0]}]}
    body["inputs"].append({"name": "count", "shape": [1], "datatype": "INT64", "data": [1]})
    answer = httpx.post(f"{again.url}/v2/models/delay/infer", json=body, timeout=10, trust_env=False).json()
    assert answer["outputs"][0]["data"] == [6.0]


def test_a_gateway_that_cannot_be_started_says_why_and_is_not_tried_again_at_once(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        gateway = control(folder, f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(GatewayError):
            gateway.revive()
        assert str(taken.getsockname()[1]) in gateway.view().problem
        assert not gateway.is_up()
        gateway.revive()  # too early, so nothing is tried


@pytest.mark.parametrize(
    "broken",
    [
        "not json",
        '{"epoch": 7, "services": {"delay": {"namespace": "default", "active": {"version": "x", "digest": "y"}}}}',
        '{"epoch": 7, "services": {"delay": {"namespace": "default", "timeout_s": 1e300}}}',
        '{"epoch": 0, "services": {}}',
    ],
)
def test_a_routes_file_that_somebody_broke_is_read_as_none_and_written_anew(tmp_path: Path, broken: str) -> None:
    gateway = control(tmp_path)
    wanted = (route(TargetVersion(1, digest("1"))),)
    gateway.write(wanted)
    gateway.write(wanted)
    path = tmp_path / "gateway" / ROUTES_FILE
    path.write_text(broken)
    assert gateway.routes() is None
    gateway.write(wanted)
    assert gateway.routes() == wanted
    assert json.loads(path.read_text())["epoch"] >= 3


def test_a_route_that_was_changed_by_hand_is_seen(tmp_path: Path) -> None:
    gateway = control(tmp_path)
    gateway.write((route(TargetVersion(1, digest("1"))),))
    assert gateway.routes() == (route(TargetVersion(1, digest("1"))),)
    path = tmp_path / "gateway" / ROUTES_FILE
    path.write_text(path.read_text().replace('"version": "1"', '"version": "9"'))
    assert gateway.routes() == (route(TargetVersion(9, digest("1"))),)


def test_what_the_gateway_says_about_itself_may_be_broken_without_taking_the_pass_along(folder: Path) -> None:
    gateway = control(folder)
    gateway.ensure()
    gateway.write((route(None),))
    until(lambda: gateway.view().applied)
    path = folder / "gateway" / SUPERVISOR_FILE
    good = path.read_bytes()
    path.write_text("{}")
    try:
        view = gateway.view()
        assert view.is_up
        assert SUPERVISOR_FILE in view.problem
        assert gateway.is_up()
        gateway.write((route(None),))
    finally:
        path.write_bytes(good)
    until(lambda: gateway.view().applied)


def test_routes_that_are_not_taken_up_tell_since_when(folder: Path) -> None:
    gateway = control(folder)
    gateway.ensure()
    gateway.write((route(None),))
    until(lambda: gateway.view().applied)
    assert gateway.view().written_at is None
    workers = [pid for pid in _workers(folder) if pid is not None]
    for pid in workers:
        os.kill(pid, signal.SIGSTOP)
    try:
        gateway.write(())
        view = gateway.view()
        assert not view.applied
        assert view.written_at is not None
    finally:
        for pid in workers:
            os.kill(pid, signal.SIGCONT)
    until(lambda: gateway.view().applied)


def _workers(folder: Path) -> list[int | None]:
    said = json.loads((folder / "gateway" / SUPERVISOR_FILE).read_text())
    return list(said["workers"].values())
