"""The source loop: the tip of a branch becomes desired state."""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import DataError, RepositoryError
from gnomon.operator.outside import OutsideSources
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.operator.revert import LockState, lock_state, merge_mark
from gnomon.operator.state import Desired, SourceFiles
from gnomon.resources.canonical import resource_from_json
from gnomon.resources.compile import ParseCache, compile_tree
from gnomon.resources.compiled import Compiled, Declared, ManifestFile
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.resources.release import release_path
from gnomon.stores.records.interface import Records, ResourceRecord
from gnomon.stores.repositories.interface import Repository, TreeEntry

_LOG = logging.getLogger(__name__)
_REGULAR_FILES = ("100644", "100755")
_LARGEST_MANIFEST = 2**21
"""Larger files are not even read; the parser refuses documents well below this."""
ALLOW_PRUNE_TRAILER = "Gnomon-Allow-Prune"


@dataclass(frozen=True)
class SourceState:
    """How following the remote goes, for people."""

    url: str
    branch: str
    revision: Revision | None = None
    checked_at: datetime | None = None
    error: str = ""
    rewritten: str = ""
    """Set when the last move of the branch was not a fast-forward."""


def _no_pipelines(_compiled: Compiled, _tree: tuple[TreeEntry, ...]) -> Mapping[ResourceKey, PipelineCode]:
    """Read no code."""
    return {}


@dataclass
class SourceFollower:
    """Follows one branch. The last good desired state survives anything that the remote does.

    One thread asks the remote, which may take long; any thread may ask for the desired state meanwhile.
    """

    repository: Repository
    records: Records
    clock: Callable[[], datetime]
    read_pipelines: Callable[[Compiled, tuple[TreeEntry, ...]], Mapping[ResourceKey, PipelineCode]] = _no_pipelines
    outside: OutsideSources | None = None
    """Looks at sources outside Git; where it is None, nobody is woken by what is found there."""
    state: SourceState = field(init=False)
    _cache: ParseCache = field(default_factory=ParseCache, init=False)
    _contents: dict[str, bytes] = field(default_factory=dict, init=False)
    _desired: Desired | None = field(default=None, init=False)
    _polling: threading.Lock = field(default_factory=threading.Lock, init=False)
    _swapping: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        self.state = SourceState(self.repository.url, self.repository.branch)
        self._outside = self.outside or OutsideSources(self.records, self.clock, lambda: None)

    def recover(self) -> None:
        """Take up the last fetched commit without asking the remote, so that a start never waits for Git.

        A mirror that cannot be read is no reason to stay down: the next fetch makes it anew.
        """
        with self._polling:
            try:
                head = self.repository.head()
                if head is not None:
                    self._take_up(head)
            except RepositoryError as error:
                self._unavailable(error)

    def poll(self) -> None:
        """Ask the remote for the tip and take it up if it moved. What goes wrong is told in ``state``, and changes nothing."""
        with self._polling:
            try:
                head = self.repository.remote_head()
                if self._desired is None or head != self._desired.revision:
                    head = self.repository.fetch()
                    self._take_up(head)
            except RepositoryError as error:
                self._unavailable(error)
            else:
                self.state = replace(self.state, checked_at=self.clock(), error="")

    def desired(self) -> Desired | None:
        """Return the desired state, with the sources of datasets and the release marks as they are at this moment.

        While nothing moves, it is the same object, so that what was derived from it is not derived again.
        """
        with self._swapping:
            current = self._desired
            if current is None:
                return None
            outside = [dataset for _, dataset in current.datasets() if dataset.spec.source.is_outside]
            sources = {**current.sources, **self._outside.seen(outside, current.project.source.interval)}
            locks = {key: merge_mark(lock, self.records.release_mark(key)) for key, lock in current.locks.items()}
            if (sources, locks) != (current.sources, current.locks):
                current = self._desired = replace(current, sources=sources, locks=locks)
            return current

    def look_at(self, key: ResourceKey) -> None:
        """Have the source of a dataset looked at in the next pass, due or not."""
        self._outside.ask(key)

    def look_again(self, now: datetime) -> timedelta:
        """Return when a source outside Git is to be looked at next."""
        return self._outside.look_again(now)

    def _unavailable(self, error: RepositoryError) -> None:
        _LOG.warning("source_unavailable", extra={"cause": error.cause})
        self.state = replace(self.state, checked_at=self.clock(), error=str(error))

    def _take_up(self, revision: Revision) -> None:
        tree = self.repository.tree(revision)
        compiled = compile_tree(self._manifests(tree), self._last_good(), self._cache)
        before = self._desired.revision if self._desired is not None else None
        is_rewritten = before is not None and not self.repository.is_ancestor(before, revision)
        rewritten = (
            f"{self.repository.branch} moved from {before} to {revision}, which does not contain it" if is_rewritten else ""
        )
        desired = Desired(
            revision=revision,
            compiled=compiled,
            tree=tree,
            sources=source_files(compiled, tree),
            pipelines=self.read_pipelines(compiled, tree),
            locks=self._locks(revision, compiled),
            allowed_prunes=self._allowed_prunes(revision),
        )
        with self._swapping:
            self._desired = desired
        self.state = replace(self.state, revision=revision, rewritten=rewritten)
        _LOG.info("commit_taken_up", extra={"revision": revision, "problems": len(compiled.problems)})

    def _manifests(self, tree: tuple[TreeEntry, ...]) -> list[ManifestFile]:
        entries = [entry for entry in tree if is_manifest(entry)]
        missing = [entry.blob for entry in entries if entry.blob not in self._contents]
        found: Mapping[str, bytes] = self.repository.read_blobs(missing) if missing else {}
        known = {**self._contents, **found}
        self._contents = {entry.blob: known[entry.blob] for entry in entries}
        return [ManifestFile(entry.path, entry.blob, self._contents[entry.blob]) for entry in entries]

    def _last_good(self) -> Mapping[ResourceKey, Declared]:
        if self._desired is not None:
            return self._desired.compiled.declared
        return {record.key: declared_of(record) for record in self.records.resources()}

    def _locks(self, revision: Revision, compiled: Compiled) -> dict[ResourceKey, LockState]:
        paths = {key: release_path(key.namespace, key.name) for key in compiled.declared if key.kind == "Service"}
        histories = self.repository.file_histories(revision, tuple(paths.values()))
        return {key: lock_state(histories.get(path, ())) for key, path in paths.items()}

    def _allowed_prunes(self, revision: Revision) -> int | None:
        allowed = self.repository.commit_info(revision).trailers.get(ALLOW_PRUNE_TRAILER, "")
        return int(allowed) if allowed.isdecimal() else None


def is_manifest(entry: TreeEntry) -> bool:
    """Return whether a file may declare resources: a plain YAML file of a sensible size, not in a dot-folder."""
    is_hidden = any(part.startswith(".") for part in entry.path.split("/"))
    is_yaml = entry.path.endswith((".yaml", ".yml"))
    return is_yaml and not is_hidden and entry.mode in _REGULAR_FILES and entry.size <= _LARGEST_MANIFEST


def source_files(compiled: Compiled, tree: tuple[TreeEntry, ...]) -> dict[ResourceKey, SourceFiles]:
    """Return what the sources of datasets are in a commit, without reading any; those outside it have not been seen."""
    found: dict[ResourceKey, SourceFiles] = {}
    for key, declared in compiled.declared.items():
        if not isinstance(declared.resource, Dataset):
            continue
        spec = declared.resource.spec
        if spec.source.is_outside:
            found[key] = SourceFiles(is_pending=True)
            continue
        try:
            found[key] = SourceFiles(fingerprint(list_files(spec.source, tree, key=spec.key)))
        except DataError as error:
            found[key] = SourceFiles(error=str(error))
    return found


def declared_of(record: ResourceRecord) -> Declared:
    """Return the declaration that a record keeps."""
    resource: Any = resource_from_json(dict(record.declaration))
    return Declared(resource, record.path, record.line, record.blob, record.spec_digest)
