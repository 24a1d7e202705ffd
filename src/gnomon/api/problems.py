"""What goes wrong becomes RFC 9457 problem documents with cause and mend."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gnomon.errors import ConflictError, GnomonError, InputError, NotFoundError, UsageError
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


async def problem(_: Request, error: Exception) -> Response:
    """Answer an error as an RFC 9457 problem document with its cause and mend."""
    known = error if isinstance(error, GnomonError) else GnomonError(str(error), "")
    status = next((code for kind, code in _STATUS if isinstance(known, kind)), 500)
    return problem_answer(type(known).__name__, status, known.cause, known.mend)


async def protocol_problem(request: Request, error: Exception) -> Response:
    """Answer what the router refuses: a path that is not there, or a method that the path does not take."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        cause, mend = f"{request.url.path} does not take {request.method}", f"it takes {headers.get('Allow', 'other methods')}"
    elif status == HTTPStatus.NOT_FOUND:
        cause, mend = f"there is nothing at {request.url.path}", "the paths begin with /api/v1, such as /api/v1/resources"
    else:
        cause, mend = str(getattr(error, "detail", error)), ""
    return problem_answer(HTTPStatus(status).phrase, status, cause, mend, headers)


async def fault(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; what it was stands in the log."""
    _LOG.error("request_failed", exc_info=error, extra={"path": request.url.path})
    cause = f"the operator failed to answer {request.url.path}: {type(error).__name__}"
    # This answer is given above all middleware, so it is signed here.
    signature = {VERSION_HEADER: __version__}
    return problem_answer("Internal Server Error", 500, cause, "its log has the details; this is a fault of gnomon", signature)


def problem_answer(title: str, status: int, cause: str, mend: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem document."""
    detail = f"{cause} ({mend})" if mend else cause
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "cause": cause, "mend": mend}
    return JSONResponse(body, status, headers, "application/problem+json")
