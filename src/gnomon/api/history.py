"""The releases of a service, as Git tells them."""

from typing import Any

from gnomon.api.documents import time_json
from gnomon.api.unknown import unknown_resource
from gnomon.errors import GnomonError
from gnomon.operator.assemble import Assembly
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.parse import parse_release
from gnomon.resources.release import release_path

_MOST_COMMITS = 200


def service_history(key: ResourceKey, assembly: Assembly) -> list[dict[str, Any]]:
    """Return every commit that changed the service's release, newest first, with what it pinned and how that was measured."""
    repository, records = assembly.repository, assembly.records
    if records.resource(key) is None:
        raise unknown_resource(key, records)
    head = repository.head()
    if head is None:
        return []
    path = release_path(key.namespace, key.name)
    contents = {version.revision: version.content for version in repository.file_history(head, path)}
    rows: list[dict[str, Any]] = []
    for commit in repository.first_parent_log(head, _MOST_COMMITS, path):
        row: dict[str, Any] = {
            "revision": commit.revision,
            "subject": commit.subject,
            "author": commit.author.name,
            "at": time_json(commit.authored_at),
            "version": None,
            "digest": None,
            "metrics": {},
        }
        content = contents.get(commit.revision)
        if content is not None:
            try:
                spec = parse_release(content).spec
            except GnomonError as error:
                row["problem"] = str(error)
            else:
                registered = records.version_of(Digest(spec.digest))
                row |= {"version": spec.version, "digest": spec.digest, "sequence": spec.sequence}
                row["metrics"] = dict(registered.metrics) if registered is not None else {}
        rows.append(row)
    return rows
