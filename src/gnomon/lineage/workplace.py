"""A fresh folder to make a run again in: stores of its own, in which nothing is known but the data of the run."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gnomon.data.snapshot import Snapshot
from gnomon.errors import ConflictError, CorruptBlobError, StoreError
from gnomon.evaluation import dag as evaluation
from gnomon.lineage.kept import Kept
from gnomon.operator.checkouts import Checkouts
from gnomon.operator.machine import this_machine
from gnomon.resources.identity import Digest
from gnomon.runners.interface import Runner
from gnomon.runners.processes import ProcessRunner
from gnomon.runners.sharing import SlotPool
from gnomon.runners.warm import Zygote
from gnomon.stores.artifacts.interface import Descriptor, Layer
from gnomon.stores.artifacts.layout import OciLayout
from gnomon.stores.digests import digest_of_file
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Records
from gnomon.stores.records.sql import open_sqlite
from gnomon.training import dag as training


@dataclass(frozen=True)
class Workplace:
    """Where a run is made again."""

    folder: Path
    records: Records
    objects: DiskObjectStore
    artifacts: OciLayout
    checkouts: Checkouts
    runner: Runner
    clock: Callable[[], datetime]

    @property
    def layout(self) -> Path:
        """Where the artifacts lie."""
        return self.folder / "artifacts"

    @property
    def workspace(self) -> Path:
        """Where steps work."""
        return self.folder / "work"

    def bring_snapshot(self, kept: Kept, digest: Digest) -> None:
        """Bring a snapshot with its files, each verified by its digest."""
        self.bring(kept, [digest])
        self.bring(kept, [file.digest for file in Snapshot.from_json(self.objects.get(digest)).files])

    def bring(self, kept: Kept, digests: Iterable[Digest]) -> None:
        """Bring objects of the home; large ones are another name for the same file, not a copy.

        Raises:
            NotFoundError: One is gone.
            CorruptBlobError: One holds something else by now.
        """
        for digest in dict.fromkeys(digests):
            source = kept.objects.path(digest)
            with source.open("rb", buffering=0) as file:
                actual = digest_of_file(file)
            if actual != digest:
                raise CorruptBlobError(
                    f"{source} has digest {actual}: it is not what the run read any more",
                    "the disk or another program changed it: restore it from a backup",
                )
            place = self.objects.root / source.relative_to(kept.objects.root)
            place.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(source, place)
            except FileExistsError:
                continue
            except OSError:  # another filesystem, or one without links
                self.objects.put_file(source)

    def bring_artifact(self, kept: Kept, digest: Digest) -> None:
        """Bring an artifact, such as the champion that a candidate is held against."""
        manifest = kept.artifacts.manifest(digest)

        def layer(each: Descriptor) -> Layer:
            return Layer(each.media_type, each.title, kept.artifacts.blob(each.digest))

        layers = tuple(map(layer, manifest.layers))
        self.artifacts.push(manifest.artifact_type, layer(manifest.config), layers, manifest.annotations)


@contextmanager
def workplace(
    folder: Path, kept: Kept, slots: int, clock: Callable[[], datetime], zygote: Zygote | None = None
) -> Iterator[Workplace]:
    """Yield a workplace in an empty folder, which stays afterwards.

    Args:
        folder: An empty folder, or one that is not there yet.
        kept: The home that the run is kept in.
        slots: How many steps run at the same time.
        clock: Returns the time in UTC.
        zygote: The process that steps are forked from; without it, one of its own.

    Raises:
        ConflictError: There is something in the folder already.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise ConflictError(f"{folder} is not empty", "name a new folder: nothing that is known may be there")
        (folder / "work").mkdir()
    except OSError as error:
        raise StoreError(f"{folder} cannot be written: {error.strerror}", "name a folder that you may write") from error
    own = Zygote((*training.WARM_MODULES, *evaluation.WARM_MODULES)) if zygote is None else None
    machine = this_machine()
    runner = SlotPool(slots, gpus=machine.devices.healthy_ids).join(ProcessRunner(slots, zygote=zygote or own))
    records = open_sqlite(folder / "records.db")
    try:
        yield Workplace(
            folder,
            records,
            DiskObjectStore(folder / "objects"),
            OciLayout(folder / "artifacts"),
            Checkouts(folder / "checkouts", kept.repository.read_blobs, kept.repository.export_blob),
            runner,
            clock,
        )
    finally:
        runner.close()
        if own is not None:
            own.close()
        records.close()
