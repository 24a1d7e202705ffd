"""What the connections of one worker share: the application, the limits, the time, and whether it is the end."""

from dataclasses import dataclass
from email.utils import formatdate
from typing import Protocol

from gnomon.serving.http import Application


class OpenConnection(Protocol):
    """A connection as the server sees it."""

    def check(self) -> None:
        """End what took too long."""
        ...

    def close_if_idle(self) -> None:
        """Close the connection unless it asks something."""
        ...

    def abort(self) -> None:
        """Cut the connection."""
        ...


@dataclass(frozen=True)
class Limits:
    """What one connection may take. Seconds and bytes."""

    head_bytes: int = 16 * 2**10
    read_s: float = 10.0
    """For a head; for a body too, prolonged by what arrived at ``body_rate``."""
    body_rate: int = 16 * 2**10
    """Bytes a second below which a body is too slow."""
    idle_s: float = 75.0
    write_s: float = 30.0
    """For a client to go on reading when its replies fill the buffers."""
    linger_s: float = 2.0
    """For what a client still sends after a reply that ends the connection."""


class Server:
    """What the connections of a worker share. ``tick`` wants to be called some times a second.

    Args:
        application: Answers the requests.
        limits: What one connection may take.
        now: The time, in seconds from any origin.
    """

    def __init__(self, application: Application, limits: Limits, now: float) -> None:
        self.application = application
        self.limits = limits
        self.connections: set[OpenConnection] = set()
        self.is_draining = False
        self.tick(now)

    def tick(self, now: float) -> None:
        """Tell the time to the connections, and end those that took too long."""
        self.now = now
        self.date = b"date: %b\r\n" % formatdate(usegmt=True).encode()
        for connection in tuple(self.connections):
            connection.check()

    def drain(self) -> None:
        """Answer what comes, each time as the last reply of its connection."""
        self.is_draining = True

    def close_idle(self) -> None:
        """Close the connections that ask nothing."""
        for connection in tuple(self.connections):
            connection.close_if_idle()

    def abort(self) -> None:
        """Cut every connection."""
        for connection in tuple(self.connections):
            connection.abort()
