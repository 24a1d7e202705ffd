"""Replay: recorded rows sent as requests, without a break, each answer checked."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

_PAUSE_S = 0.01
_CLIENTS = 2


class Replay:
    """Sends requests from a few keep-alive connections until it is left.

    A request fails when it is refused, cut off, or not answered with 200. An answer is mixed when one version number
    comes with two digests.
    """

    def __init__(self, address: str, service: str, bodies: Sequence[bytes]) -> None:
        self._address = address
        self._path = f"/v2/models/{service}/infer"
        self._bodies = bodies
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._digests: dict[str, str] = {}
        self._threads = [threading.Thread(target=self._send, args=(start,), daemon=True) for start in range(_CLIENTS)]
        self.requests = 0
        self.failed = 0
        self.mixed = 0
        self.failures: list[str] = []
        self.last_version = ""

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        """Finish the requests under way."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _send(self, start: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=10)
        for body in itertools.islice(itertools.cycle(self._bodies), start, None, _CLIENTS):
            if self._stop.is_set():
                break
            try:
                connection.request("POST", self._path, body, {"content-type": "application/json"})
                answer = connection.getresponse()
                text = answer.read()
                self._note(answer.status, text, answer.getheader("x-gnomon-digest", ""))
                if answer.will_close:
                    connection.close()
            except (OSError, http.client.HTTPException) as error:
                self._fail(f"{type(error).__name__}: {error}")
                connection.close()
            time.sleep(_PAUSE_S)
        connection.close()

    def _note(self, status: int, text: bytes, digest: str) -> None:
        if status != http.client.OK:
            self._fail(f"{status} {text[:200].decode(errors='replace')}")
            return
        answer: dict[str, Any] = json.loads(text)
        version = str(answer["model_version"])
        with self._lock:
            self.requests += 1
            self.mixed += self._digests.setdefault(version, digest) != digest
            self.last_version = version

    def _fail(self, why: str) -> None:
        with self._lock:
            self.requests += 1
            self.failed += 1
            self.failures.append(why)
