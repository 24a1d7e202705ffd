"""Starts every server, checks its answers, loads them in turns, and makes rows of the medians."""

import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.environments import PeerUnavailableError, environment
from bench.serving.load import Measured, generator, load
from bench.serving.model import SharedModel, route_model, shared_model
from bench.serving.servers import Ours, Peer, Question, Server, cpu_s, first_answer_s, memory_mb
from bench.table import Row, median

_GROUP = "serving"
_SKLEARN = ("scikit-learn==1.9.1", "joblib", "numpy")
_FASTAPI_PACKAGES = ("fastapi", "uvicorn[standard]", "onnxruntime", "onnx", "skl2onnx", "protobuf<7", *_SKLEARN)
# MLServer's worker processes die with uvloop 0.22 and later.
_MLSERVER_PACKAGES = ("mlserver", "mlserver-sklearn", "uvloop<0.22", *_SKLEARN)
_PEERS = Path(__file__).parent / "peers"
_ROUNDS = 5
_SECONDS = 2
_CONNECTIONS = 16
_STARTS = 3

OURS, MLSERVER, FASTAPI, FASTAPI_ONNX = "gnomon", "MLServer", "FastAPI + joblib", "FastAPI + onnxruntime"
_ECHO = "echo"


@dataclass
class _Figures:
    starts_s: list[float] = field(default_factory=list)
    rounds: list[Measured] = field(default_factory=list)
    cpus_s: list[float] = field(default_factory=list)
    memory_mb: float = 0.0

    @property
    def rps(self) -> float:
        return median([measured.rps for measured in self.rounds])

    @property
    def per_cpu_s(self) -> float:
        """Answers for each second of the server's processor time: what a core gives that nobody else uses."""
        return median([measured.requests / cpu for measured, cpu in zip(self.rounds, self.cpus_s, strict=True)])

    @property
    def p99_ms(self) -> float:
        return median([measured.p99_ms for measured in self.rounds])

    @property
    def start_s(self) -> float:
        return median(self.starts_s)


def measure(workdir: Path) -> list[Row]:
    """Measure our gateway beside its peers; some three minutes once the peers are installed in ``workdir/venvs``."""
    workdir = workdir.resolve()
    folder = workdir / "serving"
    folder.mkdir(parents=True, exist_ok=True)
    failures: dict[str, str] = {}
    try:
        python = environment(workdir, "fastapi", _FASTAPI_PACKAGES) / "python"
    except PeerUnavailableError as error:
        note = f"the shared model is made in the environment of {error}"
        return [_absent(budget, goal, unit, note) for budget, goal, unit in _BUDGETS]
    model = shared_model(python, folder)
    figures: dict[str, _Figures] = {}
    servers: list[Server] = []
    try:
        for server in _servers(workdir, folder, model, failures):
            try:
                figures[server.name] = _started(server, model.answers[0])
            except PeerUnavailableError as error:
                failures[server.name] = str(error)
                server.stop()
            else:
                servers.append(server)
        _load_in_turns(servers, figures, failures, folder)
        if OURS not in failures:
            figures[_ECHO] = _echoed(servers[0], folder)
    finally:
        for server in servers:
            server.stop()
    return _rows(figures, failures)


def _started(server: Server, expected: float) -> _Figures:
    """Start a server some times, and leave it running; the first start, which fills caches, does not count."""
    figures = _Figures()
    for _ in range(_STARTS):
        server.stop()
        figures.starts_s.append(first_answer_s(server, expected))
    del figures.starts_s[0]
    return figures


def _load_in_turns(servers: Iterable[Server], figures: dict[str, _Figures], failures: dict[str, str], folder: Path) -> None:
    core = _cores()[1]
    for turn in range(_ROUNDS + 1):
        for server in servers:
            url = f"http://127.0.0.1:{server.port}{server.question.path}"
            before = cpu_s(server)
            measured = load(url, server.question.body, folder, connections=_CONNECTIONS, seconds=_SECONDS, core=core)
            if measured.failed:
                failures[server.name] = f"{server.name} failed {measured.failed} of {measured.requests} requests"
            if turn > 0:  # the first round warms up
                figures[server.name].rounds.append(measured)
                figures[server.name].cpus_s.append(cpu_s(server) - before)
    for server in servers:
        figures[server.name].memory_mb = memory_mb(server)


def _echoed(ours: Server, folder: Path) -> _Figures:
    """Return what the HTTP layer does by itself: its shortest answer."""
    figures = _Figures()
    url = f"http://127.0.0.1:{ours.port}/v2/health/live"
    for _ in range(3):
        before = cpu_s(ours)
        figures.rounds.append(load(url, None, folder, connections=_CONNECTIONS, seconds=_SECONDS, core=_cores()[1]))
        figures.cpus_s.append(cpu_s(ours) - before)
    return figures


def _servers(workdir: Path, folder: Path, model: SharedModel, failures: dict[str, str]) -> Iterable[Server]:
    core = _cores()[0]
    row = model.rows[0]
    home, layout = folder / "gateway", folder / "layout"
    route_model(model, home, layout)
    columns = [
        {"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in zip(model.names, row, strict=True)
    ]
    yield Ours(OURS, Question("/v2/models/m/infer", _json({"inputs": columns}), _oip_answer), home, layout, core)

    uvicorn = str(environment(workdir, "fastapi", _FASTAPI_PACKAGES) / "uvicorn")
    rows = Question(
        "/predict",
        _json({"rows": [row]}),
        lambda document: float(document["predictions"][0]),
    )
    for name, module, file in ((FASTAPI, "fastapi_joblib", model.joblib), (FASTAPI_ONNX, "fastapi_onnx", model.onnx)):

        def command(port: int, module: str = module) -> list[str]:
            options = ["--no-access-log", "--log-level", "warning"]
            return [uvicorn, "--app-dir", str(_PEERS), f"{module}:app", "--port", str(port), *options]

        yield Peer(name, rows, command, core, folder / f"{module}.log", {"BENCH_MODEL": str(file)})

    try:
        mlserver = str(environment(workdir, "mlserver", _MLSERVER_PACKAGES) / "mlserver")
    except PeerUnavailableError as error:
        failures[MLSERVER] = str(error)
        return
    tensor = {"name": "X", "shape": [1, len(row)], "datatype": "FP32", "data": row}
    question = Question("/v2/models/m/infer", _json({"inputs": [tensor]}), _oip_answer)
    yield Peer(
        MLSERVER, question, lambda port: _mlserver(mlserver, folder / "mlserver", model, port), core, folder / "mlserver.log"
    )


def _mlserver(program: str, folder: Path, model: SharedModel, port: int) -> list[str]:
    """Return the command of MLServer as it comes, but for its access log."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "model").mkdir(parents=True)
    ports = {"http_port": port, "grpc_port": port + 1, "metrics_port": port + 2}
    (folder / "settings.json").write_text(json.dumps({"debug": False, "host": "127.0.0.1", **ports}))
    settings = {
        "name": "m",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": str(model.joblib), "version": "1"},
    }
    (folder / "model" / "model-settings.json").write_text(json.dumps(settings))
    return [program, "start", str(folder)]


def _oip_answer(document: Any) -> float:
    return float(document["outputs"][0]["data"][0])


def _json(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _cores() -> tuple[int, int]:
    """Return a core for the server and one for the load: the same one where there is no other."""
    cores = sorted(os.sched_getaffinity(0))
    return cores[0], cores[-1]


_PER_CPU = "/CPU s"
_THROUGHPUT = "REST, 1 row, 16 connections, one server core"
_BUDGETS = (
    (f"{_THROUGHPUT}: over MLServer", 15.0, _PER_CPU),
    (f"{_THROUGHPUT}: over FastAPI + joblib by hand", 5.0, _PER_CPU),
    (f"{_THROUGHPUT}: over FastAPI + onnxruntime by hand", 3.0, _PER_CPU),
    (f"{_THROUGHPUT}: p99 under MLServer's", 5.0, "ms"),
    ("cold start, exec to first answer: under MLServer's", 12.0, "s"),
    ("memory, one model: under MLServer's", 3.0, "MB"),
)


def _rows(figures: dict[str, _Figures], failures: dict[str, str]) -> list[Row]:
    rows: list[Row] = []
    for (budget, goal, unit), peer in zip(_BUDGETS, (MLSERVER, FASTAPI, FASTAPI_ONNX, *[MLSERVER] * 3), strict=True):
        missing = next((failures[name] for name in (OURS, peer) if name in failures), None)
        if missing is not None:
            rows.append(_absent(budget, goal, unit, missing))
            continue
        ours, theirs = (_figure(unit, figures[name]) for name in (OURS, peer))
        ratio = ours / theirs if unit == _PER_CPU else theirs / ours
        seen = ", ".join(f"{name} {figures[name].rps:,.0f}" for name in (OURS, peer))
        note = f"answers for each CPU second; load by {generator()}, medians of {_ROUNDS} rounds in turns; requests/s: {seen}"
        note = note if unit == _PER_CPU else ""
        limit = figures[_ECHO].per_cpu_s if unit == _PER_CPU else None
        rows.append(Row(_GROUP, budget, ours, theirs, limit, unit, ratio, f">= {goal:g}x", ratio >= goal, note))
    return rows


def _figure(unit: str, figures: _Figures) -> float:
    return {_PER_CPU: figures.per_cpu_s, "ms": figures.p99_ms, "s": figures.start_s, "MB": figures.memory_mb}[unit]


def _absent(budget: str, goal: float, unit: str, note: str) -> Row:
    return Row(_GROUP, budget, None, None, None, unit, None, f">= {goal:g}x", None, note)
