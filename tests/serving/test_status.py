from pathlib import Path

import pytest

from gnomon.errors import GatewayError
from gnomon.serving.metrics import count_failure, count_success, exposition, no_counts
from gnomon.serving.routes import Target
from gnomon.serving.status import (
    STARTING,
    GatewayStatus,
    SupervisorStatus,
    WorkerService,
    WorkerStatus,
    read_status,
    write_supervisor,
    write_worker,
)

ONE, TWO = Target("1", "sha256:a"), Target("2", "sha256:b")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "status").mkdir()
    return tmp_path


def _supervise(home: Path, workers: dict[int, int | None]) -> None:
    write_supervisor(home, SupervisorStatus(1, 1, "boot", "127.0.0.1", 80, "/layout", "0", workers))


def _work(home: Path, slot: int, pid: int, epoch: int, active: Target | None = ONE, error: str | None = None) -> None:
    write_worker(home, slot, WorkerStatus(pid, epoch, {"m": WorkerService(active, [], error, {"1": no_counts()})}))


def test_without_a_gateway_there_is_nothing(home: Path) -> None:
    assert read_status(home) == GatewayStatus()


def test_an_epoch_is_applied_when_every_worker_has_applied_it(home: Path) -> None:
    _supervise(home, {0: 10, 1: 11})
    _work(home, 0, 10, 5)
    assert read_status(home).applied_epoch == -1
    _work(home, 1, 11, 4)
    status = read_status(home)
    assert (status.applied_epoch, status.workers, status.active) == (4, 2, {"m": "sha256:a"})


def test_workers_that_died_do_not_count_and_those_that_start_hold_everything_up(home: Path) -> None:
    _work(home, 0, 10, 5)
    _work(home, 1, 11, 4)
    _supervise(home, {0: 10, 1: None})
    assert read_status(home).applied_epoch == 5
    _supervise(home, {0: 10, 1: STARTING})
    assert read_status(home).applied_epoch == -1
    _supervise(home, {0: 10, 1: 12})
    assert read_status(home).applied_epoch == -1


def test_while_workers_differ_no_digest_is_active(home: Path) -> None:
    _supervise(home, {0: 10, 1: 11})
    _work(home, 0, 10, 5, TWO)
    _work(home, 1, 11, 5, ONE, "cannot be loaded")
    status = read_status(home)
    assert (status.active, status.errors) == ({}, {"m": "cannot be loaded"})


def test_a_file_of_another_kind_is_named(home: Path) -> None:
    (home / "gateway.json").write_text("[]")
    with pytest.raises(GatewayError, match=r"gateway\.json is not the gateway's"):
        read_status(home)


def test_metrics_add_up() -> None:
    counts = no_counts()
    for latency_ns in (50_000, 300_000, 300_000, 20_000_000_000):
        count_success(counts, latency_ns)
    count_failure(counts, 400)
    page = exposition({0: WorkerStatus(1, 3, {"m": WorkerService(ONE, [], None, {'1"': counts})})}).decode()
    labels = 'service="m",version="1\\"",worker="0"'
    for line in (
        f'gnomon_requests_total{{{labels},code="200"}} 4',
        f'gnomon_requests_total{{{labels},code="400"}} 1',
        f'gnomon_request_seconds_bucket{{{labels},le="0.0001"}} 1',
        f'gnomon_request_seconds_bucket{{{labels},le="0.0005"}} 3',
        f'gnomon_request_seconds_bucket{{{labels},le="5"}} 3',
        f'gnomon_request_seconds_bucket{{{labels},le="+Inf"}} 4',
        f"gnomon_request_seconds_sum{{{labels}}} 20.000650000",
        f"gnomon_request_seconds_count{{{labels}}} 4",
        'gnomon_route_epoch{worker="0"} 3',
    ):
        assert line in page.splitlines()
