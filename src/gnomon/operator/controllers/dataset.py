"""Dataset: its source's files become the snapshot that models train on."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from gnomon.operator.actions import TakeSnapshot
from gnomon.operator.controllers.decision import Decision
from gnomon.operator.outcomes import Done, Stalled, Suspended, Waiting
from gnomon.operator.state import Desired, Intake, Observed, SourceFiles
from gnomon.resources.compiled import Declared
from gnomon.resources.dataset import Dataset

_LOOK_AGAIN = timedelta(minutes=10)


def reconcile_dataset(declared: Declared, dataset: Dataset, desired: Desired, observed: Observed, now: datetime) -> Decision:
    """Decide whether the dataset must be read: only when its spec or its files differ from the last reading."""
    intake = observed.intakes.get(dataset.key)
    if dataset.spec.suspend:
        return Decision(Suspended(details=_details(intake)))
    source = desired.sources.get(dataset.key, SourceFiles(error="its source has not been looked at yet"))
    if source.error:
        kept = "; the last good snapshot stays" if intake is not None and intake.snapshot else ""
        return Decision(Stalled("SourceUnavailable", f"{source.error}{kept}", _details(intake)))
    if source.is_pending:
        if intake is None or intake.spec_digest != declared.spec_digest:
            message = f"looking at {dataset.spec.source.spoken}"
            return Decision(Waiting(_LOOK_AGAIN, "LookingForData", message, _details(intake)))
        source = SourceFiles(intake.fingerprint)  # what was read last, until something else is seen
    is_read = intake is not None and (intake.spec_digest, intake.fingerprint) == (declared.spec_digest, source.fingerprint)
    waiting = Waiting(_LOOK_AGAIN, "ReadingData", f"reading {dataset.spec.source.spoken}", _details(intake))
    if dataset.key in observed.intakes_under_way:
        return Decision(waiting)
    read = TakeSnapshot(dataset.key, declared.spec_digest, source.fingerprint)
    if intake is not None and is_read:
        if intake.retry_at:
            return _again_later(intake, datetime.fromisoformat(intake.retry_at), now, waiting, read)
        if intake.error:
            return Decision(Stalled("DataRefused", intake.error, _details(intake)))
        quality = observed.quality.get(dataset.key)
        return Decision(Done("SnapshotTaken", _summary(intake), _details(intake) | _quality(intake, quality)))
    return Decision(waiting, (read,))


def _again_later(intake: Intake, at: datetime, now: datetime, waiting: Waiting, read: TakeSnapshot) -> Decision:
    """Read again what could not be read for no fault of the data, when its time has come."""
    if at <= now:
        return Decision(waiting, (read,))
    message = f"{intake.error}; it is tried again at {at:%Y-%m-%d %H:%M:%S} UTC"
    return Decision(Waiting(at - now, "ReadingInterrupted", message, _details(intake)))


def _summary(intake: Intake) -> str:
    warned = f"; {len(intake.warnings)} warnings: {'; '.join(intake.warnings)}" if intake.warnings else ""
    return f"{intake.rows:,} rows, snapshot {(intake.snapshot or '')[:19]}{warned}"


def _quality(intake: Intake, quality: Mapping[str, Any] | None) -> dict[str, object]:
    """Return what is known of the quality of the snapshot that stands."""
    if quality is None or quality["snapshot"] != intake.snapshot:
        return {}
    return {"quality": {"counts": quality["counts"], "findings": quality["findings"]}}


def _details(intake: Intake | None) -> dict[str, object]:
    if intake is None:
        return {}
    return {"snapshot": intake.snapshot, "rows": intake.rows, "revision": intake.revision, "warnings": list(intake.warnings)}
