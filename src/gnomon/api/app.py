"""The control plane's HTTP API. It reads what the operator recorded; what it may change goes through Git."""

import asyncio
import hmac
import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gnomon.api.documents import event_json, resource_json, run_json, step_json, version_json
from gnomon.api.history import service_history
from gnomon.api.unknown import unknown_resource
from gnomon.errors import ConflictError, GnomonError, InputError, NotFoundError, UsageError
from gnomon.operator.assemble import Assembly
from gnomon.operator.loop import SOURCE_SETTING
from gnomon.operator.preview import SentTree, preview
from gnomon.resources.compiled import ManifestFile
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.kinds import canonical_kind
from gnomon.resources.wording import did_you_mean, nearest
from gnomon.stores.repositories.interface import TreeEntry
from gnomon.version import __version__

_LOG = logging.getLogger(__name__)
VERSION_HEADER = "gnomon-version"
"""Every answer carries it, so that a client knows an operator from other servers."""
_STATUS: tuple[tuple[type[GnomonError], int], ...] = (
    (NotFoundError, 404),
    (UsageError, 400),
    (InputError, 400),
    (ConflictError, 409),
)
_OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_LARGEST_PREVIEW = 64 * 2**20
_MOST_ROWS = 10_000
_COMMIT = re.compile("[0-9a-f]{40}|[0-9a-f]{64}")
_MOST_BASES = 200
_MOST_SUGGESTED = 200
_LARGEST_NUMBER = 2**63 - 1
"""What records count with."""
_LONGEST_NUMBER = 19
_SAFE_PAGE = {
    # A report quotes names from data files; whatever they say, it runs no script and asks nobody.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "x-content-type-options": "nosniff",
}
_T = TypeVar("_T")


class SentManifest(msgspec.Struct, frozen=True):
    """A manifest of a folder; ``content`` travels as base64."""

    path: str
    blob: str
    content: bytes


class SentFiles(msgspec.Struct, frozen=True):
    """What ``gnomon plan`` sends: manifests with content, every file by name, and the commits that they stand on."""

    manifests: list[SentManifest]
    tree: list[TreeEntry]
    bases: list[str] = []


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
        middleware=[Middleware(_Signature), *([Middleware(_TokenGuard, token=plane.token)] if plane.token else [])],
        exception_handlers={GnomonError: _problem, HTTPException: _protocol_problem, Exception: _fault},
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
    """Lets nobody in who does not know the token; health checks are for everybody."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app = app
        self._expected = f"Bearer {token}".encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 401."""
        if scope["type"] == "http" and scope["path"] not in _OPEN_PATHS:
            sent = dict(scope["headers"]).get(b"authorization", b"")
            if not hmac.compare_digest(sent, self._expected):
                mend = "set GNOMON_TOKEN to the token of this operator"
                answer = _problem_answer(
                    "Unauthorized", 401, "the token is missing or wrong", mend, {"www-authenticate": "Bearer"}
                )
                await answer(scope, receive, send)
                return
        await self._app(scope, receive, send)


async def _problem(_: Request, error: Exception) -> Response:
    """Answer an error as an RFC 9457 problem document with its cause and mend."""
    known = error if isinstance(error, GnomonError) else GnomonError(str(error), "")
    status = next((code for kind, code in _STATUS if isinstance(known, kind)), 500)
    return _problem_answer(type(known).__name__, status, known.cause, known.mend)


async def _protocol_problem(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: a path that is not there, or a method that the path does not take."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        cause, mend = f"{request.url.path} does not take {request.method}", f"it takes {headers.get('Allow', 'other methods')}"
    elif status == HTTPStatus.NOT_FOUND:
        cause, mend = f"there is nothing at {request.url.path}", "the paths begin with /api/v1, such as /api/v1/resources"
    else:
        cause, mend = str(getattr(error, "detail", error)), ""
    return _problem_answer(HTTPStatus(status).phrase, status, cause, mend, headers)


async def _fault(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; what it was stands in the log."""
    _LOG.error("request_failed", exc_info=error, extra={"path": request.url.path})
    cause = f"the operator failed to answer {request.url.path}: {type(error).__name__}"
    # This answer is given above all middleware, so it is signed here.
    signature = {VERSION_HEADER: __version__}
    return _problem_answer("Internal Server Error", 500, cause, "its log has the details; this is a fault of gnomon", signature)


def _problem_answer(title: str, status: int, cause: str, mend: str, headers: Mapping[str, str] | None = None) -> Response:
    detail = f"{cause} ({mend})" if mend else cause
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "cause": cause, "mend": mend}
    return JSONResponse(body, status, headers, "application/problem+json")


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
            raise await _aside(lambda: unknown_resource(key, self._records))
        return JSONResponse(resource_json(record))

    async def events(self, request: Request) -> Response:
        query = request.query_params
        key = None
        if ("kind" in query) != ("name" in query):
            raise UsageError("a kind without a name, or a name without a kind, picks no events", "give both, or neither")
        if "kind" in query:
            key = ResourceKey(canonical_kind(query["kind"]), query.get("namespace", "default"), query["name"])
        after, limit = _number(query.get("after"), 0), _number(query.get("limit"), 200)
        events = await _aside(lambda: self._records.events(key=key, after=after, limit=min(limit, _MOST_ROWS)))
        return JSONResponse({"items": [event_json(event) for event in events]})

    async def runs(self, request: Request) -> Response:
        query = request.query_params
        model = ResourceKey("Model", query.get("namespace", "default"), query["model"]) if "model" in query else None
        limit = _number(query.get("limit"), 200)
        runs = await _aside(lambda: self._records.runs(owner=model, limit=min(limit, _MOST_ROWS)))
        if model is not None and not runs and await _aside(lambda: self._records.resource(model)) is None:
            raise await _aside(lambda: unknown_resource(model, self._records))
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
        return HTMLResponse(await self._object(run.report_page, f"run {run.id}", "report page"), headers=_SAFE_PAGE)

    async def log(self, request: Request) -> Response:
        run_id, name = request.path_params["run"], request.path_params["step"]
        await _aside(lambda: self._run(run_id))
        steps = await _aside(lambda: self._records.steps(run_id))
        step = next((step for step in steps if step.name == name), None)
        if step is None:
            mend = did_you_mean(name, [step.name for step in steps], what=f"steps of {run_id}")
            raise NotFoundError(f"run {run_id} has no step {name}", mend)
        return PlainTextResponse(await self._object(step.log, f"step {name}", "log") if step.log else b"")

    async def versions(self, request: Request) -> Response:
        key = _key(request, "Model")
        versions = await _aside(lambda: self._records.versions(key))
        if not versions and await _aside(lambda: self._records.resource(key)) is None:
            raise await _aside(lambda: unknown_resource(key, self._records))
        return JSONResponse({"items": [version_json(version) for version in versions]})

    async def history(self, request: Request) -> Response:
        key = _key(request, "Service")
        return JSONResponse({"items": await _aside(lambda: service_history(key, self._plane.assembly))})

    async def reconcile(self, _: Request) -> Response:
        self._plane.assembly.operator.reconcile()
        return JSONResponse({"accepted": True}, 202)

    async def plan(self, request: Request) -> Response:
        try:
            sent = msgspec.json.decode(await _body(request, _LARGEST_PREVIEW), type=SentFiles)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UsageError(f"the files to plan with cannot be read: {error}", "send what `gnomon plan` sends") from None
        files = [ManifestFile(file.path, file.blob, file.content) for file in sent.manifests]
        bases = [Revision(base) for base in sent.bases if _COMMIT.fullmatch(base)][:_MOST_BASES]
        here = SentTree(files, tuple(sent.tree), tuple(bases))
        return JSONResponse(await _aside(lambda: preview(self._plane.assembly.operator, here)))

    def _run(self, run_id: str) -> Any:
        run = self._records.run(run_id)
        if run is None:
            recent = [known.id for known in self._records.runs(limit=_MOST_SUGGESTED)]
            near = nearest(run_id, recent)
            mend = f'did you mean "{near}"?' if near else "list the runs with `gnomon runs`"
            raise NotFoundError(f"there is no run {run_id}", mend)
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
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_NUMBER and int(text) <= _LARGEST_NUMBER):
        raise UsageError(f"{text[:40]!r} is not a number that counts anything", "give a whole number, such as limit=50")
    return int(text)


async def _body(request: Request, largest: int) -> bytes:
    """Return a request's body, never more than ``largest`` bytes of it, whatever its head says."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise UsageError("the files to plan with are too large", "send manifests only; data files go by name and blob id")
    return bytes(body)
