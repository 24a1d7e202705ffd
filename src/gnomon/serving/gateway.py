"""The gateway's application: paths of the Open Inference Protocol become replies of the models."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import unquote

import msgspec
from numpy.typing import NDArray

from gnomon.errors import ArtifactError, InputError
from gnomon.inference.session import Cancellation
from gnomon.serving import metrics
from gnomon.serving.http import Reply, error_reply, head, json_reply, with_mend
from gnomon.serving.ids import PredictionIds
from gnomon.serving.models import Models, ServedService, ServedVersion
from gnomon.serving.oip import decode_request, model_metadata, server_metadata

_LOG = logging.getLogger(__name__)

_INLINE_BODY = 64 * 2**10
"""Reading more than so many bytes of JSON takes longer than others should wait."""
_SMALL_BODY = 64 * 2**10
"""What a request may carry that needs no body, or whose service is unknown."""
_ALLOW_GET = b"allow: GET, HEAD\r\n"
_ALLOW_POST = b"allow: POST\r\n"


class Gateway:
    """Answers requests from the models of one worker.

    Args:
        models: What is served.
        is_ready: Whether this worker takes new requests.
        measured: Returns the metrics page.
    """

    def __init__(self, models: Models, is_ready: Callable[[], bool], measured: Callable[[], bytes]) -> None:
        self._models = models
        self._is_ready = is_ready
        self._measured = measured
        self._ids = PredictionIds()
        self._threads = ThreadPoolExecutor(max_workers=2, thread_name_prefix="predict")
        self._by_path: dict[bytes, ServedService] = {}

    def refresh(self) -> None:
        """Take over what the models serve now."""
        self._by_path = {f"/v2/models/{name}/infer".encode(): service for name, service in self._models.services.items()}

    def close(self) -> None:
        """Let go of the threads."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def body_limit(self, path: bytes) -> int:
        """Return how many bytes a request to ``path`` may carry."""
        service = self._by_path.get(path)
        if service is None and path.endswith(b"/infer"):
            name = _segments(path)[2:3]
            service = self._models.services.get(name[0]) if name else None
        return service.route.body_limit if service else _SMALL_BODY

    def answer(self, method: bytes, path: bytes, body: bytes) -> Reply | asyncio.Future[Reply]:
        """Return the reply to a request, or a future of it where the prediction runs in a thread."""
        try:
            service = self._by_path.get(path)
            if service is not None and method == b"POST":
                return self._infer(service, service.active, body)
            return self._routed(method, path, body)
        except Exception:  # noqa: BLE001 - the edge of the process: logged, and answered
            _LOG.exception("request_failed", extra={"path": path[:200].decode(errors="replace")})
            return error_reply(500, "the gateway failed on this request: see its log")

    def _routed(self, method: bytes, path: bytes, body: bytes) -> Reply | asyncio.Future[Reply]:
        match _segments(path):
            case ["v2"]:
                return _got(method, server_metadata)
            case ["v2", "health", "live"]:
                return _got(method, lambda: {"live": True})
            case ["v2", "health", "ready"]:
                is_ready = self._is_ready()
                return _readiness(method, {"ready": is_ready}, is_ready=is_ready)
            case ["v2", "repository", "index"]:
                return json_reply(200, self._index()) if method == b"POST" else _not_allowed(method, _ALLOW_POST)
            case ["v2", "repository", "models", _, "load" | "unload"]:
                return error_reply(400, "what is loaded is decided by the releases in Git: commit there instead")
            case ["v2", "models", name, *rest]:
                return self._about_model(method, name, rest, body)
            case ["metrics"]:
                if method not in (b"GET", b"HEAD"):
                    return _not_allowed(method, _ALLOW_GET)
                return Reply(head(200, metrics.CONTENT_TYPE), self._measured())
        return error_reply(404, "there is nothing at this path: see docs/protocol.md for the paths")

    def _about_model(self, method: bytes, name: str, rest: list[str], body: bytes) -> Reply | asyncio.Future[Reply]:
        service = self._models.services.get(name)
        if service is None:
            return error_reply(404, f"there is no service {name[:80]!r}: POST /v2/repository/index lists those that are")
        version = service.active
        if rest[:1] == ["versions"] and len(rest) > 1:
            version = service.version(rest[1])
            if version is None:
                return error_reply(404, f"service {name!r} has no version {rest[1][:80]!r} loaded: ask for its metadata")
            rest = rest[2:]
        match rest:
            case []:
                if version is None:
                    return _unreleased(service)
                versions = [loaded.target.version for loaded in service.versions()]
                signature = version.model.artifact.config.signature
                return _got(method, lambda: model_metadata(name, versions, signature))
            case ["ready"]:
                is_ready = version is not None
                return _readiness(method, {"name": name, "ready": is_ready}, is_ready=is_ready)
            case ["infer"] if method == b"POST":
                return self._infer(service, version, body)
            case ["infer"]:
                return _not_allowed(method, _ALLOW_POST)
        return error_reply(404, "there is nothing at this path: see docs/protocol.md for the paths")

    def _index(self) -> list[dict[str, str]]:
        index: list[dict[str, str]] = []
        for name, service in sorted(self._models.services.items()):
            index.extend(
                {"name": name, "version": v.target.version, "state": "READY", "reason": ""} for v in service.versions()
            )
            if service.active is None:
                index.append({"name": name, "state": "UNAVAILABLE", "reason": _why_unreleased(service)})
        return index

    def _infer(self, service: ServedService, version: ServedVersion | None, body: bytes) -> Reply | asyncio.Future[Reply]:
        began = time.perf_counter_ns()
        if version is None:
            return _unreleased(service)
        if len(body) > service.route.body_limit:
            metrics.count_failure(version.counts, 413)
            return error_reply(413, f"service {service.name!r} takes bodies of up to {service.route.body_limit} bytes")
        try:
            if len(body) > _INLINE_BODY:
                return self._in_thread(service, version, began, lambda: _question(version, body))
            question = _question(version, body)
            if question.rows > version.model.inline_rows:
                return self._in_thread(service, version, began, lambda: question)
            reply = _answer(version, question, question.request_id or self._ids.mint(version.mark))
        except (InputError, ArtifactError) as error:
            return _failed(version, error)
        metrics.count_success(version.counts, time.perf_counter_ns() - began)
        return reply

    def _in_thread(
        self, service: ServedService, version: ServedVersion, began: int, question: Callable[[], "_Question"]
    ) -> asyncio.Future[Reply]:
        """Answer beside the loop, within the time that the route allows; a caller who leaves ends it too."""
        loop = asyncio.get_running_loop()
        promised: asyncio.Future[Reply] = loop.create_future()
        cancellation, request_id = Cancellation(), self._ids.mint(version.mark)

        def work() -> Reply:
            asked = question()
            return _answer(version, asked, asked.request_id or request_id, cancellation)

        def give_up() -> None:
            metrics.count_failure(version.counts, 503)
            limit = service.route.timeout_s
            promised.set_result(
                error_reply(503, f"service {service.name!r} had no answer within {limit:g} s: ask for fewer rows")
            )

        def finish(job: asyncio.Future[Reply]) -> None:
            timer.cancel()
            error = None if job.cancelled() else job.exception()
            if promised.done():
                return
            match error:
                case None:
                    metrics.count_success(version.counts, time.perf_counter_ns() - began)
                    promised.set_result(job.result())
                case InputError() | ArtifactError():
                    promised.set_result(_failed(version, error))
                case _:
                    _LOG.error("prediction_failed", exc_info=error, extra={"digest": version.target.digest})
                    promised.set_result(error_reply(500, "the gateway failed on this request: see its log"))

        def let_go(_promised: asyncio.Future[Reply]) -> None:
            timer.cancel()
            if not job.done():
                cancellation.cancel()
                job.cancel()

        job = loop.run_in_executor(self._threads, work)
        timer = loop.call_later(service.route.timeout_s, give_up)
        job.add_done_callback(finish)
        promised.add_done_callback(let_go)
        return promised


class _Question(msgspec.Struct, gc=False):
    """A request that fits the model."""

    request_id: str | None
    wanted: frozenset[str] | None
    feed: Mapping[str, NDArray[Any]]
    rows: int


def _question(version: ServedVersion, body: bytes) -> _Question:
    model = version.model
    request = decode_request(body)
    feed = model.encoder.encode(model.reader.columns(request))
    wanted = model.reader.wanted(request.outputs) if request.outputs else None
    rows = len(next(iter(feed.values())))
    return _Question(request.id, wanted, feed, rows)


def _answer(version: ServedVersion, question: _Question, request_id: str, cancellation: Cancellation | None = None) -> Reply:
    answers = version.model.predict(question.feed, cancellation)
    return Reply(version.head, version.writer.body(request_id, answers, question.wanted))


def _failed(version: ServedVersion, error: InputError | ArtifactError) -> Reply:
    code = 400 if isinstance(error, InputError) else 503
    if code == 503:
        _LOG.error("model_failed", extra={"digest": version.target.digest, "error": error.cause})
    metrics.count_failure(version.counts, code)
    return error_reply(code, with_mend(error.cause, error.mend), version.digest_line)


def _unreleased(service: ServedService) -> Reply:
    return error_reply(503, _why_unreleased(service))


def _why_unreleased(service: ServedService) -> str:
    if service.error is not None:
        return f"service {service.name!r}: {service.error}"
    if service.route.active is not None:
        return f"service {service.name!r} is loading version {service.route.active.version}: try again soon"
    return f"service {service.name!r} has no release yet"


def _segments(path: bytes) -> list[str]:
    """Return the parts of a request target between its slashes, without the query."""
    text = path.partition(b"?")[0].decode("latin-1")
    if "://" in text:
        text = text.partition("://")[2].partition("/")[2]
    return unquote(text).strip("/").split("/")


def _got(method: bytes, document: Callable[[], object]) -> Reply:
    return json_reply(200, document()) if method in (b"GET", b"HEAD") else _not_allowed(method, _ALLOW_GET)


def _readiness(method: bytes, document: dict[str, Any], *, is_ready: bool) -> Reply:
    if method not in (b"GET", b"HEAD"):
        return _not_allowed(method, _ALLOW_GET)
    return json_reply(200 if is_ready else 503, document)


def _not_allowed(method: bytes, allow: bytes) -> Reply:
    return error_reply(405, f"{method.decode()} does not go with this path", allow)
