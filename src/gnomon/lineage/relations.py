"""What each kind of thing was made of, and what used it: the rules that a trace follows."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gnomon.lineage.archive import Archive, ReleaseCommit
from gnomon.lineage.graph import Kind, Link, Node
from gnomon.lineage.nodes import (
    artifact_node,
    commit_node,
    file_node,
    release_node,
    run_node,
    service_node,
    snapshot_node,
    step_node,
    version_name,
    version_node,
)
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.stores.records.interface import RunRecord, SnapshotRecord, StepRecord, VersionRecord

_MOST_FILES_OF_COMMITS = 20
"""Of so many data files of a snapshot at most, the commit that brought them is looked up: each costs a question to Git."""


_Rule = Callable[[Node], Iterator[Link]]


@dataclass(frozen=True)
class Relations:
    """The rules, on what an archive holds."""

    archive: Archive

    def sources(self, node: Node) -> Sequence[Link]:
        """Return what a node was made of."""
        rules: Mapping[Kind, _Rule] = {
            "prediction": self._prediction_sources,
            "artifact": self._artifact_sources,
            "version": self._version_sources,
            "release": self._release_sources,
            "service": self._service_sources,
            "run": self._run_sources,
            "step": self._step_sources,
            "snapshot": self._snapshot_sources,
            "file": self._file_sources,
            "object": self._object_sources,
        }
        return list(rules.get(node.kind, _nothing)(node))

    def uses(self, node: Node) -> Sequence[Link]:
        """Return what used a node."""
        rules: Mapping[Kind, _Rule] = {
            "artifact": self._artifact_uses,
            "version": self._version_uses,
            "release": self._release_uses,
            "run": self._run_uses,
            "step": self._step_uses,
            "snapshot": self._snapshot_uses,
            "file": self._file_uses,
            "object": self._object_uses,
            "commit": self._commit_uses,
        }
        return list(rules.get(node.kind, _nothing)(node))

    def snapshot_of(self, digest: Digest) -> Node:
        """Return a snapshot as a node."""
        return snapshot_node(digest, tuple(self.archive.snapshots.get(digest, ())))

    def commit_of(self, revision: Revision) -> Node:
        """Return a commit as a node."""
        return commit_node(revision, self.archive.commit(revision))

    def steps_with(self, digest: str) -> Iterator[tuple[StepRecord, str]]:
        """Yield the steps that gave a kept value, with the name of the item."""
        for run in self.archive.runs:
            for step in self.archive.steps(run.id):
                for item, kept in (step.result or {}).items():
                    if kept.get("digest") == digest:
                        yield step, item

    def _prediction_sources(self, node: Node) -> Iterator[Link]:
        yield from (Link("answered by", artifact_node(Digest(digest))) for digest in node.details["artifacts"])

    def _artifact_sources(self, node: Node) -> Iterator[Link]:
        made = [run for run in reversed(self.archive.runs) if run.artifact == node.name]
        # The first made it; later ones came to the same.
        yield from (Link("made by", run_node(run), is_leaf=run is not made[0]) for run in made)

    def _version_sources(self, node: Node) -> Iterator[Link]:
        version = self._version(node.name)
        if version is not None:
            yield Link("is", artifact_node(version.digest))

    def _version_uses(self, node: Node) -> Iterator[Link]:
        version = self._version(node.name)
        if version is not None:
            pinned = (release for release in self.archive.releases if _pins(release, version))
            yield from (Link("pinned by", release_node(release, self.archive)) for release in pinned)

    def _release_sources(self, node: Node) -> Iterator[Link]:
        release = self._release(node.name)
        if release is None:
            return
        yield Link("commit", self.commit_of(release.revision))
        if release.spec is not None:
            version = next((each for each in self.archive.versions if _pins(release, each)), None)
            # Of a version that these records do not know, Git still tells the digest.
            yield Link("pins", version_node(version) if version is not None else artifact_node(Digest(release.spec.digest)))

    def _release_uses(self, node: Node) -> Iterator[Link]:
        release = self._release(node.name)
        if release is not None and release.is_current:
            yield Link("serves as", service_node(release.service))

    def _service_sources(self, node: Node) -> Iterator[Link]:
        for release in self.archive.releases:
            if release.is_current and _name(release.service) == node.name:
                yield Link("serves by", release_node(release, self.archive))

    def _run_uses(self, node: Node) -> Iterator[Link]:
        run = self.archive.run(node.name)
        if run is not None and run.artifact is not None:
            yield Link("made", artifact_node(run.artifact))

    def _snapshot_uses(self, node: Node) -> Iterator[Link]:
        learned = (run for run in self.archive.runs if node.name in self.archive.snapshots_of(run))
        yield from (Link("learned by", run_node(run)) for run in learned)

    def _file_uses(self, node: Node) -> Iterator[Link]:
        for digest in self.archive.snapshots:
            snapshot = self.archive.snapshot(digest)
            if snapshot is not None and any(file.digest == node.name for file in snapshot.files):
                yield Link("part of", self.snapshot_of(digest))

    def _object_sources(self, node: Node) -> Iterator[Link]:
        yield from (Link(f"item {item} of", step_node(step)) for step, item in self.steps_with(node.name))

    def _object_uses(self, node: Node) -> Iterator[Link]:
        for run in self.archive.runs:
            for step in self.archive.steps(run.id):
                inputs = ((step.parts or {}).get("inputs") or {}).items()
                yield from (Link(f"input {n} of", step_node(step)) for n, given in inputs if given.get("digest") == node.name)

    def _artifact_uses(self, node: Node) -> Iterator[Link]:
        digest = node.name
        for version in self.archive.versions:
            if version.digest == digest:
                yield Link("registered as", version_node(version))
        for run in self.archive.runs:
            if run.champion == digest:
                yield Link("champion of", run_node(run), is_leaf=True)

    def _run_sources(self, node: Node) -> Iterator[Link]:
        run = self.archive.run(node.name)
        if run is None:
            return
        yield Link("at", self.commit_of(run.revision))
        yield from self._manifests(run)
        for digest in self.archive.snapshots_of(run):
            yield Link("learned from", self.snapshot_of(digest))
        if run.champion is not None:
            yield Link("against champion", artifact_node(run.champion), is_leaf=True)
        for step in self.archive.steps(run.id):
            yield Link("step", step_node(step))

    def _manifests(self, run: RunRecord) -> Iterator[Link]:
        """Yield the commits that last changed what declares the run's model or pipeline."""
        path = self.archive.paths_declaring(run.revision).get(run.owner)
        commit = self.archive.last_change(run.revision, path) if path is not None else None
        if commit is not None:
            yield Link(f"declared in {path} by", commit_node(commit.revision, commit))

    def _step_sources(self, node: Node) -> Iterator[Link]:
        run, step = self._step(node.name)
        if run is None or step is None:
            return
        earlier = {other.name: other for other in self.archive.steps(run.id)}
        made = {kept.get("digest"): other for other in earlier.values() for kept in (other.result or {}).values()}
        is_fed = False
        for item, given in ((step.parts or {}).get("inputs") or {}).items():
            source = earlier.get(str(given.get("step", ""))) or made.get(given.get("digest"))
            if source is not None and source.name != step.name:
                is_fed = True
                yield Link(f"input {item} from", step_node(source))
        if not is_fed:
            for digest in self.archive.snapshots_of(run):
                yield Link("read", self.snapshot_of(digest))
        yield Link("code at", self.commit_of(run.revision))

    def _step_uses(self, node: Node) -> Iterator[Link]:
        run, step = self._step(node.name)
        if run is None or step is None:
            return
        gave = {str(kept.get("digest")) for kept in (step.result or {}).values()}
        for other in self.archive.steps(run.id):
            inputs = ((other.parts or {}).get("inputs") or {}).values()
            if other.name != step.name and any(i.get("step") == step.name or i.get("digest") in gave for i in inputs):
                yield Link("input of", step_node(other))
        yield Link("part of", run_node(run))

    def _snapshot_sources(self, node: Node) -> Iterator[Link]:
        digest = Digest(node.name)
        snapshot = self.archive.snapshot(digest)
        records = self.archive.snapshots.get(digest, ())
        for index, file in enumerate(snapshot.files if snapshot is not None else ()):
            # The same files may have lain elsewhere at another commit.
            paths = dict.fromkeys(record.paths[index] for record in records if index < len(record.paths))
            yield Link("holds", file_node(file, tuple(paths)))
        for record in records:
            yield Link("read at", self.commit_of(record.revision))

    def _file_sources(self, node: Node) -> Iterator[Link]:
        """Yield the commits that last changed a data file of the repository, when it was read."""
        digest = Digest(node.name)
        seen: set[tuple[Revision, str]] = set()
        for record, path in self.places(digest):
            if path.startswith("/") or "://" in path or len(seen) >= _MOST_FILES_OF_COMMITS:
                continue
            seen.add((record.revision, path))
            commit = self.archive.last_change(record.revision, path)
            if commit is not None:
                yield Link(f"brought as {path} by", commit_node(commit.revision, commit))

    def places(self, digest: Digest) -> Iterator[tuple[SnapshotRecord, str]]:
        """Yield where a data file was found, and by which reading."""
        for name, records in self.archive.snapshots.items():
            snapshot = self.archive.snapshot(name)
            for index, file in enumerate(snapshot.files if snapshot is not None else ()):
                if file.digest == digest:
                    yield from ((record, record.paths[index]) for record in records if index < len(record.paths))

    def _commit_uses(self, node: Node) -> Iterator[Link]:
        revision = Revision(node.name)
        for digest, records in self.archive.snapshots.items():
            if any(record.revision == revision for record in records):
                yield Link("read as", self.snapshot_of(digest), is_leaf=True)
        for run in self.archive.runs:
            if run.revision == revision:
                yield Link("ran as", run_node(run))
        for release in self.archive.releases:
            if release.revision == revision:
                yield Link("released as", release_node(release, self.archive))

    def _version(self, name: str) -> VersionRecord | None:
        return next((each for each in self.archive.versions if version_name(each.model, each.version) == name), None)

    def _release(self, name: str) -> ReleaseCommit | None:
        service, _, revision = name.partition("@")
        return next((r for r in self.archive.releases if r.revision == revision and _name(r.service) == service), None)

    def _step(self, name: str) -> tuple[RunRecord | None, StepRecord | None]:
        run_id, _, step = name.partition("/")
        run = self.archive.run(run_id)
        steps = self.archive.steps(run_id) if run is not None else ()
        return run, next((each for each in steps if each.name == step), None)


def _nothing(_: Node) -> Iterator[Link]:
    """Yield nothing: here the trace ends."""
    yield from ()


def _pins(release: ReleaseCommit, version: VersionRecord) -> bool:
    spec, model = release.spec, version.model
    same_model = spec is not None and (release.service.namespace, spec.model) == (model.namespace, model.name)
    return same_model and spec is not None and spec.digest == version.digest


def _name(key: ResourceKey) -> str:
    return f"{key.namespace}/{key.name}"
