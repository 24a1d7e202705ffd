"""The command line's way to a running operator: the control plane's HTTP API."""

import os
import weakref
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from gnomon.errors import GnomonError, NotFoundError, OperatorUnreachableError, UsageError
from gnomon.resources.identity import DEFAULT_NAMESPACE, ResourceKey
from gnomon.resources.kinds import canonical_kind

DEFAULT_URL = "http://127.0.0.1:8080"
_TIMEOUT_S = 30.0
_VERSION_HEADER = "gnomon-version"
"""What every answer of an operator carries, and of no other server."""
_WRITE_URL = "write it as http://HOST:PORT, the --listen address of the operator"


class ControlClient:
    """Asks one operator. Its address is ``GNOMON_URL``, else the default listen address."""

    def __init__(self, url: str | None = None) -> None:
        self.url = (url or os.environ.get("GNOMON_URL") or DEFAULT_URL).rstrip("/")
        self._http = http_client(self.url, "GNOMON_URL", _WRITE_URL, _authorization())
        weakref.finalize(self, self._http.close)  # A command's client goes with the command.

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
        except httpx.RequestError as error:
            raise OperatorUnreachableError(
                f"no operator answers at {self.url}: {error}",
                "start one with `gnomon up --repo URL`, or set GNOMON_URL to its --listen address",
            ) from error
        if _VERSION_HEADER not in answer.headers:
            raise UsageError(
                f"what answers at {self.url} is no operator (status {answer.status_code})",
                f"set GNOMON_URL to the --listen address of the operator, such as {DEFAULT_URL}",
            )
        if answer.is_error:
            _raise(answer)
        return answer


def http_client(url: str, setting: str, mend: str, headers: Mapping[str, str] | None = None) -> httpx.Client:
    """Return a client of one server.

    Args:
        url: Where the server is.
        setting: Where people wrote the address, for the error.
        mend: How to write it.
        headers: What every request carries.

    Raises:
        UsageError: ``url`` is no address of a server.
    """
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        if is_address and "@" not in parts.netloc:
            # Proxies of the environment are not asked: operator and gateway are ours.
            return httpx.Client(base_url=url, headers=dict(headers or {}), timeout=_TIMEOUT_S, trust_env=False)
    except (ValueError, httpx.InvalidURL):
        pass
    # What stands before the @ may be a secret.
    raise UsageError(f"{setting} {url.rpartition('@')[2]!r} is not the address of a server", mend)


def _authorization() -> dict[str, str]:
    token = os.environ.get("GNOMON_TOKEN")
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()):
        raise UsageError("GNOMON_TOKEN holds characters that no header can carry", "set it to the token of the operator")
    return {"authorization": f"Bearer {token}"}


def _raise(answer: httpx.Response) -> None:
    try:
        problem = answer.json()
        cause, mend = str(problem["cause"]), str(problem["mend"])
    except (ValueError, KeyError, TypeError):
        raise GnomonError(f"the operator answered {answer.status_code}", "its log has the details") from None
    kinds: dict[int, type[GnomonError]] = {400: UsageError, 404: NotFoundError}
    raise kinds.get(answer.status_code, GnomonError)(cause, mend)


@dataclass(frozen=True)
class Reference:
    """A resource as somebody named it. ``namespace`` is None where nobody said."""

    kind: str
    namespace: str | None
    name: str

    def key(self, namespace: str | None) -> ResourceKey:
        """Return the resource, in ``namespace`` where the reference itself names none."""
        return ResourceKey(self.kind, self.namespace or namespace or DEFAULT_NAMESPACE, self.name)


def parse_reference(text: str, kind: str | None = None) -> Reference:
    """Return what ``KIND/NAME`` or ``KIND/NAMESPACE/NAME`` names; where a kind is implied, ``NAME`` alone will do.

    Args:
        text: What somebody wrote; kinds in singular or plural and in any case.
        kind: The kind that the reference must be of.

    Raises:
        UsageError: It names nothing, or something of another kind.
    """
    parts = text.split("/")
    if kind is not None and len(parts) == 1:
        parts = [kind, *parts]
    if not all(parts) or len(parts) not in {2, 3}:
        shown = f"{kind.lower()}/NAME" if kind else "KIND/NAME, such as service/arrival-delay"
        raise UsageError(f"{text!r} does not name a resource", f"write {shown}, or KIND/NAMESPACE/NAME")
    found = Reference(canonical_kind(parts[0]), parts[1] if len(parts) == 3 else None, parts[-1])
    if kind is not None and found.kind != kind:
        raise UsageError(f"{text} is no {kind}", f"name a {kind}, such as {kind.lower()}/NAME")
    return found


def resource_path(key: ResourceKey) -> str:
    """Return where the API tells of a resource."""
    return f"/resources/{key.kind}/{escaped(key.namespace)}/{escaped(key.name)}"


def escaped(text: str) -> str:
    """Return ``text`` as one part of a path."""
    # A client would take the names of folders for steps up the path.
    return quote(text, safe="") if text not in {".", ".."} else text.replace(".", "%2E")
