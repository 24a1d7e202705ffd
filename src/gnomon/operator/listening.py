"""Others may be told what goes on: when data is read, and when runs and their steps start and end. They cannot hold it up."""

import logging
from collections.abc import Callable
from typing import Protocol

from gnomon.data.snapshot import Snapshot
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Revision
from gnomon.stores.records.interface import RunRecord, SnapshotRecord, StepRecord

_LOG = logging.getLogger(__name__)


class Listener(Protocol):
    """Told of things from the threads in which they happen: returns at once."""

    def intake_started(self, dataset: Dataset, revision: Revision) -> None:
        """A dataset is going to be read."""
        ...

    def intake_ended(
        self, dataset: Dataset, revision: Revision, taken: tuple[SnapshotRecord, Snapshot] | None, error: str
    ) -> None:
        """A dataset was read, or could not be."""
        ...

    def run_started(self, run: RunRecord, *, is_resumed: bool) -> None:
        """A run starts, or goes on after an interruption."""
        ...

    def run_ended(self, run: RunRecord) -> None:
        """A run came to its end."""
        ...

    def step_changed(self, run: RunRecord, step: StepRecord) -> None:
        """An attempt at a step started or ended."""
        ...


class Silence:
    """Listens to nothing."""

    def intake_started(self, dataset: Dataset, revision: Revision) -> None:
        """Take no notice."""

    def intake_ended(
        self, dataset: Dataset, revision: Revision, taken: tuple[SnapshotRecord, Snapshot] | None, error: str
    ) -> None:
        """Take no notice."""

    def run_started(self, run: RunRecord, *, is_resumed: bool) -> None:
        """Take no notice."""

    def run_ended(self, run: RunRecord) -> None:
        """Take no notice."""

    def step_changed(self, run: RunRecord, step: StepRecord) -> None:
        """Take no notice."""


def hear_nothing(_: StepRecord) -> None:
    """Take no notice of a step."""


def tell(news: Callable[[], None]) -> None:
    """Tell a listener; a fault of its own ends nobody's work."""
    try:
        news()
    except Exception:  # noqa: BLE001 - whoever listens is no part of the work that is told of
        _LOG.exception("listener_failed")
