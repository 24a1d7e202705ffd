"""The operator's side of the gateway: it is started once, found again, told its routes, and asked what it does."""

import logging
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gnomon.errors import GatewayError
from gnomon.operator.actions import ServiceRoute, TargetVersion
from gnomon.operator.state import GatewayView
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.serving.process import GatewayHandle, find_gateway, start_gateway
from gnomon.serving.routes import ROUTES_FILE, Route, RouteTable, Target, read_routes, write_routes
from gnomon.serving.status import read_status

_LOG = logging.getLogger(__name__)
_REVIVE_PAUSE_S = 2.0


_Seen = tuple[int, int, int] | None
"""What tells one state of a file from another."""


@dataclass
class GatewayControl:
    """One gateway, which outlives the operator that started it."""

    folder: Path
    layout: Path
    listen: str
    workers: int
    _not_before: float = field(default=0.0, init=False)
    _problem: str = field(default="", init=False)
    _epoch: int = field(default=0, init=False)
    _read: tuple[_Seen, RouteTable | None, tuple[ServiceRoute, ...] | None] = field(default=(None, None, None), init=False)

    def ensure(self) -> GatewayHandle:
        """Adopt the running gateway, or start one.

        Raises:
            GatewayError: It cannot be started, such as when its port is taken.
        """
        handle = find_gateway(self.folder)
        if handle is None:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle = start_gateway(self.folder, self.layout, self.listen, self.workers)
            _LOG.info("gateway_started", extra={"address": handle.address})
        # Clients know the address by now: where the port was free to choose, a gateway started later takes the same.
        self.listen = handle.address
        return handle

    def revive(self) -> None:
        """Start the gateway after it was lost; a start that fails is not tried again at once, and ``view`` tells of it.

        Raises:
            GatewayError: It cannot be started.
        """
        if time.monotonic() < self._not_before:
            return
        self._not_before = time.monotonic() + _REVIVE_PAUSE_S
        try:
            self.ensure()
        except GatewayError as error:
            self._problem = str(error)
            raise
        self._problem = ""

    def is_up(self) -> bool:
        """Return whether the gateway lives; cheap enough to be asked every second."""
        try:
            return find_gateway(self.folder) is not None
        except GatewayError:
            return True  # it lives, and somebody broke what it says about itself

    def routes(self) -> tuple[ServiceRoute, ...] | None:
        """Return the routes as the file holds them now; None where it is unreadable or was never written."""
        return self._look()[1]

    def write(self, routes: tuple[ServiceRoute, ...]) -> None:
        """Replace the routes, as one step."""
        table = self._look()[0]
        # A file that somebody broke must not take the count of epochs back.
        try:
            told = read_status(self.folder).applied_epoch
        except GatewayError:
            told = 0
        self._epoch = 1 + max(table.epoch if table is not None else 0, told, self._epoch)
        services = {route.key.name: _to_route(route) for route in routes}
        write_routes(self.folder / ROUTES_FILE, RouteTable(epoch=self._epoch, services=services))

    def view(self) -> GatewayView:
        """Return what the gateway says that it does."""
        try:
            if find_gateway(self.folder) is None:
                return GatewayView(problem=self._problem)
            status = read_status(self.folder)
        except GatewayError as error:
            return GatewayView(is_up=True, problem=str(error))
        table = self._look()[0]
        is_applied = table is not None and status.applied_epoch >= table.epoch
        return GatewayView(
            is_up=True,
            applied=is_applied,
            active={name: Digest(s.active.digest) for name, s in status.services.items() if s.active is not None},
            errors={name: s.error for name, s in status.services.items() if s.error},
            written_at=None if is_applied else self._written_at(),
        )

    def _look(self) -> tuple[RouteTable | None, tuple[ServiceRoute, ...] | None]:
        """Return the table and its routes, read again only where the file has been replaced or written to."""
        seen = _seen(self.folder / ROUTES_FILE)
        known, table, routes = self._read
        if seen is None or seen != known:
            try:
                table = read_routes(self.folder / ROUTES_FILE)
                routes = _routes_in(table)
            except GatewayError:
                table = routes = None
            self._read = (seen, table, routes)
        return table, routes

    def _written_at(self) -> datetime | None:
        seen = _seen(self.folder / ROUTES_FILE)
        return datetime.fromtimestamp(seen[0] / 1e9, UTC) if seen is not None else None


def _seen(path: Path) -> _Seen:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _routes_in(table: RouteTable) -> tuple[ServiceRoute, ...] | None:
    """Return the routes of a table; None where it was never written, or holds what no operator writes."""
    try:
        routes = [_from_route(name, route) for name, route in table.services.items()]
    except (ValueError, OverflowError):
        return None
    return tuple(sorted(routes, key=lambda route: route.key)) if table.epoch > 0 else None


def _to_route(route: ServiceRoute) -> Route:
    return Route(
        namespace=route.key.namespace,
        active=_to_target(route.active) if route.active is not None else None,
        warm=[_to_target(target) for target in route.warm],
        body_limit=route.body_limit,
        timeout_s=route.timeout.total_seconds(),
    )


def _to_target(target: TargetVersion) -> Target:
    return Target(version=str(target.version), digest=target.digest)


def _from_route(name: str, route: Route) -> ServiceRoute:
    return ServiceRoute(
        key=ResourceKey("Service", route.namespace, name),
        active=_from_target(route.active) if route.active is not None else None,
        warm=tuple(_from_target(target) for target in route.warm),
        body_limit=route.body_limit,
        timeout=timedelta(seconds=route.timeout_s),
    )


def _from_target(target: Target) -> TargetVersion:
    return TargetVersion(int(target.version), Digest(target.digest))
