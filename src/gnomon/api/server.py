"""The API's server: a thread beside the loop, on a socket that is bound before anything else starts."""

import ipaddress
import socket
import threading

import uvicorn

from gnomon.api.app import make_app
from gnomon.api.plane import ControlPlane
from gnomon.errors import ConflictError, UsageError

_BACKLOG = 128
_HIGHEST_PORT = 65_535


def bind(listen: str) -> socket.socket:
    """Return a bound socket for ``HOST:PORT``.

    Raises:
        UsageError: ``listen`` is not an address.
        ConflictError: The port is taken.
    """
    host, port = _parts(listen)
    bound = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((host, port))
        # From here on connections wait instead of being refused, so "it is up" is true before the server's thread runs.
        bound.listen(_BACKLOG)
    except OSError as error:
        bound.close()
        raise ConflictError(f"cannot listen on {listen}: {error.strerror}", "give another address with --listen") from error
    return bound


def require_guard(listen: str, token: str) -> None:
    """Refuse to be reached from other machines without a token.

    Raises:
        UsageError: ``listen`` is not a loopback address and there is no token, or is no address at all.
    """
    host, _ = _parts(listen)
    try:
        is_local = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local and not token:
        raise UsageError(
            f"{listen} can be reached from other machines, and nothing guards the control plane",
            "set GNOMON_TOKEN to a secret that callers must know, or listen on 127.0.0.1",
        )


def _parts(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not host or not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= _HIGHEST_PORT):
        raise UsageError(f"{listen!r} is not an address", "write it as HOST:PORT, such as 127.0.0.1:8080")
    return host.strip("[]"), int(port)


def address_of(bound: socket.socket) -> str:
    """Return where a socket listens, as a URL takes it."""
    host, port = bound.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class ApiServer:
    """Answers until ``stop``."""

    def __init__(self, plane: ControlPlane, bound: socket.socket) -> None:
        config = uvicorn.Config(make_app(plane), log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=2)
        self._server = uvicorn.Server(config)
        self._bound = bound
        self._thread = threading.Thread(target=self._run, name="api", daemon=True)

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the requests under way and stop."""
        self._server.should_exit = True
        self._thread.join(timeout=5)
        self._bound.close()

    def _run(self) -> None:
        self._server.run(sockets=[self._bound])
