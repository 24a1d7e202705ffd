"""One Git process: its own process group, an absolute deadline, bounded output, and an environment that asks nobody anything.

The user's own settings (credential helpers, ssh, proxies, certificates) stay in force, because that is how people reach
their remotes. What a remote or the system's settings could make Git run does not: no hooks, filters or other transports.
"""

import functools
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import IO

from gnomon.errors import RepositoryError

OLDEST_GIT = (2, 34)
"""Signs and verifies with SSH keys, and has had --diff-merges=first-parent for a while."""
_OUTPUT_LIMIT_BYTES = 256 * 2**20
_STDERR_LIMIT_BYTES = 2**16
_CHUNK_BYTES = 2**16
_QUIET_S = 0.25
"""How long a pipe may stay open and silent after Git has ended: a credential daemon or ssh master may hold it for hours."""

_KEPT_GIT_VARIABLES = frozenset(
    {
        "GIT_ASKPASS",
        "GIT_CONFIG_GLOBAL",
        "GIT_EXEC_PATH",
        "GIT_HTTP_PROXY_AUTHMETHOD",
        "GIT_PROXY_SSL_CAINFO",
        "GIT_PROXY_SSL_CERT",
        "GIT_PROXY_SSL_KEY",
        "GIT_SSH",
        "GIT_SSH_COMMAND",
        "GIT_SSH_VARIANT",
        "GIT_SSL_CAINFO",
        "GIT_SSL_CAPATH",
        "GIT_SSL_CERT",
        "GIT_SSL_KEY",
        "GIT_SSL_NO_VERIFY",
    }
)
_FIXED_VARIABLES = {
    "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    "GIT_ATTR_NOSYSTEM": "1",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
_FIXED_SETTINGS = {
    "color.ui": "false",
    "core.filesRefLockTimeout": "1000",
    "core.fsmonitor": "false",
    "core.hooksPath": "/dev/null",
    "core.logAllRefUpdates": "false",
    "core.packedRefsTimeout": "1000",
    "diff.renames": "false",
    "gc.auto": "6700",
    "gc.autoDetach": "false",
    "i18n.logOutputEncoding": "UTF-8",
    "log.mailmap": "false",
    "log.showSignature": "false",
    "maintenance.auto": "false",
    "push.followTags": "false",
    "push.gpgSign": "false",
    "push.recurseSubmodules": "no",
}


class GitTimeoutError(Exception):
    """A Git process was ended at its deadline. Caught in this room."""


@dataclass(frozen=True)
class Completed:
    """How a Git process ended. ``stderr`` is its last part."""

    returncode: int
    stdout: bytes
    stderr: str


def git_environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for Git with our settings and ``settings``.

    Settings travel in the environment, which this user alone can read, and not in the arguments, which ``ps`` shows to all.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if (not name.startswith("GIT_") or name in _KEPT_GIT_VARIABLES) and name not in {"LANGUAGE", "LANG"}
    }
    pairs = list({**_FIXED_SETTINGS, **settings}.items())
    counted = {"GIT_CONFIG_COUNT": str(len(pairs))}
    for index, (name, value) in enumerate(pairs):
        counted[f"GIT_CONFIG_KEY_{index}"] = name
        counted[f"GIT_CONFIG_VALUE_{index}"] = value
    return {**kept, **_FIXED_VARIABLES, **counted}


def run_git(
    arguments: Sequence[str],
    environment: Mapping[str, str],
    timeout: timedelta,
    *,
    stdin: bytes = b"",
    stdout_file: IO[bytes] | None = None,
) -> Completed:
    """Run Git to its end and return what it said.

    Args:
        arguments: What follows ``git``; never a secret.
        environment: The whole environment, from ``git_environment``.
        timeout: When the process and everything that it started is killed.
        stdin: What it reads.
        stdout_file: Where its output goes instead of memory.

    Raises:
        GitTimeoutError: The deadline passed.
        RepositoryError: Git is missing, or its output is larger than what belongs in memory.
    """
    deadline = time.monotonic() + timeout.total_seconds()
    try:
        process = subprocess.Popen(
            ["git", *arguments],
            stdin=subprocess.PIPE,
            stdout=stdout_file if stdout_file is not None else subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment),
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise _git_missing(str(error)) from error
    try:
        stdout, stderr = _converse(process, stdin, deadline)
        returncode = process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired as error:
        raise GitTimeoutError from error
    finally:
        _end(process)
    return Completed(returncode, stdout, stderr.decode("utf-8", "replace"))


@functools.cache
def require_git() -> None:
    """See that a Git is there which is new enough.

    Raises:
        RepositoryError: There is none, or it is too old.
    """
    completed = run_git(["version"], git_environment({}), timedelta(seconds=30))
    text = completed.stdout.decode("utf-8", "replace").strip()
    found = re.search(r"(\d+)\.(\d+)", text)
    if completed.returncode or found is None:
        raise _git_missing(text or completed.stderr.strip())
    if (int(found[1]), int(found[2])) < OLDEST_GIT:
        wanted = ".".join(str(part) for part in OLDEST_GIT)
        raise RepositoryError(f"git {found[0]} is too old: {wanted} or newer is needed", "install a newer git on the PATH")


def _git_missing(detail: str) -> RepositoryError:
    return RepositoryError(f"git cannot be run: {detail}", "install git 2.34 or newer, and see that it is on the PATH")


def _converse(process: subprocess.Popen[bytes], stdin: bytes, deadline: float) -> tuple[bytes, bytes]:
    """Feed and read a process until its pipes are closed; return all of stdout and the end of stderr."""
    stdout, stderr = bytearray(), bytearray()
    with selectors.DefaultSelector() as selector:
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            selector.register(process.stdin, selectors.EVENT_WRITE, _Sender(stdin))
        if process.stdout is not None:
            selector.register(process.stdout, selectors.EVENT_READ, _Receiver(stdout, _OUTPUT_LIMIT_BYTES))
        if process.stderr is not None:
            selector.register(process.stderr, selectors.EVENT_READ, _TailReceiver(stderr, _STDERR_LIMIT_BYTES))
        while selector.get_map():
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise GitTimeoutError
            ready = selector.select(min(remaining, _QUIET_S))
            if not ready and process.poll() is not None:
                break
            for key, _ in ready:
                if key.data.is_over_after(key.fd):
                    selector.unregister(key.fileobj)
                    if key.fileobj is process.stdin:
                        process.stdin.close()
    return bytes(stdout), bytes(stderr)


class _Sender:
    """Feeds a pipe."""

    def __init__(self, content: bytes) -> None:
        self._unsent = memoryview(content)

    def is_over_after(self, descriptor: int) -> bool:
        """Write what fits now, and return whether that was all."""
        try:
            self._unsent = self._unsent[os.write(descriptor, self._unsent[:_CHUNK_BYTES]) :]
        except BlockingIOError:
            return False
        except BrokenPipeError:
            return True  # it ended without reading all: its exit code and stderr say why
        return not self._unsent


@dataclass
class _Receiver:
    """Reads a pipe up to a limit."""

    received: bytearray
    limit: int

    def is_over_after(self, descriptor: int) -> bool:
        """Read what is there now, and return whether the pipe is closed."""
        chunk = os.read(descriptor, _CHUNK_BYTES)
        self.received += chunk
        self.bound()
        return not chunk

    def bound(self) -> None:
        """Refuse more than the limit."""
        if len(self.received) > self.limit:
            raise RepositoryError(
                f"git's answer is larger than {self.limit >> 20} MiB",
                "keep large files out of what is read at once; data files are exported one by one",
            )


class _TailReceiver(_Receiver):
    """Reads a pipe and keeps the last of it."""

    def bound(self) -> None:
        """Forget the oldest beyond the limit."""
        del self.received[: -self.limit]


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what still runs, the whole group, and close the pipes."""
    if process.poll() is None:
        # The group exists as long as its leader has not been waited for.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None and not pipe.closed:
            pipe.close()
