"""One file becomes typed resources, and findings for all that is wrong with it, at once."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from gnomon.errors import ManifestError
from gnomon.resources.canonical import canonical_json, spec_digest
from gnomon.resources.compiled import AnyResource
from gnomon.resources.complaints import complaints
from gnomon.resources.documents import MAX_FINDINGS, Document, Finding, Node, NodePath, UnreadableError, read_documents
from gnomon.resources.identity import API_GROUP, API_VERSION, DEFAULT_NAMESPACE, ResourceKey
from gnomon.resources.kinds import KINDS
from gnomon.resources.planned import PLANNED_KINDS
from gnomon.resources.release import Release
from gnomon.resources.rules import violations
from gnomon.resources.wording import did_you_mean, found, nearest


@dataclass(frozen=True)
class ParsedDocument:
    """One document: either ``resource`` is there, or ``findings`` say why not.

    ``key`` is the identity that the document claims, as far as it can be told; ``line`` is where it begins.
    """

    line: int
    key: ResourceKey | None
    resource: AnyResource | None = None
    spec_digest: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class ParsedFile:
    """The documents of one file that are ours. With ``finding`` the file cannot be read, and has no documents."""

    documents: tuple[ParsedDocument, ...] = ()
    finding: Finding | None = None


def parse_file(content: bytes) -> ParsedFile:
    """Return what a manifest's bytes declare. Never raises: whatever is wrong becomes a finding."""
    try:
        documents = read_documents(content)
    except UnreadableError as error:
        return ParsedFile(finding=error.finding)
    parsed = (_parsed(document) for document in documents)
    return ParsedFile(tuple(document for document in parsed if document is not None))


def parse_release(content: bytes) -> Release:
    """Return the one Release that a lock file holds.

    Raises:
        ManifestError: The file is broken, or holds something else.
    """
    parsed = parse_file(content)
    problems = [parsed.finding] if parsed.finding is not None else [f for d in parsed.documents for f in d.findings]
    if problems:
        raise ManifestError(f"line {problems[0].line}: {problems[0].cause}", problems[0].mend)
    resources = [document.resource for document in parsed.documents]
    if len(resources) != 1 or not isinstance(resources[0], Release):
        raise ManifestError("the file does not hold one Release and nothing else", "restore it with `git revert`")
    return resources[0]


def place_in(content: bytes, line: int, path: NodePath) -> tuple[int, int]:
    """Return line and column of the value at ``path`` of the document that begins at ``line`` of a parsed file.

    The file is read again: places are needed only where something is wrong, and would double what is kept of each file.
    """
    root = next(document.root for document in read_documents(content) if document.root.line == line)
    return root.place_of(path)


def _parsed(document: Document) -> ParsedDocument | None:
    """Return the parsed document, or nothing where it is not ours."""
    root = document.root
    if not document.findings and isinstance(root.value, dict) and _is_foreign(root.value):
        return None
    claimed = _claimed_key(root.value)
    findings = document.findings or _envelope_findings(root)
    if findings:
        return ParsedDocument(root.line, claimed, findings=findings)
    resource = _resource(root)
    if isinstance(resource, list):
        findings = tuple(sorted(resource, key=lambda finding: (finding.line, finding.column))[:MAX_FINDINGS])
        return ParsedDocument(root.line, claimed, findings=findings)
    return ParsedDocument(root.line, resource.key, resource, spec_digest(resource))


def _resource(root: Node) -> AnyResource | list[Finding]:
    """Return the resource of a document whose envelope is right, or everything that is wrong with it."""
    value: Any = root.value
    kind = KINDS[value["kind"]]
    try:
        resource = kind.model_validate_json(canonical_json(value), by_alias=True, by_name=False)
    except ValidationError as error:
        return complaints(error, root, kind)
    broken = [Finding(*root.place_of(rule.path), rule.cause, rule.mend) for rule in violations(resource)]
    return broken or resource


def _claimed_key(value: object) -> ResourceKey | None:
    if not isinstance(value, dict) or not isinstance(value.get("metadata"), dict):
        return None
    kind, metadata = value.get("kind"), value["metadata"]
    name, namespace = metadata.get("name"), metadata.get("namespace", DEFAULT_NAMESPACE)
    if isinstance(kind, str) and isinstance(name, str) and isinstance(namespace, str):
        return ResourceKey(kind, namespace, name)
    return None


def _is_foreign(value: dict[str, object]) -> bool:
    """Whether a document belongs to another system that shares the file, and is not a slip of the pen in one of ours."""
    version, kind = value.get("apiVersion"), value.get("kind")
    if isinstance(version, str):
        return nearest(version.partition("/")[0], [API_GROUP]) is None
    means_a_kind = isinstance(kind, str) and nearest(kind, [*KINDS, *PLANNED_KINDS]) is not None
    return not means_a_kind and "apiversion" not in map(str.lower, value)


def _envelope_findings(root: Node) -> tuple[Finding, ...]:
    """Return what is wrong with ``apiVersion`` and ``kind``, which decide how all the rest is read."""
    value = root.value
    if not isinstance(value, dict):
        mend = "write apiVersion, kind, metadata and spec"
        return (Finding(root.line, root.column, f"the document is {found(value)}", mend),)
    findings = []
    if "apiVersion" not in value:
        findings.append(Finding(root.line, root.column, "apiVersion is missing", f"add apiVersion: {API_VERSION}"))
    elif value["apiVersion"] != API_VERSION:
        cause = f"apiVersion is {found(value['apiVersion'])}, which this version does not know"
        findings.append(Finding(*root.place_of(("apiVersion",)), cause, f"write {API_VERSION}, or run a newer gnomon"))
    kind = value.get("kind")
    place = root.place_of(("kind",))
    if "kind" not in value:
        findings.append(Finding(root.line, root.column, "kind is missing", f"add one of {', '.join(KINDS)}"))
    elif isinstance(kind, str) and kind in PLANNED_KINDS:
        cause = f"the kind {kind} is planned, and not part of this version yet"
        findings.append(Finding(*place, cause, f"remove the document; the kinds are {', '.join(KINDS)}"))
    elif not isinstance(kind, str) or kind not in KINDS:
        mend = did_you_mean(str(kind), KINDS, what="kinds")
        findings.append(Finding(*place, f"kind is {found(kind)}, which is not a kind", mend))
    return tuple(findings)
