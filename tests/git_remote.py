"""Real Git remotes for tests: bare repositories, people who work on them, and servers that behave and misbehave.

``make_remote(tmp_path)`` makes a bare repository with one commit, ``Clone`` is a person with a checkout, ``HttpRemote`` serves
bare repositories over smart HTTP with Basic authentication, and ``black_hole`` is a server that accepts and never answers.
"""

import base64
import os
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

BRANCH = "main"
_DEADLINE_S = 60


def clean_environment(name: str = "Ada", **more: str) -> dict[str, str]:
    """Return an environment for Git in which nobody's settings count and the identity is fixed."""
    email = f"{name.lower()}@example.com"
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "LC_ALL": "C",
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_EDITOR": "true",
        "GIT_AUTHOR_NAME": name,
        "GIT_AUTHOR_EMAIL": email,
        "GIT_COMMITTER_NAME": name,
        "GIT_COMMITTER_EMAIL": email,
        **more,
    }


def run_git(*arguments: str | Path, cwd: Path, name: str = "Ada", environment: Mapping[str, str] | None = None) -> str:
    """Run Git and return what it says; an exit code other than 0 is an AssertionError with its stderr."""
    completed = subprocess.run(
        ["git", *map(str, arguments)],
        cwd=cwd,
        env=dict(environment) if environment is not None else clean_environment(name),
        capture_output=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert completed.returncode == 0, f"git {arguments}: {completed.stderr.decode('utf-8', 'replace')}"
    return completed.stdout.decode("utf-8", "surrogateescape").strip()


def make_remote(folder: Path, *, name: str = "remote.git", object_format: str = "sha1", empty: bool = False) -> Path:
    """Make a bare repository ``folder/name`` with one commit (a README) on ``main``, and return its path."""
    remote = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    run_git("init", "-q", "--bare", f"--object-format={object_format}", "-b", BRANCH, remote, cwd=folder)
    run_git("config", "http.receivepack", "true", cwd=remote)
    if not empty:
        stream = f"commit refs/heads/{BRANCH}\ncommitter Ada <ada@example.com> 1700000000 +0000\ndata 6\nBegin\n\n"
        stream += "M 100644 inline README.md\ndata 2\n#\n\ndone\n"
        subprocess.run(
            ["git", "fast-import", "--quiet", "--done"], cwd=remote, env=clean_environment(), input=stream.encode(), check=True
        )
    return remote


def install_hook(remote: Path, name: str, script: str) -> None:
    """Make a shell script the server's hook, such as ``pre-receive``."""
    hook = remote / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def tip(remote: Path, branch: str = BRANCH) -> str:
    """Return the commit that a branch of a bare repository is at."""
    return run_git("rev-parse", f"refs/heads/{branch}", cwd=remote)


def content_at(remote: Path, path: str, revision: str = BRANCH) -> str:
    """Return a file of a commit in a bare repository."""
    return run_git("show", f"{revision}:{path}", cwd=remote)


def subjects(remote: Path, branch: str = BRANCH) -> list[str]:
    """Return the subjects of all commits of a branch, newest first."""
    return run_git("log", "--format=%s", f"refs/heads/{branch}", cwd=remote).splitlines()


class Clone:
    """A person with a checkout of a remote.

    Args:
        remote: Path or URL to clone.
        folder: Where the checkout goes.
        name: The person.
    """

    def __init__(self, remote: Path | str, folder: Path, name: str = "Ada") -> None:
        self.path = folder
        self._name = name
        folder.parent.mkdir(parents=True, exist_ok=True)
        run_git("clone", "-q", str(remote), str(folder), cwd=folder.parent, name=name)

    def git(self, *arguments: str | Path) -> str:
        """Run Git in the checkout."""
        return run_git(*arguments, cwd=self.path, name=self._name)

    def write(self, path: str, content: str | bytes) -> Path:
        """Write a file."""
        place = self.path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content.encode() if isinstance(content, str) else content)
        return place

    def remove(self, path: str) -> None:
        """Remove a file."""
        (self.path / path).unlink()

    def commit(self, message: str = "Change", *, allow_empty: bool = False) -> str:
        """Commit everything that changed and return the commit."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message, *(["--allow-empty"] if allow_empty else []))
        return self.head()

    def commit_file(self, path: str, content: str | bytes, message: str = "", *, push: bool = True) -> str:
        """Write one file, commit it, push it, and return the commit."""
        self.write(path, content)
        revision = self.commit(message or f"Change {path}")
        if push:
            self.push()
        return revision

    def push(self, *, force: bool = False) -> None:
        """Push the current branch."""
        self.git("push", "-q", *(["--force"] if force else []), "origin", "HEAD")

    def pull(self) -> None:
        """Take up the remote's branch; local commits are rebased on it."""
        self.git("pull", "-q", "--rebase")

    def revert(self, revision: str = "HEAD") -> str:
        """Revert a commit (a merge against its first parent) and return the new commit."""
        parents = self.git("rev-list", "--parents", "-n1", revision).split()[1:]
        self.git("revert", "--no-edit", *(["-m", "1"] if len(parents) > 1 else []), revision)
        return self.head()

    def switch(self, branch: str, *, create: bool = False) -> None:
        """Go to another branch."""
        self.git("switch", "-q", *(["-c"] if create else []), branch)

    def merge(self, branch: str, *, squash: bool = False) -> str:
        """Merge a branch by a merge commit, or squashed into an ordinary one, and return the new commit."""
        if squash:
            self.git("merge", "-q", "--squash", branch)
            return self.commit(f"Squash {branch}")
        self.git("merge", "-q", "--no-ff", "-m", f"Merge {branch}", branch)
        return self.head()

    def head(self) -> str:
        """Return the commit of the checkout."""
        return self.git("rev-parse", "HEAD")


class HttpRemote:
    """Smart HTTP over ``git http-backend`` on 127.0.0.1, every bare repository below a folder.

    Attributes:
        cut_next_push: Set to close the connection after the next push has been applied: before the answer (``silent``; curl
            may then send the same request once more) or in the middle of it (``midway``).
        requests: Method and path of every request so far.

    Args:
        folder: The folder with the bare repositories.
        user: Who may come in; everybody where it is empty.
        password: What opens the door.
    """

    def __init__(self, folder: Path, user: str = "", password: str = "") -> None:
        self.folder = folder
        self.user = user
        self.password = password
        self.cut_next_push: Literal["", "silent", "midway"] = ""
        self.requests: list[str] = []
        remote = self

        class Handler(_BackendHandler):
            site = remote

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02})
        self._is_up = False

    @property
    def origin(self) -> str:
        """Address of the server, without credentials."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def url(self, name: str = "remote.git", *, user: str | None = None, password: str | None = None) -> str:
        """Return the address of a repository, with the right credentials unless others are given."""
        user, password = user if user is not None else self.user, password if password is not None else self.password
        userinfo = f"{user}:{password}@" if user else ""
        return f"{self.origin.replace('://', f'://{userinfo}')}/{name}"

    def __enter__(self) -> Self:
        self._thread.start()
        self._is_up = True
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.vanish()

    def vanish(self) -> None:
        """Close the port: from now on nobody answers."""
        if self._is_up:
            self._is_up = False
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class _BackendHandler(BaseHTTPRequestHandler):
    site: HttpRemote
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve(b"")

    def do_POST(self) -> None:
        self._serve(self._request_body())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Keep quiet."""

    def _request_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", "0")))
        body = bytearray()
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return bytes(body)

    def _serve(self, body: bytes) -> None:
        self.site.requests.append(f"{self.command} {self.path}")
        expected = base64.b64encode(f"{self.site.user}:{self.site.password}".encode()).decode()
        if self.site.user and self.headers.get("Authorization") != f"Basic {expected}":
            self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"who are you?")
            return
        head, _, content = self._backend(body).partition(b"\r\n\r\n")
        if self.site.cut_next_push and self.command == "POST" and self.path.endswith("/git-receive-pack"):
            if self.site.cut_next_push == "midway":
                self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n0")
            self.site.cut_next_push = ""
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        headers = [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n") if ": " in line]
        status = next((int(value.split()[0]) for key, value in headers if key == "Status"), 200)
        self._answer(status, [(key, value) for key, value in headers if key != "Status"], content)

    def _backend(self, body: bytes) -> bytes:
        target = urlsplit(self.path)
        environment = clean_environment(
            GIT_PROJECT_ROOT=str(self.site.folder),
            GIT_HTTP_EXPORT_ALL="1",
            REQUEST_METHOD=self.command,
            PATH_INFO=unquote(target.path),
            QUERY_STRING=target.query,
            REMOTE_USER=self.site.user,
            REMOTE_ADDR="127.0.0.1",
            CONTENT_TYPE=self.headers.get("Content-Type", ""),
            CONTENT_LENGTH=str(len(body)),
            HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
            GIT_PROTOCOL=self.headers.get("Git-Protocol", ""),
        )
        completed = subprocess.run(
            ["git", "http-backend"], input=body, env=environment, capture_output=True, timeout=_DEADLINE_S, check=False
        )
        return completed.stdout

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for key, value in headers:
            self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def black_hole() -> Iterator[str]:
    """Yield the address of a server that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/remote.git"


@contextmanager
def dripping_server() -> Iterator[str]:
    """Yield the address of a server that answers a byte now and then, for ever."""
    is_over = threading.Event()

    def drip() -> None:
        while not is_over.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n\r\n")
                while not is_over.wait(0.2):
                    try:
                        connection.sendall(b"0")
                    except OSError:
                        break

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        thread = threading.Thread(target=drip)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/remote.git"
        finally:
            is_over.set()
            thread.join()
