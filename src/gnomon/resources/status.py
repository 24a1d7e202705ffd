"""Status of a resource: conditions as the field knows them (kstatus), in one vocabulary."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from gnomon.errors import UsageError

ConditionType = Literal["Ready", "Reconciling", "Stalled"]
"""``Ready`` is always present. ``Reconciling`` and ``Stalled`` are present only while they are true."""


@dataclass(frozen=True)
class Condition:
    """One statement about a resource. ``reason`` is one CamelCase word, ``message`` a sentence."""

    type: ConditionType
    status: Literal["True", "False", "Unknown"]
    reason: str
    message: str
    last_transition_time: datetime
    observed_generation: int


@dataclass(frozen=True)
class Status:
    """What is observed of a resource. ``details`` holds what only its kind has, as plain JSON values."""

    observed_generation: int = 0
    observed_revision: str | None = None
    conditions: tuple[Condition, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)

    def condition(self, condition_type: ConditionType) -> Condition | None:
        """Return the condition of that type, if it is present."""
        return next((c for c in self.conditions if c.type == condition_type), None)

    @property
    def is_ready(self) -> bool:
        """Whether ``Ready`` is true."""
        ready = self.condition("Ready")
        return ready is not None and ready.status == "True"


def to_json(status: Status) -> dict[str, Any]:
    """Return a status as people and programs see it: lowerCamelCase keys, times in RFC 3339 and UTC.

    Raises:
        UsageError: A time does not say its zone.
    """
    return {
        "observedGeneration": status.observed_generation,
        "observedRevision": status.observed_revision,
        "conditions": [
            {
                "type": condition.type,
                "status": condition.status,
                "reason": condition.reason,
                "message": condition.message,
                "lastTransitionTime": _rfc3339(condition.last_transition_time),
                "observedGeneration": condition.observed_generation,
            }
            for condition in status.conditions
        ],
        "details": status.details,
    }


def from_json(document: Mapping[str, Any]) -> Status:
    """Return the status that ``to_json`` wrote."""
    return Status(
        observed_generation=document["observedGeneration"],
        observed_revision=document["observedRevision"],
        conditions=tuple(
            Condition(
                type=condition["type"],
                status=condition["status"],
                reason=condition["reason"],
                message=condition["message"],
                last_transition_time=datetime.fromisoformat(condition["lastTransitionTime"]),
                observed_generation=condition["observedGeneration"],
            )
            for condition in document["conditions"]
        ),
        details=document["details"],
    )


def _rfc3339(at: datetime) -> str:
    if at.tzinfo is None:
        raise UsageError(f"the time {at.isoformat()} has no zone", "give an aware datetime, such as datetime.now(UTC)")
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
