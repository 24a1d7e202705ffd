"""Indexing snapshots by event time, in a thread of its own: one scan of each new file, never in a pass."""

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gnomon.data.snapshot import Snapshot
from gnomon.data.window_index import SnapshotIndex, index_snapshot
from gnomon.errors import GnomonError
from gnomon.operator.actions import IndexRequest
from gnomon.operator.state import Indexed
from gnomon.resources.identity import Digest
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records

_LOG = logging.getLogger(__name__)
_RETRY = timedelta(minutes=1)


@dataclass
class IndexJobs:
    """Indexes snapshots, one after another, and tells what is known."""

    records: Records
    objects: ObjectStore
    clock: Callable[[], datetime]
    wake: Callable[[], None]
    _under_way: set[IndexRequest] = field(default_factory=set, init=False)
    _loaded: dict[IndexRequest, SnapshotIndex] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)
    _pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "index"), init=False)

    def under_way(self) -> frozenset[IndexRequest]:
        """Return what is being indexed or waits to be."""
        with self._lock:
            return frozenset(self._under_way)

    def start(self, request: IndexRequest, snapshot: Digest) -> None:
        """Index a snapshot."""
        with self._lock:
            if request in self._under_way:
                return
            self._under_way.add(request)
        self._pool.submit(self._index, request, snapshot)

    def found(self, request: IndexRequest) -> Indexed | None:
        """Return what was last found."""
        kept: Mapping[str, Any] | None = self.records.setting(request.name)
        if kept is None:
            return None
        snapshot = Digest(kept["snapshot"])
        if kept["index"] is None:
            return Indexed(snapshot, None, kept["error"], kept["retryAt"])
        try:
            return Indexed(snapshot, self._load(request, Digest(kept["index"])))
        except GnomonError as error:
            # What is lost is made again: a request without an answer is asked anew.
            _LOG.warning("index_lost", extra={"resource": str(request.dataset), "cause": error.cause})
            return None

    def close(self) -> None:
        """Wait for the indexing under way, and begin no other."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _load(self, request: IndexRequest, digest: Digest) -> SnapshotIndex:
        loaded = self._loaded.get(request)
        if loaded is None or loaded.digest != digest:
            loaded = SnapshotIndex.from_json(digest, self.objects.get(digest))
            self._loaded[request] = loaded
        return loaded

    def _index(self, request: IndexRequest, digest: Digest) -> None:
        try:
            before: Mapping[str, Any] = self.records.setting(request.name) or {}
            known: Mapping[str, Digest] = before.get("known", {})
            kept: dict[str, Any] = {"snapshot": digest, "index": None, "error": "", "retryAt": "", "known": dict(known)}
            try:
                snapshot = Snapshot.from_json(self.objects.get(digest))
                index, now_known = index_snapshot(snapshot, request.time, request.grid, self.objects, known)
                kept |= {"index": index.digest, "known": dict(now_known)}
            except (GnomonError, OSError) as error:
                _LOG.warning("index_failed", extra={"resource": str(request.dataset), "cause": str(error)})
                kept |= {"error": str(error), "retryAt": (self.clock() + _RETRY).isoformat()}
            self.records.put_setting(request.name, kept)
        except Exception:  # noqa: BLE001 - nobody else would tell of it; the next pass asks again
            _LOG.exception("index_lost", extra={"resource": str(request.dataset)})
        finally:
            with self._lock:
                self._under_way.discard(request)
            self.wake()
