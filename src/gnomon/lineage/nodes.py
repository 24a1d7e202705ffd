"""Records become nodes: what names a thing, and what people want to know of it."""

from collections.abc import Mapping
from typing import Any

from gnomon.data.snapshot import SnapshotFile
from gnomon.lineage.archive import Archive, ReleaseCommit
from gnomon.lineage.graph import Node
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.stores.records.interface import RunRecord, SnapshotRecord, StepRecord, VersionRecord
from gnomon.stores.repositories.interface import CommitInfo

_SHORT = 10


def run_node(run: RunRecord) -> Node:
    """Return a run."""
    gates = [gate for gate in run.summary.get("gates") or () if isinstance(gate, Mapping)]
    window = (run.summary.get("window") or {}).get("label", "")
    details = {
        "of": str(run.owner),
        "state": run.state,
        "reason": run.reason,
        "winner": run.summary.get("winner", ""),
        "window": window,
        "gates": f"{sum(bool(gate.get('passed')) for gate in gates)} of {len(gates)} passed" if gates else "",
        "started": _time(run.started_at),
        "why": run.summary.get("why", ""),
    }
    return Node("run", run.id, details)


def step_node(step: StepRecord) -> Node:
    """Return a step of a run."""
    details = {"state": step.state, "key": step.key[:_SHORT], "results": sorted(step.result or {})}
    return Node("step", f"{step.run}/{step.name}", details)


def snapshot_node(digest: Digest, records: tuple[SnapshotRecord, ...] = ()) -> Node:
    """Return a snapshot; ``records`` are those of its digest, newest first."""
    if not records:
        return Node("snapshot", digest)
    first = records[-1]
    details = {
        "of": sorted({str(record.dataset) for record in records}),
        "rows": first.rows,
        "bytes": first.size_bytes,
        "read": _time(first.created_at),
        "commit": first.revision[:_SHORT],
    }
    return Node("snapshot", digest, details)


def file_node(file: SnapshotFile, paths: tuple[str, ...]) -> Node:
    """Return a data file, known under some paths."""
    details = {"path": list(paths), "rows": file.rows, "bytes": file.size_bytes, "format": file.format}
    return Node("file", file.digest, details)


def commit_node(revision: Revision, commit: CommitInfo | None) -> Node:
    """Return a commit, of which the mirror may know nothing any more."""
    if commit is None:
        return Node("commit", revision, {"note": "not in the mirror"})
    details = {
        "by": f"{commit.author.name} <{commit.author.email}>",
        "at": _time(commit.authored_at),
        "subject": commit.subject,
        "merge": "yes" if len(commit.parents) > 1 else "",
    }
    return Node("commit", revision, details)


def artifact_node(digest: Digest) -> Node:
    """Return an artifact."""
    return Node("artifact", digest)


def version_node(version: VersionRecord) -> Node:
    """Return a version of a model."""
    metrics = {name: float(f"{value:.5g}") for name, value in version.metrics.items()}
    details: dict[str, Any] = {"digest": version.digest[: 7 + _SHORT], "registered": _time(version.created_at), **metrics}
    return Node("version", version_name(version.model, version.version), details)


def version_name(model: ResourceKey, version: int) -> str:
    """Return ``NAMESPACE/MODEL:VERSION``."""
    return f"{model.namespace}/{model.name}:{version}"


def release_node(release: ReleaseCommit, archive: Archive) -> Node:
    """Return what a commit made of a service's release, with who brought it onto the branch."""
    commit = archive.commit(release.revision)
    by = f"{commit.author.name} <{commit.author.email}>" if commit is not None else ""
    details = {
        "version": f"v{release.spec.version}" if release.spec is not None else "none",
        "by": by,
        "at": _time(commit.authored_at) if commit is not None else "",
        "subject": commit.subject if commit is not None else "",
        "current": "yes" if release.is_current else "no",
    }
    return Node("release", f"{release.service.namespace}/{release.service.name}@{release.revision}", details)


def service_node(service: ResourceKey) -> Node:
    """Return a service."""
    return Node("service", f"{service.namespace}/{service.name}")


def _time(at: Any) -> str:
    return str(at.isoformat(timespec="seconds").replace("+00:00", "Z"))
