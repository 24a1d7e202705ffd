"""The command line's way to a running operator: the control plane's HTTP API."""

import os
from collections.abc import Mapping
from typing import Any

import httpx

from gnomon.errors import GnomonError, NotFoundError, OperatorUnreachableError, UsageError

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT_S = 30.0


class ControlClient:
    """Asks one operator. Its address is ``GNOMON_URL``, else the default listen address."""

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or os.environ.get("GNOMON_URL") or DEFAULT_URL).rstrip("/")
        token = os.environ.get("GNOMON_TOKEN")
        headers = {"authorization": f"Bearer {token}"} if token else {}
        # Proxies of the environment are not asked: the operator is ours.
        self._http = httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT_S, trust_env=False)

    def get(self, path: str, **query: str | int | None) -> Any:
        """Return the JSON document at a path below ``/api/v1``."""
        given = {key: value for key, value in query.items() if value is not None}
        return self._answer("GET", path, params=given).json()

    def text(self, path: str) -> str:
        """Return the text at a path below ``/api/v1``."""
        return self._answer("GET", path).text

    def post(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Send a JSON document and return the answer."""
        return self._answer("POST", path, json=body or {}).json()

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            answer = self._http.request(method, f"/api/v1{path}", **arguments)
        except (httpx.TransportError, httpx.InvalidURL) as error:
            raise OperatorUnreachableError(
                f"no operator answers at {self.url}: {error}",
                "start one with `gnomon up --repo URL`, or set GNOMON_URL to its --listen address",
            ) from error
        if answer.is_error:
            _raise(answer, self.url)
        return answer


def _raise(answer: httpx.Response, url: str) -> None:
    try:
        problem = answer.json()
        cause, mend = str(problem["cause"]), str(problem["mend"])
    except (ValueError, KeyError, TypeError):
        raise OperatorUnreachableError(
            f"{url} answered {answer.status_code}, which is no answer of an operator", "check GNOMON_URL"
        ) from None
    kinds: dict[int, type[GnomonError]] = {400: UsageError, 404: NotFoundError}
    raise kinds.get(answer.status_code, GnomonError)(cause, mend)


def split_reference(reference: str, default_kind: str | None = None) -> tuple[str, str]:
    """Return kind and name of ``KIND/NAME``, or of ``NAME`` where a kind is implied."""
    kind, slash, name = reference.rpartition("/")
    if slash and kind and name:
        return kind, name
    if default_kind is not None and not slash and name:
        return default_kind, name
    raise UsageError(f"{reference!r} does not name a resource", "write KIND/NAME, such as service/arrival-delay")
