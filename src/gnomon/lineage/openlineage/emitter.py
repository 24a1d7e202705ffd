"""Events leave the process: by HTTP or to a file, from a thread of their own. Nobody ever waits for it.

What cannot be sent in time is dropped, counted, and told in the log; the operator's work does not depend on it.
"""

import json
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from gnomon.errors import UsageError

_LOG = logging.getLogger(__name__)
_MOST_WAITING = 2000
_TIMEOUT_S = 5.0
_PAUSES_S = (0.5, 2.0)
"""Before each further attempt at an event."""
_CLOSING_S = 5.0
_TELL_EVERY_S = 60.0

Event = Mapping[str, Any]


class Transport(Protocol):
    """Brings one event to where it is collected."""

    def send(self, event: Event) -> None:
        """Bring it there. Raises OSError where that did not work, and trying again may help; ValueError where it will not."""
        ...

    def close(self) -> None:
        """Let go."""
        ...


class HttpTransport:
    """Posts events to a collector.

    Args:
        url: Of the collector, such as ``http://localhost:5000``.
        endpoint: The path below it.
        api_key: What the collector knows us by; empty where it asks for nothing.
        timeout_s: How long one post may take.

    Raises:
        UsageError: This is no address.
    """

    def __init__(self, url: str, endpoint: str, api_key: str = "", timeout_s: float = _TIMEOUT_S) -> None:
        import httpx  # noqa: PLC0415 - takes 0.1 s, and most operators tell nobody

        self._errors = (httpx.HTTPError, httpx.InvalidURL)
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        try:
            self._address = httpx.URL(url.rstrip("/") + "/" + endpoint.lstrip("/"))
            self._client = httpx.Client(headers=headers, timeout=timeout_s, follow_redirects=False)
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise _unusable(url) from None
        if self._address.scheme not in {"http", "https"} or not self._address.host or self._address.userinfo:
            raise _unusable(url)

    def send(self, event: Event) -> None:
        """Post an event."""
        try:
            answer = self._client.post(self._address, json=event)
        except self._errors as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        if answer.status_code >= 500 or answer.status_code in {408, 429}:
            raise OSError(f"the collector answered {answer.status_code}")
        if not answer.is_success:
            raise ValueError(f"the collector answered {answer.status_code}")

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close()


def _unusable(url: str) -> UsageError:
    # What stands before an @, and the key, are secrets.
    return UsageError(
        f"OPENLINEAGE_URL {url.rpartition('@')[2]!r} or OPENLINEAGE_API_KEY cannot be used",
        "write the address as http://HOST:PORT, without a user, and the key as it was given",
    )


class FileTransport:
    """Appends events to a file, one JSON document a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def send(self, event: Event) -> None:
        """Append an event."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event, separators=(",", ":")) + "\n")

    def close(self) -> None:
        """Do nothing: the file is open only while it is written."""


@dataclass
class Emitter:
    """A bounded queue and the thread that empties it.

    Args:
        transport: Where events go.
        most_waiting: How many may wait; those that come then are dropped.
        pauses_s: Seconds before each further attempt at an event.
    """

    transport: Transport
    most_waiting: int = _MOST_WAITING
    pauses_s: tuple[float, ...] = _PAUSES_S
    sent: int = field(default=0, init=False)
    dropped: int = field(default=0, init=False)
    _queue: "queue.Queue[Event | None]" = field(init=False)
    _thread: threading.Thread = field(init=False)
    _closing: threading.Event = field(default_factory=threading.Event, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _told_at: float = field(default=0.0, init=False)
    _untold: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._queue = queue.Queue(self.most_waiting)
        self._thread = threading.Thread(target=self._work, name="openlineage", daemon=True)
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Take an event, or drop it where too many wait. Never waits."""
        try:
            self._queue.put_nowait(event)
        except queue.Full:
            self._drop("too many events wait to be sent")

    def close(self, timeout_s: float = _CLOSING_S) -> None:
        """Send what waits, for a while, and let go."""
        deadline = time.monotonic() + timeout_s
        self._closing.set()  # an event that failed is not tried again any more
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            self._drop("the operator stops", self._emptied())
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            self._drop("the operator stops", self._emptied())
        self._tell(is_last=True)

    def _work(self) -> None:
        try:
            while (event := self._queue.get()) is not None:
                self._bring(event)
        finally:
            self.transport.close()

    def _bring(self, event: Event) -> None:
        for pause in (*self.pauses_s, None):
            try:
                self.transport.send(event)
            except OSError as error:
                if pause is None or self._closing.wait(pause):
                    self._drop(str(error))
                    return
            except Exception as error:  # noqa: BLE001 - one event that cannot be sent must not end the others
                self._drop(f"{type(error).__name__}: {error}")
                return
            else:
                self.sent += 1
                return

    def _drop(self, cause: str, count: int = 1) -> None:
        with self._lock:
            self.dropped += count
            self._untold += count
        self._tell(cause)

    def _tell(self, cause: str = "", *, is_last: bool = False) -> None:
        """Say how many were dropped, once in a while."""
        with self._lock:
            now = time.monotonic()
            if not self._untold or (self._told_at and now - self._told_at < _TELL_EVERY_S and not is_last):
                return
            told, self._untold, self._told_at = self._untold, 0, now
        _LOG.warning("openlineage_dropped", extra={"events": told, "altogether": self.dropped, "cause": cause})

    def _emptied(self) -> int:
        count = 0
        while True:
            try:
                count += self._queue.get_nowait() is not None
            except queue.Empty:
                return count


def emitter_of(environ: Mapping[str, str], open_http: Callable[..., Transport] = HttpTransport) -> Emitter | None:
    """Return where events go, as environment variables say; None where nobody asked for them.

    ``OPENLINEAGE_URL`` with ``OPENLINEAGE_ENDPOINT`` (``api/v1/lineage``) and ``OPENLINEAGE_API_KEY``, or ``OPENLINEAGE_FILE``;
    ``OPENLINEAGE_DISABLED=true`` silences both.

    Raises:
        UsageError: The address cannot be used.
    """
    if environ.get("OPENLINEAGE_DISABLED", "").lower() in {"1", "true", "yes"}:
        return None
    url, file = environ.get("OPENLINEAGE_URL", ""), environ.get("OPENLINEAGE_FILE", "")
    if url:
        endpoint = environ.get("OPENLINEAGE_ENDPOINT") or "api/v1/lineage"
        return Emitter(open_http(url, endpoint, environ.get("OPENLINEAGE_API_KEY", "")))
    return Emitter(FileTransport(Path(file))) if file else None
