"""One worker of the gateway: a loop that accepts, answers, follows the route table, and tells how it is doing."""

import asyncio
import logging
import os
import resource
import select
import signal
import socket
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import uvloop

from gnomon.errors import GatewayError
from gnomon.inference.loading import load_artifact
from gnomon.serving import metrics
from gnomon.serving.gateway import Gateway
from gnomon.serving.models import Models
from gnomon.serving.protocol import Connection
from gnomon.serving.routes import ROUTES_FILE, Target, read_routes
from gnomon.serving.server import Limits, Server
from gnomon.serving.status import BACKLOG, WorkerStatus, read_supervisor, read_worker, write_worker
from gnomon.stores.artifacts.layout import OciLayout

_LOG = logging.getLogger(__name__)

_LOOK_S = 0.04
"""Between two looks at the route table."""
_TICK_LOOKS = 5
_STATUS_LOOKS = 25
_YIELD_S = 0.001
"""How long a worker leaves a new connection to those that have fewer, before it takes it after all."""
_CONNECTIONS = 4096
"""With so many open, further ones wait in the kernel's queue, or go to another worker."""
_OTHER_DESCRIPTORS = 64
"""Descriptors that are not for connections."""
_GRACE_S = 0.5
"""For requests of connections that were idle when the drain began."""
_DRAIN_S = 15.0


@dataclass(frozen=True)
class WorkerOptions:
    """Where a worker finds what it serves, and where it tells of itself."""

    home: Path
    layout: Path
    slot: int
    pid: int
    loads: memoryview
    """Open connections by slot, shared between the workers."""
    limits: Limits = field(default_factory=Limits)


def run_worker(listener: socket.socket, options: WorkerOptions) -> None:
    """Serve until SIGTERM, then drain and return."""

    async def serve() -> None:
        await _Worker(listener, options).run()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())


class _Worker:
    def __init__(self, listener: socket.socket, options: WorkerOptions) -> None:
        self._listener = listener
        self._options = options
        self._loop = asyncio.get_running_loop()
        self._is_ready = False
        self._stop = asyncio.Event()
        self._room = min(_CONNECTIONS, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - _OTHER_DESCRIPTORS)
        self._is_accepting = False
        self._has_yielded = False
        self._arrivals: set[asyncio.Task[object]] = set()
        self._routes = options.home / ROUTES_FILE
        self._routes_seen: tuple[int, int, int] | None = None
        self._routes_error: str | None = None
        self._told = b""
        self._models = Models(partial(load_artifact, OciLayout(options.layout)), self._last_good(), self._changed)
        self._gateway = Gateway(self._models, lambda: not self._stop.is_set(), self._measured)
        self._server = Server(self._gateway, options.limits, self._loop.time())

    async def run(self) -> None:
        """Load, serve, drain."""
        self._loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        self._follow_routes()
        await self._models.settled()
        self._is_ready = True
        self._tell()
        _LOG.info("worker_ready", extra={"slot": self._options.slot, "epoch": self._models.applied_epoch})
        looks = 0
        while not self._stop.is_set():
            self._follow_routes()
            self._share_load()
            if looks % _TICK_LOOKS == 0:
                self._server.tick(self._loop.time())
                self._accept()
            if looks % _STATUS_LOOKS == 0:
                self._tell()
            looks += 1
            await asyncio.sleep(_LOOK_S)
        await self._drain()
        self._gateway.close()

    # -- connections

    def _accept(self) -> None:
        """Accept connections while there is room for more."""
        self._share_load()
        if not (self._is_accepting or self._stop.is_set()) and len(self._server.connections) < self._room:
            self._is_accepting = True
            self._loop.add_reader(self._listener, self._arrived)

    def _pause_accepting(self) -> None:
        self._is_accepting = False
        self._loop.remove_reader(self._listener)

    def _arrived(self) -> None:
        """Accept one connection, or leave it to a worker that has fewer."""
        if not self._has_yielded and self._share_load() > min(self._options.loads):
            self._has_yielded = True
            self._pause_accepting()
            self._loop.call_later(_YIELD_S, self._accept)
            return
        self._has_yielded = False
        self._take()

    def _take(self) -> None:
        try:
            arrived, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another worker took it, or its client has left
        except OSError as error:
            _LOG.warning("accept_failed", extra={"error": str(error)})
            self._pause_accepting()  # until the next tick: most likely there are no descriptors left
            return
        arrived.settimeout(0)
        arrived.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        made = self._loop.connect_accepted_socket(lambda: Connection(self._server), arrived)
        task: asyncio.Task[object] = self._loop.create_task(made)
        self._arrivals.add(task)
        task.add_done_callback(self._arrivals.discard)
        if len(self._server.connections) >= self._room:
            self._pause_accepting()

    def _share_load(self) -> int:
        """Tell the other workers how many connections this one has, and return it."""
        load = len(self._server.connections) + len(self._arrivals)
        self._options.loads[self._options.slot] = load
        return load

    async def _drain(self) -> None:
        """Answer what has been asked, and what is asked within a short grace; then close."""
        _LOG.info("worker_draining", extra={"slot": self._options.slot, "connections": len(self._server.connections)})
        self._server.drain()
        waiting = select.poll()
        waiting.register(self._listener, select.POLLIN)
        for _ in range(BACKLOG):
            if not waiting.poll(0):
                break
            self._take()
            await asyncio.sleep(0)
        self._pause_accepting()
        self._listener.close()
        began = self._loop.time()
        while (self._server.connections or self._arrivals) and self._loop.time() - began < _DRAIN_S:
            self._server.tick(self._loop.time())
            if self._loop.time() - began > _GRACE_S:
                self._server.close_idle()
            await asyncio.sleep(_LOOK_S)
        self._server.abort()

    # -- the route table

    def _follow_routes(self) -> None:
        """Apply the route table where it has been replaced since the last look."""
        try:
            found = os.stat(self._routes)  # noqa: PTH116 - a worker that does nothing does this, 25 times a second
            seen = (found.st_mtime_ns, found.st_ino, found.st_size)
        except FileNotFoundError:
            seen = (0, 0, 0)
        if seen == self._routes_seen:
            return
        self._routes_seen = seen
        try:
            table = read_routes(self._routes)
        except GatewayError as error:
            self._routes_error = str(error)
            _LOG.warning("routes_refused", extra={"error": str(error)})
            self._changed()
            return
        self._routes_error = None
        self._models.apply(table)

    def _changed(self) -> None:
        self._gateway.refresh()
        if self._is_ready:
            self._tell()

    # -- what others are told

    def _status(self) -> WorkerStatus:
        services = {name: service.status() for name, service in self._models.services.items()}
        return WorkerStatus(self._options.pid, self._models.applied_epoch, services, self._routes_error)

    def _tell(self) -> None:
        status = self._status()
        told = msgspec.json.encode(status)
        if told != self._told:
            self._told = told
            write_worker(self._options.home, self._options.slot, status)

    def _measured(self) -> bytes:
        """Return the metrics of all workers: this one's as they are, the others' as last told, up to a second ago."""
        supervisor = read_supervisor(self._options.home)
        slots = supervisor.workers if supervisor else {}
        told = {slot: read_worker(self._options.home, slot) for slot in slots}
        statuses = {slot: status for slot, status in told.items() if status is not None and status.pid == slots[slot]}
        return metrics.exposition(statuses | {self._options.slot: self._status()})

    def _last_good(self) -> dict[str, Target]:
        """Return what the worker before this one served."""
        try:
            before = read_worker(self._options.home, self._options.slot)
        except GatewayError:
            _LOG.exception("status_unreadable")
            return {}
        return {name: service.active for name, service in before.services.items() if service.active} if before else {}
