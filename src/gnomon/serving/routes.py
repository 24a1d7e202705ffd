"""Which version answers for which service: a table that the operator replaces whole and every worker reads."""

from pathlib import Path

import msgspec

from gnomon.errors import GatewayError
from gnomon.stores.durable import Drafts, disk_errors, make_directory, replace_file

ROUTES_FILE = "routes.json"
"""Name of the table in the gateway's home."""


class Target(msgspec.Struct, frozen=True):
    """A version of a model, and the artifact that it is."""

    version: str
    digest: str


class Route(msgspec.Struct, frozen=True):
    """What a service's name leads to. Without ``active`` the service has no release yet and answers 503."""

    namespace: str
    active: Target | None = None
    warm: list[Target] = []
    """Kept loaded, so that going back to one of them is a route flip; asked for by ``/versions/V``."""
    body_limit: int = 8 * 2**20
    """Bytes."""
    timeout_s: float = 10.0


class RouteTable(msgspec.Struct, frozen=True):
    """Every route. Whoever writes a table gives it a larger ``epoch`` than the one before."""

    epoch: int = 0
    services: dict[str, Route] = {}


def write_routes(path: Path, table: RouteTable) -> None:
    """Put the table in place, atomically and durably. Workers see it within some 50 ms.

    Raises:
        StoreError: The disk refused.
    """
    content = msgspec.json.format(msgspec.json.encode(table, order="deterministic"), indent=1) + b"\n"
    with disk_errors(f"write {path}"):
        make_directory(path.parent)
        replace_file(path, content, Drafts(path.parent / "drafts"))


def read_routes(path: Path) -> RouteTable:
    """Return the table; an empty one of epoch 0 where there is none yet.

    Raises:
        GatewayError: The file is not a table.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=RouteTable)
    except FileNotFoundError:
        return RouteTable()
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise GatewayError(
            f"{path} is not a route table: {error}", "let the operator write it; do not edit it by hand"
        ) from error
