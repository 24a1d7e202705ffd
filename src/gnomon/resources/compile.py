"""The files of one commit become its desired state: every good resource, every problem, and what is held at its last good."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from gnomon.resources.compiled import Compiled, Declared, ManifestFile, Problem
from gnomon.resources.documents import Finding
from gnomon.resources.identity import API_GROUP, ResourceKey
from gnomon.resources.kinds import KINDS
from gnomon.resources.parse import ParsedDocument, ParsedFile, parse_file, place_in
from gnomon.resources.references import Broken, broken_references
from gnomon.resources.release import release_path

_SUFFIXES = (".yaml", ".yml")
_MARK = f"{API_GROUP}/".encode()
_KIND_LINE = re.compile(rb"^kind:\s*[\"']?(?:" + "|".join(KINDS).encode() + rb")[\"']?\s*$", re.MULTILINE)
_SPEC_LINE = re.compile(rb"^spec:", re.MULTILINE)


class ParseCache:
    """Parsed files by the blob that names their content; holds what the latest compilation used, and no more."""

    def __init__(self) -> None:
        self._latest: dict[str, ParsedFile] = {}
        self._next: dict[str, ParsedFile] = {}

    def parsed(self, file: ManifestFile) -> ParsedFile:
        """Return the parsed file, parsing it where its content is new."""
        parsed = self._next.get(file.blob) or self._latest.get(file.blob)
        if parsed is None:
            parsed = parse_file(file.content)
        self._next[file.blob] = parsed
        return parsed

    def turn(self) -> None:
        """Forget the files that were not asked for since the last turn."""
        self._latest, self._next = self._next, {}


def is_manifest_path(path: str) -> bool:
    """Whether a file at ``path`` may be a manifest: YAML, and not in a folder whose name starts with a dot."""
    return path.endswith(_SUFFIXES) and not any(part.startswith(".") for part in path.split("/")[:-1])


def compile_tree(
    files: Iterable[ManifestFile],
    last_good: Mapping[ResourceKey, Declared] | None = None,
    cache: ParseCache | None = None,
) -> Compiled:
    """Return the desired state of one commit.

    A file that cannot be read holds every resource that was last good in it; a broken document holds its own resource;
    the rest of the commit goes on. A resource whose document is gone is absent from the result: what becomes of it is
    decided elsewhere.

    Args:
        files: All files of the commit, or at least all of its YAML; others are passed over.
        last_good: What the commit before this one came to, that is, its ``Compiled.declared``.
        cache: Keeps parsed files from one call to the next.
    """
    cache = cache or ParseCache()
    compilation = _Compilation(last_good or {})
    for file in files:
        if not is_manifest_path(file.path):
            continue
        if _MARK in file.content or file.path in compilation.good_by_path:
            compilation.add(file, cache.parsed(file))
        elif _may_lack_its_version(file.content):
            parsed = cache.parsed(file)
            if parsed.finding is None:  # what cannot be read may well be another system's template
                compilation.add(file, parsed)
    cache.turn()
    return compilation.result()


def _may_lack_its_version(content: bytes) -> bool:
    """Whether a file without our ``apiVersion`` looks like one of ours that forgot or misspelt it, and like no template."""
    return b"{{" not in content and _KIND_LINE.search(content) is not None and _SPEC_LINE.search(content) is not None


@dataclass(frozen=True)
class _Place:
    """A document in its file."""

    file: ManifestFile
    document: ParsedDocument

    def __str__(self) -> str:
        return f"{self.file.path}:{self.document.line}"


@dataclass
class _Compilation:
    """What has been seen of one commit so far."""

    last_good: Mapping[ResourceKey, Declared]
    claims: dict[ResourceKey, list[_Place]] = field(default_factory=lambda: defaultdict(list))
    problems: list[Problem] = field(default_factory=list)
    hold: set[ResourceKey] = field(default_factory=set)
    declared: dict[ResourceKey, Declared] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.good_by_path: dict[str, set[ResourceKey]] = defaultdict(set)
        for key, declared in self.last_good.items():
            self.good_by_path[declared.path].add(key)

    def add(self, file: ManifestFile, parsed: ParsedFile) -> None:
        if parsed.finding is not None:
            self._report(file.path, parsed.finding, None)
            self.hold |= self.good_by_path[file.path]
        for document in parsed.documents:
            if document.key is not None:
                self.claims[document.key].append(_Place(file, document))
            else:  # Nobody can tell which one it meant.
                self.hold |= self.good_by_path[file.path]
            for finding in document.findings:
                self._report(file.path, finding, document.key)

    def result(self) -> Compiled:
        for key, places in self.claims.items():
            if len(places) > 1:
                self._refuse_doubles(key, places)
            elif places[0].document.resource is None:
                self.hold.add(key)
            else:
                self._declare(key, places[0])
        self._refuse_projects()
        self._refuse_namesakes()
        held = {key for key in self.hold if key not in self.declared and key in self.last_good}
        desired = self.declared | {key: self.last_good[key] for key in held}
        for kind in KINDS:  # In the order of references: who leans on a resource that is refused here is judged later.
            for key in [key for key in self.declared if key.kind == kind]:
                broken = list(broken_references(desired[key].resource, desired, self.hold))
                if broken:
                    self._refuse(key, *broken)
                    del desired[key]
                    if key in self.last_good:
                        desired[key] = self.last_good[key]
                        held.add(key)
        problems = sorted(self.problems, key=lambda problem: (problem.path, problem.line, problem.column))
        return Compiled(declared=desired, problems=tuple(problems), held=frozenset(held))

    def _declare(self, key: ResourceKey, place: _Place) -> None:
        file, document = place.file, place.document
        if document.resource is None:
            return
        self.declared[key] = Declared(document.resource, file.path, document.line, file.blob, document.spec_digest)
        if key.kind == "Release" and PurePosixPath(file.path) != PurePosixPath(release_path(key.namespace, key.name)):
            expected = release_path(key.namespace, key.name)
            self._refuse(
                key, Broken((), f"{key} stands in {file.path}, where no rollback would find it", f"move it to {expected}")
            )

    def _refuse_doubles(self, key: ResourceKey, places: list[_Place]) -> None:
        self.hold.add(key)
        for place in places:
            others = ", ".join(str(other) for other in places if other is not place)
            finding = Finding(place.document.line, 1, f"{key} is declared here and at {others}", "keep one of them")
            self._report(place.file.path, finding, key)

    def _refuse_projects(self) -> None:
        projects = self._standing("Project")
        if len(projects) > 1:
            for key in projects:
                others = ", ".join(sorted(path for other, path in projects.items() if other != key))
                cause = f"a repository has one Project, and there is another in {others}"
                self._refuse_new(key, Broken(("kind",), cause, "keep one of them"))

    def _refuse_namesakes(self) -> None:
        """A service's name is the public name of its model, so it is unique over all namespaces."""
        by_name: dict[str, list[ResourceKey]] = defaultdict(list)
        for key in self._standing("Service"):
            by_name[key.name].append(key)
        for namesakes in by_name.values():
            for key in namesakes if len(namesakes) > 1 else ():
                others = ", ".join(sorted(str(other) for other in namesakes if other != key))
                cause = f'the name "{key.name}" is already that of {others}, and clients know a service by its name alone'
                self._refuse_new(key, Broken(("metadata", "name"), cause, "give one of them another name"))

    def _standing(self, kind: str) -> dict[ResourceKey, str]:
        """Return the resources of a kind that are declared or held so far, with their paths."""
        held = {key: self.last_good[key] for key in self.hold if key in self.last_good}
        return {key: declared.path for key, declared in (held | self.declared).items() if key.kind == kind}

    def _refuse_new(self, key: ResourceKey, reason: Broken) -> None:
        """Refuse a resource that clashes with another, unless it is a last good one, which stays."""
        if key in self.declared:
            self._refuse(key, reason)

    def _refuse(self, key: ResourceKey, *reasons: Broken) -> None:
        """Take a resource back that stood on its own, but does not fit the rest of the commit."""
        self.declared.pop(key, None)
        self.hold.add(key)
        place = self.claims[key][0]
        for reason in reasons:
            line, column = place_in(place.file.content, place.document.line, reason.path)
            self._report(place.file.path, Finding(line, column, reason.cause, reason.mend), key)

    def _report(self, path: str, finding: Finding, key: ResourceKey | None) -> None:
        self.problems.append(Problem(path, finding.line, finding.column, finding.cause, finding.mend, key))
