"""What the gateway's processes say about themselves, as small files that are replaced whole."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import msgspec

from gnomon.errors import GatewayError
from gnomon.serving.routes import Target

SUPERVISOR_FILE = "gateway.json"
LOCK_FILE = "gateway.lock"
LOG_FILE = "gateway.log"
STATUS_FOLDER = "status"

BACKLOG = 1024
"""Connections that may have arrived without a worker having accepted them."""

STARTING = 0
"""Stands for the process id of a worker that is being forked."""

_T = TypeVar("_T")


class SupervisorStatus(msgspec.Struct, frozen=True):
    """Who supervises, since when, and with which workers."""

    pid: int
    start_ticks: int
    """When the process started, in clock ticks after boot: with ``boot_id``, tells a process from a later one of its number."""
    boot_id: str
    host: str
    port: int
    layout: str
    version: str
    """The version of Gnomon that the gateway runs."""
    workers: dict[int, int | None]
    """Process id by slot; None while a crashed worker's place is empty."""


class Counts(msgspec.Struct):
    """What one version of a service answered. ``buckets`` counts the successful answers by latency, see ``metrics.py``."""

    codes: dict[int, int] = {}
    latency_ns: int = 0
    buckets: list[int] = []


class WorkerService(msgspec.Struct):
    """One service in one worker."""

    active: Target | None
    warm: list[Target]
    error: str | None
    """Why the active target of the route table is not what answers."""
    versions: dict[str, Counts]


class WorkerStatus(msgspec.Struct):
    """One worker. ``epoch`` is that of the newest table whose active targets have all been loaded or have failed to."""

    pid: int
    epoch: int
    services: dict[str, WorkerService]
    error: str | None = None
    """Why the newest route table could not be read."""


@dataclass(frozen=True)
class ServiceStatus:
    """One service over all workers."""

    active: Target | None
    """What every worker answers with; None where there is nothing, or while they differ."""
    error: str | None = None
    """Why that is not what the route says."""
    codes: Mapping[int, int] = field(default_factory=dict)
    """Answers by HTTP status since the workers started."""


@dataclass(frozen=True)
class GatewayStatus:
    """What all live workers have in common. ``applied_epoch`` is the smallest of theirs, -1 where none is alive."""

    applied_epoch: int = -1
    workers: int = 0
    services: Mapping[str, ServiceStatus] = field(default_factory=dict)
    problems: tuple[str, ...] = ()
    """Why the newest route table could not be read."""

    @property
    def active(self) -> Mapping[str, str]:
        """The digest that every worker answers with, by service."""
        return {name: service.active.digest for name, service in self.services.items() if service.active}

    @property
    def errors(self) -> Mapping[str, str]:
        """Why a service does not answer with what its route says, by service."""
        return {name: service.error for name, service in self.services.items() if service.error}


def read_status(home: Path) -> GatewayStatus:
    """Return what the workers of the gateway in ``home`` have in common; that of a dead gateway is empty.

    A worker that is still starting holds ``applied_epoch`` at -1.

    Raises:
        GatewayError: A file in ``home`` is not the gateway's.
    """
    supervisor = read_supervisor(home)
    if supervisor is None:
        return GatewayStatus()
    pids = {slot: pid for slot, pid in supervisor.workers.items() if pid is not None}
    found = {slot: read_worker(home, slot) for slot in pids}
    workers = [status for slot, status in found.items() if status is not None and status.pid == pids[slot]]
    if not workers:
        return GatewayStatus()
    names = sorted({name for worker in workers for name in worker.services})
    return GatewayStatus(
        applied_epoch=min(worker.epoch for worker in workers) if len(workers) == len(pids) else -1,
        workers=len(workers),
        services={name: _merged([worker.services.get(name) for worker in workers]) for name in names},
        problems=tuple(sorted({worker.error for worker in workers if worker.error})),
    )


def read_supervisor(home: Path) -> SupervisorStatus | None:
    """Return what the last supervisor wrote, alive or not; a gateway that ended in order leaves nothing."""
    return _read(home / SUPERVISOR_FILE, SupervisorStatus)


def write_supervisor(home: Path, status: SupervisorStatus) -> None:
    """Replace what others can read about the supervisor."""
    _replace(home / SUPERVISOR_FILE, status)


def read_worker(home: Path, slot: int) -> WorkerStatus | None:
    """Return what the last worker in ``slot`` wrote, alive or not."""
    return _read(_worker_file(home, slot), WorkerStatus)


def write_worker(home: Path, slot: int, status: WorkerStatus) -> None:
    """Replace what others can read about the worker in ``slot``."""
    _replace(_worker_file(home, slot), status)


def _merged(statuses: list[WorkerService | None]) -> ServiceStatus:
    actives = {status.active if status else None for status in statuses}
    codes: dict[int, int] = {}
    for status in statuses:
        for counts in status.versions.values() if status else ():
            for code, count in counts.codes.items():
                codes[code] = codes.get(code, 0) + count
    return ServiceStatus(
        active=actives.pop() if len(actives) == 1 else None,
        error=next((status.error for status in statuses if status and status.error), None),
        codes=codes,
    )


def _worker_file(home: Path, slot: int) -> Path:
    return home / STATUS_FOLDER / f"{slot}.json"


def _read(path: Path, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GatewayError(f"{path} is not the gateway's: {error}", f"stop the gateway and remove {path.parent}") from error


def _replace(path: Path, status: msgspec.Struct) -> None:
    """Replace a status file. Not synced: after a power cut there is no process left that it would tell of."""
    draft = path.with_suffix(".draft")
    draft.write_bytes(msgspec.json.encode(status))
    draft.replace(path)
