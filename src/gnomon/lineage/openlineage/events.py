"""OpenLineage run events as plain JSON values. Pure: what happened goes in, a document comes out.

Source: the OpenLineage specification 2-0-2, https://openlineage.io/docs/spec/object-model.
"""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gnomon.version import __version__

EventType = Literal["START", "RUNNING", "COMPLETE", "FAIL", "ABORT"]
Facets = Mapping[str, Mapping[str, Any]]

PRODUCER = f"https://gnomon.dev/gnomon/{__version__}"
SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_FACETS = "https://openlineage.io/spec/facets"
_LONGEST_ERROR = 8000


@dataclass(frozen=True)
class Job:
    """What runs again and again."""

    namespace: str
    name: str
    facets: Facets = field(default_factory=dict)


@dataclass(frozen=True)
class DataItem:
    """A dataset in the sense of OpenLineage: data files, a snapshot, a result of a step, an artifact."""

    namespace: str
    name: str
    facets: Facets = field(default_factory=dict)
    statistics: Facets = field(default_factory=dict)
    """Of the item as an output."""


@dataclass(frozen=True)
class Parent:
    """The run that a step is part of."""

    run: uuid.UUID
    job: Job


def run_event(
    event_type: EventType,
    at: datetime,
    run: uuid.UUID,
    job: Job,
    *,
    inputs: Iterable[DataItem] = (),
    outputs: Iterable[DataItem] = (),
    parent: Parent | None = None,
    error: str = "",
) -> dict[str, Any]:
    """Return an event.

    Args:
        event_type: What the run comes to.
        at: When, in UTC.
        run: Which run; its events share it.
        job: What runs.
        inputs: What it reads.
        outputs: What it makes.
        parent: The run that it is part of.
        error: Why it failed.
    """
    facets: dict[str, Mapping[str, Any]] = {
        "processing_engine": _facet("1-1-1/ProcessingEngineRunFacet.json", version=__version__, name="gnomon")
    }
    if parent is not None:
        job_named = {"namespace": parent.job.namespace, "name": parent.job.name}
        facets["parent"] = _facet("1-0-1/ParentRunFacet.json", run={"runId": str(parent.run)}, job=job_named)
    if error:
        message = error[:_LONGEST_ERROR]
        facets["errorMessage"] = _facet("1-0-1/ErrorMessageRunFacet.json", message=message, programmingLanguage="Python")
    return {
        "eventType": event_type,
        "eventTime": at.isoformat().replace("+00:00", "Z"),
        "producer": PRODUCER,
        "schemaURL": SCHEMA,
        "run": {"runId": str(run), "facets": facets},
        "job": {"namespace": job.namespace, "name": job.name, "facets": dict(job.facets)},
        "inputs": [_item(item) for item in inputs],
        "outputs": [_item(item, "outputFacets") for item in outputs],
    }


def job_facets(kind: str, description: str, location: Mapping[str, str] | None) -> Facets:
    """Return the facets of a job: what it is, a sentence about it, and where it is declared."""
    facets: dict[str, Mapping[str, Any]] = {
        "jobType": _facet("2-0-3/JobTypeJobFacet.json", processingType="BATCH", integration="GNOMON", jobType=kind)
    }
    if description:
        facets["documentation"] = _facet("1-0-1/DocumentationJobFacet.json", description=description)
    if location is not None:
        facets["sourceCodeLocation"] = _facet("1-0-1/SourceCodeLocationJobFacet.json", **location)
    return facets


def git_location(url: str, branch: str, revision: str, path: str = "") -> dict[str, str]:
    """Return where code lies, for ``job_facets``."""
    at_path = {"path": path} if path else {}
    return {"type": "git", "url": url, "repoUrl": url, "branch": branch, "version": revision, **at_path}


def schema_facet(columns: Sequence[tuple[str, str]]) -> Facets:
    """Return names and types of columns as a facet of a dataset."""
    fields = [{"name": name, "type": column_type} for name, column_type in columns]
    return {"schema": _facet("1-1-1/SchemaDatasetFacet.json", fields=fields)}


def version_facet(version: str) -> Facets:
    """Return which state of a dataset is meant."""
    return {"version": _facet("1-0-1/DatasetVersionDatasetFacet.json", datasetVersion=version)}


def documentation_facet(description: str) -> Facets:
    """Return a sentence about a dataset."""
    return {"documentation": _facet("1-0-1/DocumentationDatasetFacet.json", description=description)}


def statistics_facet(rows: int, size_bytes: int) -> Facets:
    """Return how much was written."""
    return {"outputStatistics": _facet("1-0-2/OutputStatisticsOutputDatasetFacet.json", rowCount=rows, size=size_bytes)}


def _item(item: DataItem, own_facets: str = "") -> dict[str, Any]:
    document: dict[str, Any] = {"namespace": item.namespace, "name": item.name, "facets": dict(item.facets)}
    return document | ({own_facets: dict(item.statistics)} if own_facets and item.statistics else {})


def _facet(schema: str, **values: Any) -> dict[str, Any]:
    name = schema.partition("/")[2].removesuffix(".json")
    return {"_producer": PRODUCER, "_schemaURL": f"{_FACETS}/{schema}#/$defs/{name}", **values}
