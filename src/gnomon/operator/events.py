"""Events: what changed, told once, in words. Every decision is an event, for "why did nothing happen" is asked most."""

import logging
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from gnomon.operator.outcomes import Done, Outcome, Stalled, Suspended
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.resources.status import Status
from gnomon.stores.records.interface import Records

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class EventLog:
    """Writes events to records, and to the log."""

    records: Records

    def normal(
        self,
        key: ResourceKey,
        reason: str,
        message: str,
        now: datetime,
        revision: Revision | None = None,
        run: str | None = None,
    ) -> None:
        """Tell that something happened as it should."""
        self._tell("Normal", key, reason, message, now, revision, run)

    def warning(
        self,
        key: ResourceKey,
        reason: str,
        message: str,
        now: datetime,
        revision: Revision | None = None,
        run: str | None = None,
    ) -> None:
        """Tell that somebody should look."""
        self._tell("Warning", key, reason, message, now, revision, run)

    def transition(self, key: ResourceKey, before: Status, outcome: Outcome, now: datetime, revision: Revision) -> None:
        """Tell that a resource's standing changed. Mere progress of the same reason is not told."""
        ready = before.condition("Ready")
        reason = outcome.reason if not isinstance(outcome, Suspended) else "Suspended"
        is_same_reason = ready is not None and ready.reason == reason
        is_settled = isinstance(outcome, Done | Stalled)
        if is_same_reason and not (is_settled and ready is not None and ready.message != outcome.message):
            return
        tell = self.warning if isinstance(outcome, Stalled) else self.normal
        tell(key, reason, outcome.message, now, revision)

    def _tell(
        self,
        event_type: Literal["Normal", "Warning"],
        key: ResourceKey,
        reason: str,
        message: str,
        now: datetime,
        revision: Revision | None,
        run: str | None,
    ) -> None:
        self.records.add_event(event_type, key, reason, message, now, revision, run)
        level = logging.WARNING if event_type == "Warning" else logging.INFO
        _LOG.log(level, "event", extra={"resource": str(key), "reason": reason, "text": message, "run": run})
