"""The operator's side of the gateway: it is started once, found again, told its routes, and asked what it does."""

import logging
import time
from dataclasses import dataclass
from datetime import timedelta
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


@dataclass
class GatewayControl:
    """One gateway, which outlives the operator that started it."""

    folder: Path
    layout: Path
    listen: str
    workers: int
    _not_before: float = 0.0

    def ensure(self) -> GatewayHandle:
        """Adopt the running gateway, or start one.

        Raises:
            GatewayError: It cannot be started, such as when its port is taken.
        """
        found = find_gateway(self.folder)
        if found is not None:
            return found
        self.folder.mkdir(parents=True, exist_ok=True)
        handle = start_gateway(self.folder, self.layout, self.listen, self.workers)
        # Clients know the address by now: where the port was free to choose, a gateway started later takes the same.
        self.listen = handle.address
        _LOG.info("gateway_started", extra={"address": handle.address})
        return handle

    def revive(self) -> None:
        """Start the gateway after it was lost; a start that fails is not tried again at once.

        Raises:
            GatewayError: It cannot be started.
        """
        if time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + _REVIVE_PAUSE_S
            self.ensure()

    def routes(self) -> tuple[ServiceRoute, ...] | None:
        """Return the routes as the file holds them now; None where it is unreadable or was never written."""
        table = self._table()
        if table is None or table.epoch == 0:
            return None
        return tuple(sorted((_from_route(name, route) for name, route in table.services.items()), key=lambda route: route.key))

    def write(self, routes: tuple[ServiceRoute, ...]) -> None:
        """Replace the routes, as one step."""
        table = self._table()
        # A file that somebody broke must not take the count of epochs back.
        told = read_status(self.folder).applied_epoch
        epoch = 1 + max(table.epoch if table is not None else 0, told)
        services = {route.key.name: _to_route(route) for route in routes}
        write_routes(self.folder / ROUTES_FILE, RouteTable(epoch=epoch, services=services))

    def view(self) -> GatewayView:
        """Return what the gateway says that it does."""
        if find_gateway(self.folder) is None:
            return GatewayView()
        table, status = self._table(), read_status(self.folder)
        is_applied = table is not None and status.applied_epoch >= table.epoch
        return GatewayView(
            is_up=True,
            applied=is_applied,
            active={name: Digest(s.active.digest) for name, s in status.services.items() if s.active is not None},
            errors={name: s.error for name, s in status.services.items() if s.error},
        )

    def _table(self) -> RouteTable | None:
        try:
            return read_routes(self.folder / ROUTES_FILE)
        except GatewayError:
            return None


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
