"""What the rows of a dataset look like."""

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from gnomon.api.asking import aside, path_key
from gnomon.api.pages import SAFE_PAGE
from gnomon.api.plane import ControlPlane
from gnomon.api.unknown import unknown_resource
from gnomon.data.statistics.page import render_page
from gnomon.operator.quality_jobs import require_quality


class QualityHandlers:
    """Quality reports of the last good snapshots."""

    def __init__(self, plane: ControlPlane) -> None:
        self._records = plane.assembly.records
        self._objects = plane.assembly.stores.objects

    async def report(self, request: Request) -> Response:
        """Show a report as JSON."""
        return Response(await aside(lambda: self._report(request)), media_type="application/json")

    async def page(self, request: Request) -> Response:
        """Show a report as a page."""
        page = await aside(lambda: render_page(msgspec.json.decode(self._report(request))))
        return HTMLResponse(page, headers=SAFE_PAGE)

    def _report(self, request: Request) -> bytes:
        key = path_key(request, "Dataset")
        if self._records.resource(key) is None:
            raise unknown_resource(key, self._records)
        return self._objects.get(require_quality(self._records, key))
