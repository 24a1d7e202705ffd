"""The models of one worker: loaded beside those that serve, and swapped in when they are ready."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from gnomon.errors import GnomonError
from gnomon.inference.encoding import Encoder
from gnomon.inference.loading import LoadedArtifact
from gnomon.inference.worker_process import WorkerPredictor
from gnomon.resources.identity import Digest
from gnomon.serving.http import head
from gnomon.serving.ids import mark_of
from gnomon.serving.metrics import no_counts
from gnomon.serving.oip import ReplyWriter, RequestReader
from gnomon.serving.routes import Route, RouteTable, Target
from gnomon.serving.status import Counts, WorkerService

_LOG = logging.getLogger(__name__)
_REHEARSALS = 3

INLINE_NS = 500_000
"""A prediction that takes longer runs in a thread, so that others need not wait; a hand-over costs some 0.1 ms."""


class Model:
    """A loaded artifact with all that an answer needs of it, so that no answer mixes two versions.

    ``inline_rows`` is how many rows can be answered while others wait, going by how long the golden rows took.
    """

    def __init__(self, artifact: LoadedArtifact) -> None:
        self.artifact = artifact
        self.predict = artifact.predictor.predict
        self.encoder = Encoder(artifact.config.signature)
        self.reader = RequestReader(artifact.config.signature)
        feed = self.encoder.encode(artifact.golden.columns)
        rows = len(next(iter(feed.values())))
        first_row_ns = self._rehearsed({name: matrix[:1] for name, matrix in feed.items()})
        each_more_ns = max(0, self._rehearsed(feed) - first_row_ns) / max(1, rows - 1)
        self.inline_rows = 1 + (INLINE_NS - first_row_ns) / max(1.0, each_more_ns)
        if isinstance(artifact.predictor, WorkerPredictor):
            self.inline_rows = 0  # nobody waits for another process while others wait for this one

    def _rehearsed(self, feed: Mapping[str, NDArray[Any]]) -> int:
        times: list[int] = []
        for _ in range(_REHEARSALS):
            began = time.perf_counter_ns()
            self.predict(feed)
            times.append(time.perf_counter_ns() - began)
        return min(times)


class ServedVersion:
    """A model under a service's name and a version."""

    def __init__(self, service: str, target: Target, model: Model, counts: Counts) -> None:
        self.target = target
        self.model = model
        self.counts = counts
        self.writer = ReplyWriter(service, target.version, model.artifact.config.signature)
        self.digest_line = b"x-gnomon-digest: %b\r\n" % target.digest.encode()
        self.head = head(200, extra=self.digest_line)
        self.mark = mark_of(target.digest)


@dataclass
class ServedService:
    """A service as this worker serves it now. Replaced whole when anything of it changes, but for the counts."""

    name: str
    route: Route
    active: ServedVersion | None
    warm: tuple[ServedVersion, ...]
    error: str | None = None
    counts: dict[str, Counts] = field(default_factory=dict)

    def versions(self) -> tuple[ServedVersion, ...]:
        """Return the loaded versions, the active one first."""
        return (self.active, *self.warm) if self.active else self.warm

    def version(self, name: str) -> ServedVersion | None:
        """Return a loaded version by its name."""
        return next((version for version in self.versions() if version.target.version == name), None)

    def status(self) -> WorkerService:
        """Return what others are told of this service."""
        return WorkerService(
            active=self.active.target if self.active else None,
            warm=[version.target for version in self.warm],
            error=self.error,
            versions=self.counts,
        )


class Models:
    """Follows the route table, level-triggered: ``_refresh`` makes of the table and of what is loaded what serves now.

    A service whose model is loaded switches at once, whatever else is still loading. A target that cannot be loaded leaves
    what served before; it is tried again with the next table.

    Args:
        load: Returns an artifact, verified and rehearsed; called in a thread.
        last_good: What each service was last seen to serve, for when its target cannot be loaded at start.
        changed: Called after every change of ``services``.
    """

    def __init__(
        self, load: Callable[[Digest], LoadedArtifact], last_good: Mapping[str, Target], changed: Callable[[], None]
    ) -> None:
        self.services: dict[str, ServedService] = {}
        self.applied_epoch = -1
        self._load = load
        self._last_good = last_good
        self._changed = changed
        self._table = RouteTable(epoch=-1)
        self._models: dict[str, Model] = {}
        self._failures: dict[str, str] = {}
        self._loader: asyncio.Task[None] | None = None

    def apply(self, table: RouteTable) -> None:
        """Let ``table`` say what is served from now on; what is not loaded yet is loaded in the background."""
        self._table = table
        self._failures.clear()
        self._refresh()
        if self._loader is None or self._loader.done():
            self._loader = asyncio.create_task(self._load_wanted())

    async def settled(self) -> None:
        """Return when everything wanted has been loaded or has failed to."""
        if self._loader is not None:
            await self._loader

    async def _load_wanted(self) -> None:
        while (digest := self._next_wanted()) is not None:
            try:
                began = time.perf_counter()
                self._models[digest] = await asyncio.to_thread(self._loaded, digest)
                _LOG.info("model_loaded", extra={"digest": digest, "took_ms": round((time.perf_counter() - began) * 1000, 1)})
            except GnomonError as error:
                self._failures[digest] = str(error)
                _LOG.warning("model_refused", extra={"digest": digest, "error": str(error)})
            except Exception as error:  # noqa: BLE001 - one artifact must not keep the others from being loaded
                self._failures[digest] = f"{type(error).__name__}: {error}"
                _LOG.exception("model_failed_to_load", extra={"digest": digest})
            self._refresh()

    def _loaded(self, digest: str) -> Model:
        return Model(self._load(Digest(digest)))

    def _next_wanted(self) -> str | None:
        wanted = (target.digest for target in self._wanted())
        return next((digest for digest in wanted if digest not in self._models and digest not in self._failures), None)

    def _wanted(self) -> Iterable[Target]:
        """Yield the targets to load: active ones, then what stands in for those that failed, then warm ones."""
        for route in self._table.services.values():
            if route.active is not None:
                yield route.active
        for name, route in self._table.services.items():
            stand_in = self._stand_in(name, route)
            if stand_in is not None:
                yield stand_in
        for route in self._table.services.values():
            yield from route.warm

    def _stand_in(self, name: str, route: Route) -> Target | None:
        """Return what answers for an active target that cannot be loaded."""
        if route.active is None or route.active.digest not in self._failures:
            return None
        served = self.services.get(name)
        return served.active.target if served and served.active else self._last_good.get(name)

    def _refresh(self) -> None:
        services: dict[str, ServedService] = {}
        for name, route in self._table.services.items():
            services[name] = self._served(name, route, self.services.get(name))
        self.services = services
        used = {target.digest for target in self._wanted()}
        used |= {version.target.digest for service in services.values() for version in service.versions()}
        for digest in self._models.keys() - used:
            del self._models[digest]  # requests under way still hold it
        actives = [route.active.digest for route in self._table.services.values() if route.active]
        if all(digest in self._models or digest in self._failures for digest in actives):
            self.applied_epoch = self._table.epoch
        self._changed()

    def _served(self, name: str, route: Route, before: ServedService | None) -> ServedService:
        counts = before.counts if before else {}

        def loaded(target: Target | None) -> ServedVersion | None:
            model = self._models.get(target.digest) if target else None
            if target is None or model is None:
                return None
            return ServedVersion(name, target, model, counts.setdefault(target.version, no_counts()))

        active = loaded(route.active)
        error = None
        if route.active is not None and active is None:
            reason = self._failures.get(route.active.digest)
            error = f"version {route.active.version} cannot be loaded: {reason}" if reason else None
            active = before.active if before and before.active else loaded(self._stand_in(name, route))
        warm = tuple(version for target in route.warm if (version := loaded(target)) is not None)
        return ServedService(name, route, active, warm, error, counts)
