"""Resources, and what happened to them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gnomon.api.asking import MOST_ROWS, aside, number, path_key
from gnomon.api.documents import event_json, resource_json, version_json
from gnomon.api.history import service_history
from gnomon.api.plane import ControlPlane
from gnomon.api.unknown import unknown_resource
from gnomon.errors import UsageError
from gnomon.resources.identity import ResourceKey
from gnomon.resources.kinds import canonical_kind


class ResourceHandlers:
    """Resources, their events, versions and releases."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._records = plane.assembly.records

    async def resources(self, request: Request) -> Response:
        """List resources."""
        kind = request.query_params.get("kind")
        records = await aside(lambda: self._records.resources(canonical_kind(kind) if kind else None))
        namespace = request.query_params.get("namespace")
        return JSONResponse({"items": [resource_json(r) for r in records if namespace is None or r.key.namespace == namespace]})

    async def resource(self, request: Request) -> Response:
        """Show one resource."""
        key = path_key(request, canonical_kind(request.path_params["kind"]))
        record = await aside(lambda: self._records.resource(key))
        if record is None:
            raise await aside(lambda: unknown_resource(key, self._records))
        return JSONResponse(resource_json(record))

    async def events(self, request: Request) -> Response:
        """List events."""
        query = request.query_params
        key = None
        if ("kind" in query) != ("name" in query):
            raise UsageError("a kind without a name, or a name without a kind, picks no events", "give both, or neither")
        if "kind" in query:
            key = ResourceKey(canonical_kind(query["kind"]), query.get("namespace", "default"), query["name"])
        after, limit = number(query.get("after"), 0), number(query.get("limit"), 200)
        events = await aside(lambda: self._records.events(key=key, after=after, limit=min(limit, MOST_ROWS)))
        return JSONResponse({"items": [event_json(event) for event in events]})

    async def versions(self, request: Request) -> Response:
        """List the versions of a model."""
        key = path_key(request, "Model")
        versions = await aside(lambda: self._records.versions(key))
        if not versions and await aside(lambda: self._records.resource(key)) is None:
            raise await aside(lambda: unknown_resource(key, self._records))
        return JSONResponse({"items": [version_json(version) for version in versions]})

    async def history(self, request: Request) -> Response:
        """List the releases of a service."""
        key = path_key(request, "Service")
        return JSONResponse({"items": await aside(lambda: service_history(key, self._plane.assembly))})
