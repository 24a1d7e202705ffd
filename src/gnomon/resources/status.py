"""Status of a resource: conditions as the field knows them (kstatus), in one vocabulary."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

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
