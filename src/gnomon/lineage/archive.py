"""Everything that is recorded of the past, looked up once for a question and remembered while it is answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

from gnomon.data.snapshot import Snapshot
from gnomon.errors import DataError, NotFoundError, RepositoryError
from gnomon.lineage.declarations import compiled_at
from gnomon.operator.revert import release_in
from gnomon.resources.compile import ParseCache
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.release import ReleaseSpec, release_path
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, RunRecord, SnapshotRecord, StepRecord, VersionRecord
from gnomon.stores.repositories.interface import CommitInfo, Repository

MOST_RUNS = 10_000
"""How many runs are looked through, the newest first."""
_MOST_SNAPSHOTS = 10_000


@dataclass(frozen=True)
class ReleaseCommit:
    """What a commit made of a service's release.

    Args:
        service: The service.
        revision: The first-parent commit: whoever made it brought the release onto the branch.
        spec: What it pins; None where it removed the release, or nobody can read it.
        is_current: Whether it is the newest.
    """

    service: ResourceKey
    revision: Revision
    spec: ReleaseSpec | None
    is_current: bool


class Archive:
    """What records, objects and the mirror tell. Make one for each question: it remembers what it has read.

    Args:
        records: The records.
        objects: Where snapshots are kept.
        repository: The mirror of the remote.
    """

    def __init__(self, records: Records, objects: ObjectStore, repository: Repository) -> None:
        self.records = records
        self.objects = objects
        self.repository = repository
        self._cache = ParseCache()
        self.steps = lru_cache(maxsize=None)(self._steps)
        self.snapshot = lru_cache(maxsize=None)(self._snapshot)
        self.commit = lru_cache(maxsize=None)(self._commit)
        self.last_change = lru_cache(maxsize=None)(self._last_change)
        self.paths_declaring = lru_cache(maxsize=None)(self._paths_declaring)

    @cached_property
    def runs(self) -> Sequence[RunRecord]:
        """Every run that is looked through, newest first."""
        return self.records.runs(limit=MOST_RUNS)

    @cached_property
    def versions(self) -> Sequence[VersionRecord]:
        """Every version of every model that is declared, or that ran."""
        declared = [record.key for record in self.records.resources("Model")]
        ran = [run.owner for run in self.runs if run.owner.kind == "Model"]
        return [version for key in dict.fromkeys((*declared, *ran)) for version in self.records.versions(key)]

    @cached_property
    def snapshots(self) -> Mapping[Digest, Sequence[SnapshotRecord]]:
        """The snapshots of every declared dataset by digest, each newest first."""
        found: dict[Digest, list[SnapshotRecord]] = {}
        for dataset in self.records.resources("Dataset"):
            for record in self.records.snapshots(dataset.key, _MOST_SNAPSHOTS):
                found.setdefault(record.digest, []).append(record)
        return found

    @cached_property
    def releases(self) -> Sequence[ReleaseCommit]:
        """What each commit made of the release of each declared service, by service, newest first."""
        services = {
            release_path(record.key.namespace, record.key.name): record.key for record in self.records.resources("Service")
        }
        head = self.repository.head()
        histories = self.repository.file_histories(head, list(services)) if head is not None and services else {}
        return [
            ReleaseCommit(services[path], version.revision, _pinned(version.content), index == 0)
            for path, history in histories.items()
            for index, version in enumerate(history)
        ]

    def run(self, run_id: str) -> RunRecord | None:
        """Return one run."""
        return next((run for run in self.runs if run.id == run_id), None) or self.records.run(run_id)

    def snapshots_of(self, run: RunRecord) -> tuple[Digest, ...]:
        """Return the snapshots that a run read."""
        if run.owner.kind != "Pipeline":
            return (run.snapshot,)
        given = dict(run.summary.get("inputs") or {}).get("snapshots") or {}
        return tuple(Digest(digest) for digest in given.values())

    def _steps(self, run_id: str) -> Sequence[StepRecord]:
        """Return the steps of a run."""
        return self.records.steps(run_id)

    def _snapshot(self, digest: Digest) -> Snapshot | None:
        """Return a snapshot's manifest; None where it is gone, or is none."""
        try:
            return Snapshot.from_json(self.objects.get(digest))
        except (NotFoundError, DataError):
            return None

    def _commit(self, revision: Revision) -> CommitInfo | None:
        """Return what a commit says of itself; None where the mirror does not hold it."""
        try:
            return self.repository.commit_info(revision)
        except (RepositoryError, IndexError):
            return None

    def _last_change(self, revision: Revision, path: str) -> CommitInfo | None:
        """Return the newest first-parent commit up to one that changed a file; None where that cannot be told."""
        try:
            return next(iter(self.repository.first_parent_log(revision, 1, path)), None)
        except RepositoryError:
            return None

    def _paths_declaring(self, revision: Revision) -> Mapping[ResourceKey, str]:
        """Return where a commit declares each resource; nothing where the mirror does not hold it."""
        try:
            compiled = compiled_at(self.repository, revision, self._cache)
        except RepositoryError:
            return {}
        return {key: declared.path for key, declared in compiled.declared.items()}


def _pinned(content: bytes | None) -> ReleaseSpec | None:
    found = release_in(content)
    return found if isinstance(found, ReleaseSpec) else None
