"""What every controller returns."""

from dataclasses import dataclass

from gnomon.operator.actions import Action
from gnomon.operator.outcomes import Outcome


@dataclass(frozen=True)
class Decision:
    """Where a resource stands, and what is to be done for it now."""

    outcome: Outcome
    actions: tuple[Action, ...] = ()
