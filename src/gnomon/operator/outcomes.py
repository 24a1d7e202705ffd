"""What a reconcile step comes to, and the one place that turns it into conditions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal, assert_never

from gnomon.resources.status import Condition, ConditionType, Status


@dataclass(frozen=True)
class Done:
    """Reality matches what is declared. What comes due later says after how long to ``look_again``."""

    reason: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    look_again: timedelta | None = None


@dataclass(frozen=True)
class Waiting:
    """On its way; look again after ``after`` at the latest."""

    after: timedelta
    reason: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stalled:
    """A person must act: trying again would end the same way. The last good state stays."""

    reason: str
    message: str
    details: Mapping[str, Any] = field(default_factory=dict)
    look_again: timedelta | None = None


@dataclass(frozen=True)
class Suspended:
    """Nothing is changed, because the resource says so."""

    message: str = "suspended by spec.suspend"
    details: Mapping[str, Any] = field(default_factory=dict)


Outcome = Done | Waiting | Stalled | Suspended


def status_of(outcome: Outcome, previous: Status, generation: int, revision: str, now: datetime) -> Status:
    """Return the status that an outcome means. A condition that stays keeps the time of its last change."""
    ready: Literal["True", "False", "Unknown"]
    extra: ConditionType | None = None
    match outcome:
        case Done():
            ready, reason = "True", outcome.reason
        case Waiting():
            ready, reason, extra = "Unknown", outcome.reason, "Reconciling"
        case Stalled():
            ready, reason, extra = "False", outcome.reason, "Stalled"
        case Suspended():
            was = previous.condition("Ready")
            ready, reason = was.status if was is not None else "Unknown", "Suspended"
        case _:
            assert_never(outcome)
    conditions = [_condition("Ready", ready, reason, outcome.message, previous, generation, now)]
    if extra is not None:
        conditions.append(_condition(extra, "True", reason, outcome.message, previous, generation, now))
    return Status(
        observed_generation=generation,
        observed_revision=revision,
        conditions=tuple(conditions),
        details=dict(outcome.details),
    )


def _condition(
    condition_type: ConditionType,
    status: Literal["True", "False", "Unknown"],
    reason: str,
    message: str,
    previous: Status,
    generation: int,
    now: datetime,
) -> Condition:
    before = previous.condition(condition_type)
    since = before.last_transition_time if before is not None and before.status == status else now
    return Condition(condition_type, status, reason, message, since, generation)
