"""The control plane's HTTP API. It reads what the operator recorded; what it may change goes through Git."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gnomon.api.documents import event_json, resource_json, run_json, step_json, version_json
from gnomon.api.history import service_history
from gnomon.errors import ConflictError, GnomonError, InputError, NotFoundError, UsageError
from gnomon.operator.assemble import Assembly
from gnomon.operator.loop import SOURCE_SETTING
from gnomon.operator.preview import preview
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.kinds import canonical_kind
from gnomon.stores.repositories.interface import TreeEntry
from gnomon.version import __version__

_STATUS: tuple[tuple[type[GnomonError], int], ...] = (
    (NotFoundError, 404),
    (UsageError, 400),
    (InputError, 400),
    (ConflictError, 409),
)
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_LARGEST_PREVIEW = 64 * 2**20
_MOST_ROWS = 10_000
_T = TypeVar("_T")


class SentManifest(msgspec.Struct, frozen=True):
    """A manifest of a folder; ``content`` travels as base64."""

    path: str
    blob: str
    content: bytes


class SentFiles(msgspec.Struct, frozen=True):
    """What ``gnomon plan`` sends: manifests with content, and every file by name."""

    manifests: list[SentManifest]
    tree: list[TreeEntry]


@dataclass(frozen=True)
class ControlPlane:
    """What the API answers from."""

    assembly: Assembly
    about: dict[str, Any]
    token: str = ""
    """What callers must know; nothing where it is empty."""


def make_app(plane: ControlPlane) -> Starlette:
    """Return the API as an ASGI application."""
    handlers = _Handlers(plane)
    return Starlette(
        routes=[
            Route("/healthz", handlers.healthz),
            Route("/readyz", handlers.readyz),
            Route("/api/v1/source", handlers.source),
            Route("/api/v1/resources", handlers.resources),
            Route("/api/v1/resources/{kind}/{namespace}/{name}", handlers.resource),
            Route("/api/v1/events", handlers.events),
            Route("/api/v1/runs", handlers.runs),
            Route("/api/v1/runs/{run}", handlers.run),
            Route("/api/v1/runs/{run}/report", handlers.report),
            Route("/api/v1/runs/{run}/report.html", handlers.report_page),
            Route("/api/v1/runs/{run}/logs/{step}", handlers.log),
            Route("/api/v1/models/{namespace}/{name}/versions", handlers.versions),
            Route("/api/v1/services/{namespace}/{name}/history", handlers.history),
            Route("/api/v1/reconcile", handlers.reconcile, methods=["POST"]),
            Route("/api/v1/plan", handlers.plan, methods=["POST"]),
        ],
        middleware=[Middleware(_TokenGuard, token=plane.token)] if plane.token else [],
        exception_handlers={GnomonError: _problem},
    )


class _TokenGuard:
    """Lets nobody in who does not know the token; health checks are for everybody."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            sent = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(sent, self._expected):
                cause, mend = "the token is missing or wrong", "set GNOMON_TOKEN to the token of this operator"
                answer = JSONResponse(
                    {"title": "Unauthorized", "status": 401, "detail": cause, "cause": cause, "mend": mend},
                    401,
                    {"www-authenticate": "Bearer"},
                    "application/problem+json",
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _problem(_: Request, error: Exception) -> Response:
    """Answer an error as an RFC 9457 problem document with its cause and mend."""
    known = error if isinstance(error, GnomonError) else GnomonError(str(error), "")
    status = next((code for kind, code in _STATUS if isinstance(known, kind)), 500)
    body = {"title": type(known).__name__, "status": status, "detail": str(known), "cause": known.cause, "mend": known.mend}
    return JSONResponse(body, status, media_type="application/problem+json")


class _Handlers:
    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._records = plane.assembly.records

    async def healthz(self, _: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(self, _: Request) -> Response:
        told = await _aside(lambda: self._records.setting(SOURCE_SETTING))
        is_ready = bool(told and told.get("revision"))
        return PlainTextResponse("ok\n" if is_ready else "no commit has been taken up yet\n", 200 if is_ready else 503)

    async def source(self, _: Request) -> Response:
        told = await _aside(lambda: self._records.setting(SOURCE_SETTING)) or {}
        checked = self._plane.assembly.operator.source.state.checked_at
        answer = {**told, **self._plane.about, "version": __version__, "checkedAt": checked.isoformat() if checked else None}
        return JSONResponse(answer)

    async def resources(self, request: Request) -> Response:
        kind = request.query_params.get("kind")
        records = await _aside(lambda: self._records.resources(canonical_kind(kind) if kind else None))
        namespace = request.query_params.get("namespace")
        return JSONResponse({"items": [resource_json(r) for r in records if namespace is None or r.key.namespace == namespace]})

    async def resource(self, request: Request) -> Response:
        key = _key(request, canonical_kind(request.path_params["kind"]))
        record = await _aside(lambda: self._records.resource(key))
        if record is None:
            raise NotFoundError(f"there is no {key}", "list what there is with `gnomon get`")
        return JSONResponse(resource_json(record))

    async def events(self, request: Request) -> Response:
        query = request.query_params
        key = None
        if "kind" in query and "name" in query:
            key = ResourceKey(canonical_kind(query["kind"]), query.get("namespace", "default"), query["name"])
        after, limit = _number(query.get("after"), 0), _number(query.get("limit"), 200)
        events = await _aside(lambda: self._records.events(key=key, after=after, limit=min(limit, _MOST_ROWS)))
        return JSONResponse({"items": [event_json(event) for event in events]})

    async def runs(self, request: Request) -> Response:
        query = request.query_params
        model = ResourceKey("Model", query.get("namespace", "default"), query["model"]) if "model" in query else None
        limit = _number(query.get("limit"), 200)
        runs = await _aside(lambda: self._records.runs(model=model, limit=min(limit, _MOST_ROWS)))
        progress = self._plane.assembly.runs.under_way()
        return JSONResponse({"items": [run_json(run, progress.get(run.id)) for run in runs]})

    async def run(self, request: Request) -> Response:
        run_id = request.path_params["run"]
        run = await _aside(lambda: self._run(run_id))
        steps = await _aside(lambda: self._records.steps(run_id))
        document = run_json(run, self._plane.assembly.runs.under_way().get(run_id))
        return JSONResponse({**document, "steps": [step_json(step) for step in steps]})

    async def report(self, request: Request) -> Response:
        run = await _aside(lambda: self._run(request.path_params["run"]))
        return Response(await self._object(run.report, f"run {run.id}", "report"), media_type="application/json")

    async def report_page(self, request: Request) -> Response:
        run = await _aside(lambda: self._run(request.path_params["run"]))
        return HTMLResponse(await self._object(run.report_page, f"run {run.id}", "report page"))

    async def log(self, request: Request) -> Response:
        run_id, name = request.path_params["run"], request.path_params["step"]
        steps = await _aside(lambda: self._records.steps(run_id))
        step = next((step for step in steps if step.name == name), None)
        if step is None:
            known = ", ".join(step.name for step in steps) or "none"
            raise NotFoundError(f"run {run_id} has no step {name}", f"its steps: {known}")
        return PlainTextResponse(await self._object(step.log, f"step {name}", "log") if step.log else b"")

    async def versions(self, request: Request) -> Response:
        key = _key(request, "Model")
        versions = await _aside(lambda: self._records.versions(key))
        return JSONResponse({"items": [version_json(version) for version in versions]})

    async def history(self, request: Request) -> Response:
        key = _key(request, "Service")
        return JSONResponse({"items": await _aside(lambda: service_history(key, self._plane.assembly))})

    async def reconcile(self, _: Request) -> Response:
        self._plane.assembly.operator.reconcile()
        return JSONResponse({"accepted": True}, 202)

    async def plan(self, request: Request) -> Response:
        if int(request.headers.get("content-length", "0")) > _LARGEST_PREVIEW:
            raise UsageError("the files to plan with are too large", "send manifests only; data files go by name and blob id")
        try:
            sent = msgspec.json.decode(await request.body(), type=SentFiles)
        except msgspec.MsgspecError as error:
            raise UsageError(f"the files to plan with cannot be read: {error}", "send what `gnomon plan` sends") from None
        files = [ManifestFile(file.path, file.blob, file.content) for file in sent.manifests]
        tree = tuple(sent.tree)
        return JSONResponse(await _aside(lambda: preview(self._plane.assembly.operator, files, tree)))

    def _run(self, run_id: str) -> Any:
        run = self._records.run(run_id)
        if run is None:
            raise NotFoundError(f"there is no run {run_id}", "list the runs with `gnomon runs`")
        return run

    async def _object(self, digest: Digest | None, owner: str, what: str) -> bytes:
        if digest is None:
            raise NotFoundError(f"{owner} has no {what}", "it is made when the run has been judged")
        kept = digest
        return await _aside(lambda: self._plane.assembly.stores.objects.get(kept))


def _aside(call: Callable[[], _T]) -> Awaitable[_T]:
    """Make a blocking call in a thread, so that one slow answer does not hold up the others."""
    return asyncio.to_thread(call)


def _key(request: Request, kind: str) -> ResourceKey:
    return ResourceKey(kind, request.path_params["namespace"], request.path_params["name"])


def _number(text: str | None, default: int) -> int:
    if text is None:
        return default
    if not text.isdecimal():
        raise UsageError(f"{text!r} is not a number", "give a whole number, such as limit=50")
    return int(text)
