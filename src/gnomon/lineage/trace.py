"""What somebody names becomes the things that it is, and their lineage."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from gnomon.errors import NotFoundError, UsageError
from gnomon.lineage.archive import Archive
from gnomon.lineage.graph import Node, Trace, traced
from gnomon.lineage.nodes import artifact_node, file_node, run_node, service_node, step_node, version_name, version_node
from gnomon.lineage.relations import Relations
from gnomon.resources.identity import DEFAULT_NAMESPACE, Digest, Revision
from gnomon.resources.wording import did_you_mean
from gnomon.serving.ids import read_prediction_id

_HEX = re.compile(r"[0-9a-f]{7,64}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{7,64}")
_COMMIT_DIGITS = frozenset({40, 64})
_MOST_ROOTS = 50
_CALLERS_ID = "ids that callers give cannot be traced by themselves: give what the header x-gnomon-digest of the answer said"


@dataclass(frozen=True)
class _Found:
    roots: Sequence[Node]
    notes: tuple[str, ...] = ()


def trace(archive: Archive, asked: str) -> Trace:
    """Return the lineage of a thing.

    Args:
        archive: What is recorded.
        asked: A prediction id, a digest (of an artifact, a snapshot, an object or a data file), ``MODEL:VERSION``, a service,
            a run, ``RUN/STEP``, a step key, a commit, or the path of a data file. Digests, keys and commits may be cut off
            after seven digits or more, as long as they still name one thing.

    Raises:
        UsageError: It names nothing.
        NotFoundError: Nothing of this name is known.
    """
    text = asked.strip()
    if not text:
        raise UsageError("nothing is named", "give a prediction id, a digest, MODEL:VERSION, a run, a commit or a path")
    relations = Relations(archive)
    found = _Resolver(archive, relations).resolve(text)
    roots, notes = list(dict.fromkeys(found.roots)), list(found.notes)
    if len(roots) > _MOST_ROOTS:
        notes.append(f"{len(roots)} things go by this name; the first {_MOST_ROOTS} are traced")
    return traced(asked, roots[:_MOST_ROOTS], relations.sources, relations.uses, notes)


@dataclass(frozen=True)
class _Resolver:
    archive: Archive
    relations: Relations

    def resolve(self, text: str) -> _Found:
        """Return what a text names. What it looks like is tried first, whatever else may go by that name after."""
        mark = read_prediction_id(text)
        if mark is not None:
            return self._prediction(text, mark.digest_prefix, mark.at.isoformat(timespec="milliseconds"))
        ways: list[Callable[[str], list[Node]]] = [self._run, self._step, self._version, self._path, self._service]
        if _DIGEST.fullmatch(text):
            ways = [self._digest]
        elif _HEX.fullmatch(text):
            ways = [lambda name: self._digest(f"sha256:{name}"), self._commit, self._step_key, *ways]
        for way in ways:
            roots = way(text)
            if roots:
                return _Found(roots)
        raise NotFoundError(f"nothing that is known goes by {text[:120]!r}", self._nearest(text))

    def _prediction(self, text: str, prefix: str, at: str) -> _Found:
        known = {version.digest for version in self.archive.versions if version.digest.startswith(f"sha256:{prefix}")}
        if not known:
            raise NotFoundError(f"no artifact that is known here answered as {text}", _CALLERS_ID)
        notes = [f"{len(known)} artifacts begin with {prefix}: one of them answered"] if len(known) > 1 else []
        node = Node("prediction", text, {"at": at, "artifacts": sorted(known)})
        return _Found([node], tuple(notes))

    def _digest(self, text: str) -> list[Node]:
        """Return the artifact, snapshot, data file or step result of this digest."""
        versions = {version.digest for version in self.archive.versions if version.digest.startswith(text)}
        packed = {run.artifact for run in self.archive.runs if run.artifact is not None and run.artifact.startswith(text)}
        champions = {run.champion for run in self.archive.runs if run.champion is not None and run.champion.startswith(text)}
        pinned = {Digest(each.spec.digest) for each in self.archive.releases if each.spec and each.spec.digest.startswith(text)}
        artifacts = [artifact_node(digest) for digest in sorted(versions | packed | champions | pinned)]
        if artifacts:
            return _only(artifacts, text)
        read = {digest for run in self.archive.runs for digest in self.archive.snapshots_of(run)}
        snapshots = sorted(digest for digest in {*self.archive.snapshots, *read} if digest.startswith(text))
        if snapshots:
            return _only([self.relations.snapshot_of(digest) for digest in snapshots], text)
        files = self._files(lambda digest, _path: digest.startswith(text))
        return _only(files or self._objects(text), text)

    def _objects(self, text: str) -> list[Node]:
        found: dict[str, Node] = {}
        for run in self.archive.runs:
            for digest, what in ((run.report, "report"), (run.report_page, "report page")):
                if digest is not None and digest.startswith(text):
                    return [run_node(run)] if what else []
            for step in self.archive.steps(run.id):
                if step.log is not None and step.log.startswith(text):
                    return [step_node(step)]
                for item, kept in (step.result or {}).items():
                    if str(kept.get("digest", "")).startswith(text):
                        found.setdefault(kept["digest"], Node("object", kept["digest"], {"item": item, "codec": kept["codec"]}))
        return list(found.values())

    def _files(self, is_meant: Callable[[str, str], bool]) -> list[Node]:
        found: dict[str, Node] = {}
        for digest, records in self.archive.snapshots.items():
            snapshot = self.archive.snapshot(digest)
            for index, file in enumerate(snapshot.files if snapshot is not None else ()):
                paths = tuple(dict.fromkeys(record.paths[index] for record in records if index < len(record.paths)))
                if any(is_meant(file.digest, path) for path in paths or ("",)):
                    found.setdefault(file.digest, file_node(file, paths))
        return list(found.values())

    def _path(self, text: str) -> list[Node]:
        """Return what a data file held, each time that it was another."""
        wanted = text.removeprefix("./")
        return self._files(lambda _digest, path: path == wanted) or self._files(
            lambda _digest, path: path.endswith(f"/{wanted}")
        )

    def _commit(self, text: str) -> list[Node]:
        known = {
            *(run.revision for run in self.archive.runs),
            *(record.revision for records in self.archive.snapshots.values() for record in records),
            *(release.revision for release in self.archive.releases),
        }
        meant = sorted(revision for revision in known if revision.startswith(text))
        if not meant and len(text) in _COMMIT_DIGITS and self.archive.commit(Revision(text)) is not None:
            meant = [Revision(text)]
        return _only([self.relations.commit_of(revision) for revision in meant], text)

    def _step_key(self, text: str) -> list[Node]:
        steps = [step for run in self.archive.runs for step in self.archive.steps(run.id) if step.key.startswith(text)]
        if len({step.key for step in steps}) > 1:
            raise UsageError(f"{text} begins the keys of {len({step.key for step in steps})} steps", "give more digits")
        return [step_node(step) for step in steps]

    def _run(self, text: str) -> list[Node]:
        run = self.archive.run(text)
        return [run_node(run)] if run is not None else []

    def _step(self, text: str) -> list[Node]:
        run_id, divider, name = text.partition("/")
        run = self.archive.run(run_id) if divider else None
        if run is None:
            return []
        steps = self.archive.steps(run.id)
        found = [step_node(step) for step in steps if step.name == name]
        if not found:
            names = [step.name for step in steps]
            raise NotFoundError(f"run {run_id} has no step {name}", did_you_mean(name, names, what=f"steps of {run_id}"))
        return found

    def _version(self, text: str) -> list[Node]:
        name, divider, number = text.rpartition(":")
        if not divider or not number.removeprefix("v").isdecimal():
            return []
        wanted = f"{name if '/' in name else f'{DEFAULT_NAMESPACE}/{name}'}:{number.removeprefix('v')}"
        return [version_node(each) for each in self.archive.versions if version_name(each.model, each.version) == wanted]

    def _service(self, text: str) -> list[Node]:
        name = text.removeprefix("service/")
        wanted = name if "/" in name else f"{DEFAULT_NAMESPACE}/{name}"
        services = [record.key for record in self.archive.records.resources("Service")]
        return [service_node(key) for key in services if f"{key.namespace}/{key.name}" == wanted]

    def _nearest(self, text: str) -> str:
        services = [record.key.name for record in self.archive.records.resources("Service")]
        versions = [version_name(each.model, each.version) for each in self.archive.versions]
        plain = [name.removeprefix(f"{DEFAULT_NAMESPACE}/") for name in versions]
        return did_you_mean(text, [*services, *plain, *(run.id for run in self.archive.runs)], what="names")


def _only(nodes: list[Node], text: str) -> list[Node]:
    """Return the one thing that a digest names, which may be cut off."""
    if len(nodes) > 1:
        shown = ", ".join(node.name[: len(text) + 6] for node in nodes[:5])
        raise UsageError(f"{text} begins the names of {len(nodes)} things: {shown}", "give more digits")
    return nodes
