"""Reading data, which takes longer than a pass: in a thread that writes what it found to records, and wakes the loop."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from gnomon.data.intake import take_in
from gnomon.data.snapshot import Snapshot
from gnomon.errors import GnomonError, RepositoryError, StoreError
from gnomon.operator.listening import Listener, Silence, tell
from gnomon.operator.state import Intake
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.stores.artifacts.interface import ArtifactStore
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, SnapshotRecord
from gnomon.stores.repositories.interface import TreeEntry

_LOG = logging.getLogger(__name__)
_RETRY_INTAKE = timedelta(minutes=1)
"""After a reading that failed for what has nothing to do with the data, such as a full disk."""


@dataclass(frozen=True)
class Stores:
    """Everything that keeps things."""

    records: Records
    objects: ObjectStore
    artifacts: ArtifactStore


@dataclass
class IntakeJobs:
    """Reads datasets, one after another."""

    stores: Stores
    export_blob: Callable[[str, Path], None]
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    listener: Listener = field(default_factory=Silence)
    scratch: Path | None = None
    """Where what is downloaded or unpacked lies until the object store has it."""
    _under_way: set[ResourceKey] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "intake"), init=False)

    def under_way(self) -> frozenset[ResourceKey]:
        """Return the datasets that are being read or wait to be."""
        with self._lock:
            return frozenset(self._under_way)

    def start(
        self, dataset: Dataset, spec_digest: str, fingerprint: str, revision: Revision, tree: tuple[TreeEntry, ...]
    ) -> None:
        """Read a dataset's files as they are at a commit."""
        with self._lock:
            if dataset.key in self._under_way:
                return
            self._under_way.add(dataset.key)
        self._pool.submit(self._read, dataset, spec_digest, fingerprint, revision, tree)

    def close(self) -> None:
        """Wait for the reading under way, and begin no other."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _read(
        self, dataset: Dataset, spec_digest: str, fingerprint: str, revision: Revision, tree: tuple[TreeEntry, ...]
    ) -> None:
        try:
            before = intake_of(self.stores.records, dataset.key)
            begun = replace(before or Intake("", "", revision, None), spec_digest=spec_digest, fingerprint=fingerprint)
            intake = self._outcome(dataset, replace(begun, revision=revision, error="", warnings=(), retry_at=""), tree)
            self.stores.records.put_setting(_intake_name(dataset.key), intake.to_json())
        except Exception:  # noqa: BLE001 - nobody else would tell of it; the next pass asks again
            _LOG.exception("intake_lost", extra={"resource": str(dataset.key)})
        finally:
            with self._lock:
                self._under_way.discard(dataset.key)
            self.wake()

    def _outcome(self, dataset: Dataset, begun: Intake, tree: tuple[TreeEntry, ...]) -> Intake:
        """Return how a reading ended; where it failed, the snapshot stays the last good one."""
        revision = begun.revision
        tell(lambda: self.listener.intake_started(dataset, revision))
        ended = self._attempted(dataset, begun, tree)
        if ended.error:
            tell(lambda: self.listener.intake_ended(dataset, revision, None, ended.error))
        return ended

    def _attempted(self, dataset: Dataset, begun: Intake, tree: tuple[TreeEntry, ...]) -> Intake:
        records = self.stores.records
        try:
            known: Mapping[str, Digest] = records.setting(_known_name(dataset.key)) or {}
            taken = take_in(dataset, tree, self.stores.objects, self.export_blob, known, self.scratch, self._last(begun))
            size, now = sum(file.size_bytes for file in taken.snapshot.files), self.clock()
            rows, paths = taken.snapshot.rows, taken.paths
            snapshot = SnapshotRecord(dataset.key, taken.digest, begun.revision, rows, size, now, paths)
            records.put_snapshot(snapshot)
            records.put_setting(_known_name(dataset.key), dict(taken.known))
            tell(lambda: self.listener.intake_ended(dataset, begun.revision, (snapshot, taken.snapshot), ""))
        except (StoreError, RepositoryError, OSError) as error:
            _LOG.warning("intake_interrupted", extra={"resource": str(dataset.key), "cause": str(error)})
            return replace(begun, error=str(error), retry_at=(self.clock() + _RETRY_INTAKE).isoformat())
        except GnomonError as error:
            return replace(begun, error=f"{error.cause} ({error.mend})")
        except Exception as error:  # noqa: BLE001 - a job's fault is told as its outcome
            _LOG.exception("intake_failed", extra={"resource": str(dataset.key)})
            return replace(begun, error=f"{type(error).__name__}: {error}")
        return replace(begun, snapshot=taken.digest, rows=taken.snapshot.rows, warnings=tuple(taken.warnings))

    def _last(self, begun: Intake) -> Snapshot | None:
        """Return the last good snapshot, where it is still kept."""
        if begun.snapshot is None or not self.stores.objects.exists(begun.snapshot):
            return None
        return Snapshot.from_json(self.stores.objects.get(begun.snapshot))


def intake_of(records: Records, key: ResourceKey) -> Intake | None:
    """Return how the last reading of a dataset ended."""
    kept = records.setting(_intake_name(key))
    return Intake.from_json(kept) if kept is not None else None


def _intake_name(key: ResourceKey) -> str:
    return f"intake/{key.namespace}/{key.name}"


def _known_name(key: ResourceKey) -> str:
    return f"known-files/{key.namespace}/{key.name}"
