"""How far a search is, in words, and about how long it will still take."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gnomon.stores.records.interface import StepRecord

_MINUTE = 60.0
_HOUR = 3600.0


@dataclass
class Clockwork:
    """What steps take, from those of this run and those of an earlier one.

    Args:
        earlier: Seconds that steps took in an earlier run of the model, by name.
    """

    earlier: Mapping[str, float] = field(default_factory=dict)
    _taken: dict[str, float] = field(default_factory=dict)
    _rates: dict[str, list[float]] = field(default_factory=dict)

    def note(self, step: StepRecord, kind: str, size: float) -> None:
        """Learn from a step that ended: of which kind it was, and of how many trees or rounds."""
        if step.state == "done" and step.ended_at is not None:
            seconds = (step.ended_at - step.started_at).total_seconds()
            self._taken[step.name] = seconds
            self._rates.setdefault(kind, []).append(seconds / max(size, 1))

    def seconds(self, name: str, kind: str, size: float) -> float | None:
        """Return about how long a step takes; None where nothing is known yet."""
        if name in self.earlier:
            return self.earlier[name]
        rates = self._rates.get(kind)
        if rates:
            return sum(rates) / len(rates) * max(size, 1)
        if not self._taken:
            return None
        return sum(self._taken.values()) / len(self._taken)


def seconds_left(steps: Iterable[float | None], slots: int) -> float | None:
    """Return about how long steps take that run ``slots`` at a time; None where one of them cannot be told."""
    known = list(steps)
    if any(seconds is None for seconds in known):
        return None
    told = [seconds for seconds in known if seconds is not None]
    return max(sum(told) / max(slots, 1), max(told, default=0.0))


def duration_words(seconds: float) -> str:
    """Return a duration as people say it: ``about 40 s``, ``about 12 min``, ``about 3 h``."""
    if seconds < _MINUTE:
        return f"about {max(5, math.ceil(seconds / 5) * 5)} s"
    if seconds < _HOUR:
        return f"about {round(seconds / _MINUTE)} min"
    return f"about {seconds / _HOUR:.1f} h"


def progress_words(ended: int, total: int, best: tuple[str, str, float] | None, left_s: float | None) -> str:
    """Return a line such as ``23 of 48 candidates, best lightgbm-7 rmse 41.2, about 40 s left``.

    Args:
        ended: Candidates that were measured, or failed.
        total: Candidates that are tried.
        best: Name, metric and value of the best so far.
        left_s: Seconds that the search will still take.
    """
    words = [f"{ended} of {total} candidates"]
    if best is not None:
        words.append(f"best {best[0]} {best[1]} {best[2]:.4g}")
    if left_s is not None:
        words.append(f"{duration_words(left_s)} left")
    return ", ".join(words)
