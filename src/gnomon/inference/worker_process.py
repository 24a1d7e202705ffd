"""An estimator of Python answers from processes of its own; here is the end that asks them.

This process imports nothing of the estimator's libraries. A worker gets an environment without anything of ours, one thread,
bounded memory and no file to write; one that does not answer in time is killed, and the next question starts another.
"""

import contextlib
import os
import queue
import select
import subprocess
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any, BinaryIO

import msgspec
from numpy.typing import NDArray

from gnomon.errors import ArtifactError
from gnomon.inference.messages import (
    Answers,
    Failed,
    Load,
    Loaded,
    Predict,
    decode_matrices,
    encode_matrices,
    read,
    write,
)
from gnomon.inference.session import Cancellation
from gnomon.inference.signature import Signature

_WORKER = "gnomon.estimators.worker"
_KEPT = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "PYTHONHASHSEED", "TZ")
"""All that a worker sees of the environment: no token, no password, no proxy."""
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "POLARS_MAX_THREADS")
_LOOK_AGAIN_S = 0.05
_LOADING_S = 120.0
_AT_ONCE = 2
"""Workers of one model: while one answers a large request, small ones need not wait."""


class WorkerPredictor:
    """Answers with one payload, in worker processes. Safe for several threads.

    Args:
        payload: What ``estimators.saving`` made.
        signature: What it takes and gives.

    Raises:
        ArtifactError: The payload is refused or cannot be loaded.
    """

    def __init__(self, payload: bytes, signature: Signature) -> None:
        self.signature = signature
        self._names = [output.name for output in signature.outputs]
        self._payload = payload
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._started: list[_Worker] = []
        weakref.finalize(self, _end, self._started)
        first = self._start()
        self.libraries: Mapping[str, str] = first.libraries
        """The versions of the libraries that answer."""
        self._idle.put(first)

    def predict(self, feed: Mapping[str, NDArray[Any]], cancellation: Cancellation | None = None) -> dict[str, NDArray[Any]]:
        """Return the outputs by name, in the order of the signature, each with one row for each row of ``feed``.

        Raises:
            ArtifactError: The estimator failed on these rows, or was cancelled.
        """
        question = Predict(encode_matrices(feed))
        with self._room:
            reply = self._asked_idle(question, cancellation) or self._asked(self._start(), question, cancellation)
        if isinstance(reply, Failed):
            raise ArtifactError(reply.cause, reply.mend)
        if not isinstance(reply, Answers):
            raise ArtifactError("the worker answered another question", "report it: this is a fault of gnomon")
        answers = decode_matrices(reply.matrices)
        return {name: answers[name] for name in self._names}

    def close(self) -> None:
        """End the workers."""
        _end(self._started)

    def _asked_idle(self, question: Predict, cancellation: Cancellation | None) -> Loaded | Answers | Failed | None:
        """Return the reply of a worker that was idle; None where there is none, or it had died by then."""
        try:
            return self._asked(self._idle.get_nowait(), question, cancellation)
        except (queue.Empty, _WorkerEndedError):
            return None

    def _asked(self, worker: "_Worker", question: Predict, cancellation: Cancellation | None) -> Loaded | Answers | Failed:
        try:
            reply = worker.ask(question, cancellation, None)
        except BaseException:
            worker.end()
            raise
        self._idle.put(worker)
        return reply

    def _start(self) -> "_Worker":
        self._started[:] = [worker for worker in self._started if worker.is_alive]
        worker = _Worker()
        self._started.append(worker)
        try:
            worker.load(self._payload, self.signature)
        except BaseException:
            worker.end()
            raise
        return worker


class _WorkerEndedError(ArtifactError):
    """A worker is gone; another one may do better."""


class _Worker:
    """One worker process, and the pipes to it."""

    def __init__(self) -> None:
        environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
        environment |= dict.fromkeys(_ONE_THREAD, "1")
        self.libraries: Mapping[str, str] = {}
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", _WORKER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
        )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def load(self, payload: bytes, signature: Signature) -> None:
        reply = self.ask(Load(payload, signature), None, _LOADING_S)
        if isinstance(reply, Failed):
            raise ArtifactError(reply.cause, reply.mend)
        if isinstance(reply, Loaded):
            self.libraries = reply.libraries

    def ask(
        self, message: Load | Predict, cancellation: Cancellation | None, timeout_s: float | None
    ) -> Loaded | Answers | Failed:
        """Return the reply to a message.

        Raises:
            ArtifactError: The worker died, or the question was cancelled; the worker is of no use then.
        """
        incoming, outgoing = _stream(self._process.stdout), _stream(self._process.stdin)
        try:
            write(outgoing, message)
            self._wait(incoming, cancellation, timeout_s)
            reply: Loaded | Answers | Failed | None = read(incoming, Loaded | Answers | Failed)
        except (OSError, msgspec.DecodeError):
            reply = None
        if reply is None:
            raise _WorkerEndedError(
                f"the process that answers for this model ended ({self._last_words()})",
                "it may have run out of memory: send fewer rows, or train a smaller model",
            )
        return reply

    def end(self) -> None:
        """Kill the process; doing it twice is nothing."""
        self._process.kill()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was not sent any more
                    stream.close()
        self._process.wait()

    def _wait(self, incoming: BinaryIO, cancellation: Cancellation | None, timeout_s: float | None) -> None:
        waited = 0.0
        while not select.select([incoming], [], [], _LOOK_AGAIN_S)[0]:
            waited += _LOOK_AGAIN_S
            if (cancellation is not None and cancellation.is_cancelled) or (timeout_s is not None and waited > timeout_s):
                raise ArtifactError("the model took too long on these rows", "send fewer rows, or allow more time")

    def _last_words(self) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = self._process.wait(timeout=1)
            return f"by signal {-code}" if code < 0 else f"exit code {code}"
        return "without a word"


def _stream(stream: Any) -> BinaryIO:
    opened: BinaryIO = stream
    return opened


def _end(workers: list[_Worker]) -> None:
    for worker in workers:
        worker.end()
    workers.clear()
