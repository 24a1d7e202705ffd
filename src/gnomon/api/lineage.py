"""Where things came from, and what came of them."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gnomon.api.asking import aside
from gnomon.api.plane import ControlPlane
from gnomon.lineage.archive import Archive
from gnomon.lineage.trace import trace


class LineageHandlers:
    """Answers from what is recorded and from the mirror; the remote is not asked."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    async def trace(self, request: Request) -> Response:
        """Return the lineage of a thing as nodes and edges."""
        assembly, asked = self._plane.assembly, request.path_params["id"]
        found = await aside(lambda: trace(Archive(assembly.records, assembly.stores.objects, assembly.repository), asked))
        return JSONResponse(found.to_json())
