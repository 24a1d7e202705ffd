"""Measuring the quality of snapshots, in a thread of its own: one scan of each new file, never in a pass.

Nothing waits for it: data that cannot be measured is used all the same.
"""

import hashlib
import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import msgspec

from gnomon.data.snapshot import Snapshot
from gnomon.errors import GnomonError, NotFoundError
from gnomon.operator.state import Desired, Intake
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Records

_LOG = logging.getLogger(__name__)
_SHOWN_FINDINGS = 5


@dataclass(frozen=True)
class _Asked:
    """A report that is wanted: of a snapshot, for what is declared and predicted now."""

    dataset: Dataset
    snapshot: Digest
    targets: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Names what the report depends on besides the figures of the files."""
        declared = self.dataset.spec.model_dump(mode="json", by_alias=True)
        return hashlib.sha256(json.dumps([self.snapshot, declared, self.targets], sort_keys=True).encode()).hexdigest()


@dataclass
class QualityJobs:
    """Measures snapshots, one after another."""

    records: Records
    objects: DiskObjectStore
    wake: Callable[[], None]
    _seen: dict[ResourceKey, tuple[Digest, str, tuple[str, ...]]] = field(default_factory=dict, init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "quality"), init=False)

    def want(self, desired: Desired, intakes: Mapping[ResourceKey, Intake]) -> None:
        """Measure what has not been measured: each dataset's last good snapshot. Asking again costs nothing."""
        for declared, dataset in desired.datasets():
            intake = intakes.get(dataset.key)
            if intake is None or intake.snapshot is None:
                continue
            targets = _targets(dataset, desired)
            seen = (intake.snapshot, declared.spec_digest, targets)
            if self._seen.get(dataset.key) != seen:
                self._seen[dataset.key] = seen
                self._pool.submit(self._measure, _Asked(dataset, intake.snapshot, targets))

    def close(self) -> None:
        """End after the file under way."""
        self._closing.set()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _measure(self, asked: _Asked) -> None:
        key = asked.dataset.key
        try:
            self._kept_report(asked)
        except GnomonError as error:
            _LOG.warning("quality_not_measured", extra={"resource": str(key), "cause": error.cause, "mend": error.mend})
        except Exception:  # noqa: BLE001 - nobody else would tell of it, and the data is used all the same
            _LOG.exception("quality_not_measured", extra={"resource": str(key)})
        self.wake()

    def _kept_report(self, asked: _Asked) -> None:
        # Polars is imported in this thread, not where an operator starts.
        from gnomon.data.statistics.report import quality_report  # noqa: PLC0415
        from gnomon.data.statistics.scan import hashing, snapshot_figures  # noqa: PLC0415

        key = asked.dataset.key
        before: Mapping[str, Any] = self.records.setting(_name(key)) or {}
        if before.get("asked") == asked.digest and before.get("hashing") == hashing():
            return
        known: Mapping[str, str] = before.get("files", {}) if before.get("hashing") == hashing() else {}
        snapshot = Snapshot.from_json(self.objects.get(asked.snapshot))
        wanted = {file.digest for file in snapshot.files}
        figures = {file: found for file, at in known.items() if file in wanted and (found := self._figures(at)) is not None}
        measured = snapshot_figures(snapshot, lambda file: self.objects.path(file.digest), figures, self._closing.is_set)
        if measured is None:
            return
        whole, by_file = measured
        kept = {
            file: known.get(file) if file in figures else self.objects.put(msgspec.json.encode(each))
            for file, each in by_file.items()
        }
        name = f"{key.namespace}/{key.name}"
        report = quality_report(name, asked.snapshot, whole, asked.dataset.spec, asked.targets)
        self.records.put_setting(
            _name(key),
            {
                "asked": asked.digest,
                "hashing": hashing(),
                "snapshot": asked.snapshot,
                "report": self.objects.put(msgspec.json.encode(report, order="sorted")),
                "counts": report["counts"],
                "findings": [finding["what"] for finding in report["findings"]][:_SHOWN_FINDINGS],
                "files": kept,
            },
        )

    def _figures(self, digest: str) -> Any:
        from gnomon.data.statistics.scan import Figures  # noqa: PLC0415 - as above

        try:
            return msgspec.json.decode(self.objects.get(Digest(digest)), type=Figures)
        except (GnomonError, msgspec.DecodeError):
            return None  # measured anew


def quality_of(records: Records, key: ResourceKey) -> Mapping[str, Any] | None:
    """Return what is kept of a dataset's last report: its ``snapshot``, ``counts``, first ``findings`` and ``report``."""
    kept: Mapping[str, Any] | None = records.setting(_name(key))
    return kept


def require_quality(records: Records, key: ResourceKey) -> Digest:
    """Return the object digest of a dataset's last report.

    Raises:
        NotFoundError: There is none yet.
    """
    kept = quality_of(records, key)
    if kept is None:
        raise NotFoundError(f"{key} has no quality report yet", "it is made when the dataset has been read: try again shortly")
    return Digest(kept["report"])


def _name(key: ResourceKey) -> str:
    return f"quality/{key.namespace}/{key.name}"


def _targets(dataset: Dataset, desired: Desired) -> tuple[str, ...]:
    """Return the columns that models predict from a dataset."""
    models: Sequence[Any] = [model for _, model in desired.models()]
    found = {
        model.spec.target
        for model in models
        if (model.metadata.namespace, model.spec.dataset) == (dataset.metadata.namespace, dataset.metadata.name)
        and model.spec.target is not None
    }
    return tuple(sorted(found))
