"""The control plane's HTTP API. It reads what the operator recorded; what is desired changes through Git alone."""

import hmac

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.api.data_hooks import WEBHOOK_PATHS, DataHandlers
from gnomon.api.lineage import LineageHandlers
from gnomon.api.plane import ControlPlane
from gnomon.api.problems import VERSION_HEADER, fault, problem, problem_answer, protocol_problem
from gnomon.api.quality import QualityHandlers
from gnomon.api.resources import ResourceHandlers
from gnomon.api.runs import RunHandlers
from gnomon.api.source import SourceHandlers
from gnomon.errors import GnomonError
from gnomon.version import __version__

_OPEN_PATHS = frozenset({"/healthz", "/readyz"})


def make_app(plane: ControlPlane) -> Starlette:
    """Return the API as an ASGI application."""
    source, resources, runs = SourceHandlers(plane), ResourceHandlers(plane), RunHandlers(plane)
    data, quality, lineage = DataHandlers(plane), QualityHandlers(plane), LineageHandlers(plane)
    return Starlette(
        routes=[
            Route("/healthz", source.healthz),
            Route("/readyz", source.readyz),
            Route("/api/v1/source", source.source),
            Route("/api/v1/resources", resources.resources),
            Route("/api/v1/resources/{kind}/{namespace}/{name}", resources.resource),
            Route("/api/v1/events", resources.events),
            Route("/api/v1/runs", runs.runs),
            Route("/api/v1/runs/{run}", runs.run),
            Route("/api/v1/runs/{run}/steps/{step}/why", runs.why),
            Route("/api/v1/runs/{run}/cancel", runs.cancel, methods=["POST"]),
            Route("/api/v1/runs/{run}/report", runs.report),
            Route("/api/v1/runs/{run}/report.html", runs.report_page),
            Route("/api/v1/runs/{run}/logs/{step}", runs.log),
            Route("/api/v1/models/{namespace}/{name}/versions", resources.versions),
            Route("/api/v1/datasets/{namespace}/{name}/quality", quality.report),
            Route("/api/v1/datasets/{namespace}/{name}/quality.html", quality.page),
            Route("/api/v1/datasets/{namespace}/{name}/refresh", data.refresh, methods=["POST"]),
            Route("/api/v1/pipelines/{namespace}/{name}/runs", runs.start, methods=["POST"]),
            Route("/api/v1/services/{namespace}/{name}/history", resources.history),
            Route("/api/v1/trace/{id:path}", lineage.trace),
            Route("/api/v1/reconcile", source.reconcile, methods=["POST"]),
            Route("/api/v1/plan", source.plan, methods=["POST"]),
            Route("/webhooks/data/{namespace}/{name}", data.webhook, methods=["POST"]),
        ],
        middleware=[Middleware(_Signature), *([Middleware(_TokenGuard, token=plane.token)] if plane.token else [])],
        exception_handlers={GnomonError: problem, HTTPException: protocol_problem, Exception: fault},
    )


class _Signature:
    """Signs every answer with this version."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and sign the answer."""

        async def signed(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[VERSION_HEADER] = __version__
            await send(message)

        await self._app(scope, receive, signed)


class _TokenGuard:
    """Lets nobody in who does not know the token; health checks are for everybody, and webhooks see to it themselves."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS and not scope["path"].startswith(WEBHOOK_PATHS):
            sent = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(sent, self._expected):
                mend = "set GNOMON_TOKEN to the token of this operator"
                answer = problem_answer(
                    "Unauthorized", 401, "the token is missing or wrong", mend, {"www-authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)
