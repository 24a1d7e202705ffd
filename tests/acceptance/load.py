"""Load on a service, with every answer kept, so that it can be held against the artifact that it names."""

import http.client
import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """One answer: which row was sent, and what came back."""

    row: int
    version: str
    digest: str
    prediction: Any


class Load:
    """Sends single rows from many keep-alive connections until it is left."""

    def __init__(self, address: str, service: str, bodies: Sequence[bytes], connections: int = 16) -> None:
        self._address = address
        self._path = f"/v2/models/{service}/infer"
        self._bodies = bodies
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._send, args=(n,), daemon=True) for n in range(connections)]
        self.answers: list[Answer] = []
        self.failures: list[str] = []

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=20)

    def versions(self) -> set[str]:
        """Return the versions that have answered so far."""
        with self._lock:
            return {answer.version for answer in self.answers}

    def last_version(self) -> str:
        """Return the version of the latest answer."""
        with self._lock:
            return self.answers[-1].version if self.answers else ""

    def _send(self, start: int) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=20)
        row = start
        while not self._stop.wait(0.02):
            row = (row + 7) % len(self._bodies)
            try:
                connection.request("POST", self._path, self._bodies[row], {"content-type": "application/json"})
                reply = connection.getresponse()
                text = reply.read()
            except (OSError, http.client.HTTPException) as error:
                self._fail(f"{type(error).__name__}: {error}")
                connection.close()
                continue
            if reply.status != http.client.OK:
                self._fail(f"{reply.status} {text[:200]!r}")
                continue
            body = json.loads(text)
            answer = Answer(row, body["model_version"], reply.getheader("x-gnomon-digest", ""), body["outputs"][0]["data"][0])
            with self._lock:
                self.answers.append(answer)
        connection.close()

    def _fail(self, why: str) -> None:
        with self._lock:
            self.failures.append(why)
