"""The rows of the benchmark table: ours beside a peer, measured in one run on one machine."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Row:
    """One budget. ``ratio`` is what is compared with ``goal``; ``holds`` is None where the peer could not be measured."""

    group: str
    budget: str
    ours: float | None
    peer: float | None
    limit: float | None
    unit: str
    ratio: float | None
    goal: str
    holds: bool | None
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return the row as plain JSON values."""
        return asdict(self)


def median(values: list[float]) -> float:
    """Return the median of at least one value."""
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
