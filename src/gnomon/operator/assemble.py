"""An operator is put together from a home, a repository and addresses. The one place that knows every part."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gnomon.evaluation import dag as evaluation
from gnomon.operator.act import Executor
from gnomon.operator.checkouts import Checkouts
from gnomon.operator.code import training_code_digest
from gnomon.operator.gateway import GatewayControl
from gnomon.operator.home import Home
from gnomon.operator.index_jobs import IndexJobs
from gnomon.operator.jobs import IntakeJobs, Stores
from gnomon.operator.listening import Listener, Silence
from gnomon.operator.loop import Operator
from gnomon.operator.machine import this_machine
from gnomon.operator.observe import Observer
from gnomon.operator.outside import OutsideSources
from gnomon.operator.pipeline_code import PipelineReader
from gnomon.operator.pipeline_run import checkouts_in_use
from gnomon.operator.quality_jobs import QualityJobs
from gnomon.operator.run_jobs import RunJobs
from gnomon.operator.run_requests import RunRequests
from gnomon.operator.source import SourceFollower
from gnomon.operator.writeback import ReleaseWriter
from gnomon.runners.interface import Runner
from gnomon.runners.processes import ProcessRunner
from gnomon.runners.sharing import SlotPool, machine_memory
from gnomon.runners.warm import Zygote
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Records
from gnomon.stores.records.remembering import open_records
from gnomon.stores.repositories.git import GitRepository
from gnomon.stores.repositories.interface import Identity, Repository
from gnomon.training import dag as training


@dataclass(frozen=True)
class Settings:
    """How ``gnomon up`` was asked to run."""

    repository: str
    branch: str
    home: Home
    serve: str
    interval: timedelta | None
    timeout: timedelta
    workers: int
    slots: int


@dataclass(frozen=True)
class Assembly:
    """The parts of a running operator that others ask: the loop, its records, its repository, its gateway."""

    operator: Operator
    records: Records
    stores: Stores
    repository: Repository
    gateway: GatewayControl
    intakes: IntakeJobs
    outside: OutsideSources
    indexes: IndexJobs
    quality: QualityJobs
    runs: RunJobs
    requests: RunRequests
    zygote: Zygote

    def close(self) -> None:
        """Interrupt what is under way and let go of everything. The gateway goes on serving."""
        self.runs.close()
        self.zygote.close()
        self.intakes.close()
        self.outside.close()
        self.indexes.close()
        self.quality.close()
        self.records.close()


def assemble(
    settings: Settings,
    clock: Callable[[], datetime] | None = None,
    make_listener: Callable[[Stores, Repository], Listener] | None = None,
) -> Assembly:
    """Put an operator together; nothing runs yet.

    Args:
        settings: How it was asked to run.
        clock: Returns the time in UTC.
        make_listener: Makes, of what it keeps, whoever is told of readings, runs and steps.
    """
    now = clock or (lambda: datetime.now(UTC))
    home = settings.home
    objects, artifacts = DiskObjectStore(home.objects), OciLayout(home.artifacts)
    # What a killed predecessor was writing is nothing that anybody was told of.
    objects.sweep()
    artifacts.sweep()
    stores = Stores(open_records(home.records), objects, artifacts)
    repository = GitRepository(settings.repository, settings.branch, home.mirror, settings.timeout)
    gateway = GatewayControl(home.gateway, home.artifacts, settings.serve, settings.workers)
    waker: list[Callable[[], None]] = []

    def wake() -> None:
        for call in waker:
            call()

    machine = this_machine()
    zygote = Zygote((*training.WARM_MODULES, *evaluation.WARM_MODULES))
    pool = SlotPool(settings.slots, memory_bytes=machine_memory(), gpus=machine.devices.healthy_ids)

    def make_runner(parallel: int | None) -> Runner:
        return pool.join(ProcessRunner(parallel or settings.slots, zygote=zygote))

    listener = make_listener(stores, repository) if make_listener is not None else Silence()
    intakes = IntakeJobs(stores, repository.export_blob, now, wake, listener, _emptied(home.scratch))
    outside = OutsideSources(stores.records, now, wake)
    indexes = IndexJobs(stores.records, objects, now, wake)
    quality = QualityJobs(stores.records, objects, wake)
    checkouts = Checkouts(home.checkouts, repository.read_blobs, repository.export_blob)
    runs = RunJobs(home, stores, make_runner, now, wake, max(2, settings.slots), checkouts, repository.tree, listener)
    requests = RunRequests(stores.records)
    operator = Operator(
        source=SourceFollower(
            repository, stores.records, now, PipelineReader(checkouts, lambda: checkouts_in_use(stores.records)).read, outside
        ),
        observer=Observer(
            stores.records, stores.artifacts, gateway, intakes, indexes, runs, requests, training_code_digest(), machine
        ),
        executor=Executor(
            stores.records,
            gateway,
            intakes,
            indexes,
            runs,
            requests,
            lambda author: _writer(repository, author, stores.records),
            now,
        ),
        clock=now,
        interval=settings.interval,
        quality=quality,
    )
    waker.append(operator.wake)
    return Assembly(
        operator, stores.records, stores, repository, gateway, intakes, outside, indexes, quality, runs, requests, zygote
    )


def _emptied(folder: Path) -> Path:
    """Return a folder in which nothing is left of what a killed predecessor was doing."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def _writer(repository: Repository, author: Identity, records: Records) -> ReleaseWriter:
    return ReleaseWriter(repository, author, records)
