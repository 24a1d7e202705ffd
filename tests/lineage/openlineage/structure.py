"""What an OpenLineage event must look like, written down from the specification 2-0-2 and its facets."""

import re
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

_FACETS: Mapping[str, Mapping[str, type]] = {
    "processing_engine": {"version": str, "name": str},
    "parent": {"run": dict, "job": dict},
    "errorMessage": {"message": str, "programmingLanguage": str},
    "jobType": {"processingType": str, "integration": str, "jobType": str},
    "documentation": {"description": str},
    "sourceCodeLocation": {"type": str, "url": str},
    "schema": {"fields": list},
    "version": {"datasetVersion": str},
    "outputStatistics": {"rowCount": int, "size": int},
}
"""What each facet that we send must have."""
_SCHEMA_URL = re.compile(r"https://openlineage\.io/spec/facets/\d+-\d+-\d+/(\w+)\.json#/\$defs/\1")


def require_event(event: Mapping[str, Any]) -> None:
    """Fail where an event is none."""
    assert event["eventType"] in {"START", "RUNNING", "COMPLETE", "FAIL", "ABORT"}
    assert datetime.fromisoformat(event["eventTime"]).tzinfo is not None
    _require_uri(event["producer"])
    assert event["schemaURL"] == "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    uuid.UUID(event["run"]["runId"])
    _require_facets(event["run"]["facets"])
    _require_named(event["job"])
    for item in (*event["inputs"], *event["outputs"]):
        _require_named(item)
        _require_facets(item.get("outputFacets", {}))
    parent = event["run"]["facets"].get("parent")
    if parent is not None:
        uuid.UUID(parent["run"]["runId"])
        assert set(parent["job"]) == {"namespace", "name"}


def _require_named(thing: Mapping[str, Any]) -> None:
    assert isinstance(thing["namespace"], str)
    assert thing["namespace"]
    assert isinstance(thing["name"], str)
    assert thing["name"]
    _require_facets(thing["facets"])


def _require_facets(facets: Mapping[str, Any]) -> None:
    for name, facet in facets.items():
        _require_uri(facet["_producer"])
        assert _SCHEMA_URL.fullmatch(facet["_schemaURL"]), facet["_schemaURL"]
        for key, kind in _FACETS[name].items():
            assert isinstance(facet[key], kind), (name, key)
        for column in facet.get("fields", ()):
            assert isinstance(column["name"], str)
            assert isinstance(column["type"], str)


def _require_uri(text: str) -> None:
    parts = urlsplit(text)
    assert parts.scheme == "https"
    assert parts.netloc
