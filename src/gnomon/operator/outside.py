"""Sources outside Git: looked at from time to time, or when somebody says that there is new data.

What is looked at is a listing, never an event: one that is lost or doubled costs time, not truth. Object stores are listed in
threads, so that one that does not answer holds nothing else up. A query is not listed: that it is due again makes it new.
"""

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gnomon.data.databases import database_of
from gnomon.data.sources import fingerprint, list_files
from gnomon.errors import GnomonError
from gnomon.operator.state import SourceFiles
from gnomon.resources.canonical import canonical_json
from gnomon.resources.dataset import Dataset, Source
from gnomon.resources.identity import ResourceKey
from gnomon.stores.records.interface import Records

_LOG = logging.getLogger(__name__)
_REFRESH_QUERY = timedelta(hours=1)
_LISTINGS = 4
"""How many object stores are listed at the same time."""
_UNSEEN = SourceFiles(is_pending=True)


@dataclass
class _Look:
    """What was last seen of one source, and when to look again."""

    source: str
    files: SourceFiles = _UNSEEN
    due: datetime | None = None
    is_under_way: bool = False
    is_asked: bool = False


@dataclass
class OutsideSources:
    """The sources outside Git, as they were last seen."""

    records: Records
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    _looks: dict[ResourceKey, _Look] = field(default_factory=dict, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(_LISTINGS, "listing"), init=False)

    def seen(self, datasets: Iterable[Dataset], interval: timedelta) -> dict[ResourceKey, SourceFiles]:
        """Return what is known of the sources; look at those that are due.

        Args:
            datasets: Those with sources outside Git that are declared now.
            interval: How often to look at files for which nothing is declared.
        """
        with self._lock:
            before, self._looks = self._looks, {}
            for dataset in datasets:
                source = dataset.spec.source
                digest = _digest(source, dataset.spec.key)
                look = before.get(dataset.key)
                self._looks[dataset.key] = look = look if look is not None and look.source == digest else _Look(digest)
                if dataset.spec.suspend:
                    continue
                if source.sql is not None:
                    self._see_query(dataset, look)
                elif source.is_remote:
                    self._see_objects(dataset, look, dataset.spec.refresh or interval)
                elif dataset.spec.refresh is None:
                    look.files = _listed(dataset)
                elif self._is_due(look):
                    look.files, look.is_asked = _listed(dataset), False
                    look.due = self.clock() + dataset.spec.refresh
            return {key: look.files for key, look in self._looks.items()}

    def ask(self, key: ResourceKey) -> None:
        """Have a source looked at in the next pass, due or not; for one that is not outside Git, this does nothing."""
        with self._lock:
            if (look := self._looks.get(key)) is not None:
                look.is_asked = True

    def look_again(self, now: datetime) -> timedelta:
        """Return when the next source is due."""
        with self._lock:
            due = [look.due - now for look in self._looks.values() if look.due is not None and not look.is_under_way]
        return min(due, default=timedelta.max)

    def close(self) -> None:
        """Begin no other listing. One under way ends by its own deadlines."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _is_due(self, look: _Look) -> bool:
        return look.is_asked or look.due is None or look.due <= self.clock()

    def _see_query(self, dataset: Dataset, look: _Look) -> None:
        """Make a query new when it is due. When that was outlives the operator, so that a start asks no database."""
        sql = dataset.spec.source.sql
        if sql is None:
            return
        try:
            database_of(sql)
        except GnomonError as error:
            look.files = SourceFiles(error=str(error))
            return
        refresh = dataset.spec.refresh or _REFRESH_QUERY
        name = f"asked/{dataset.key.namespace}/{dataset.key.name}"
        kept = self.records.setting(name) or {}
        asked = datetime.fromisoformat(kept["at"]) if kept.get("source") == look.source else None
        if asked is None or look.is_asked or asked + refresh <= self.clock():
            asked, look.is_asked = self.clock(), False
            self.records.put_setting(name, {"source": look.source, "at": asked.isoformat()})
        look.due = asked + refresh
        look.files = SourceFiles(f"query {look.source} {asked.isoformat()}")

    def _see_objects(self, dataset: Dataset, look: _Look, refresh: timedelta) -> None:
        if self._is_due(look) and not look.is_under_way:
            look.is_under_way, look.is_asked = True, False
            self._pool.submit(self._list_objects, dataset, look, refresh)

    def _list_objects(self, dataset: Dataset, look: _Look, refresh: timedelta) -> None:
        files = SourceFiles(error=f"listing {dataset.spec.source.spoken} failed; the operator's log has the details")
        try:
            files = _listed(dataset)
        except Exception:  # noqa: BLE001 - nobody else would tell of it; the next listing may go well
            _LOG.exception("listing_failed", extra={"resource": str(dataset.key)})
        with self._lock:
            is_news = files != look.files
            look.files, look.due, look.is_under_way = files, self.clock() + refresh, False
            is_news = is_news or look.is_asked
        if is_news:
            self.wake()


def _listed(dataset: Dataset) -> SourceFiles:
    try:
        return SourceFiles(fingerprint(list_files(dataset.spec.source, ())))
    except GnomonError as error:
        return SourceFiles(error=str(error))
    except OSError as error:
        return SourceFiles(error=f"the source {dataset.spec.source.spoken!r} cannot be looked at: {error.strerror}")


def _digest(source: Source, key: tuple[str, ...]) -> str:
    return hashlib.sha256(canonical_json([source.model_dump(mode="json"), list(key)])).hexdigest()[:32]
