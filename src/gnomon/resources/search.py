"""How a Model looks for its best candidate: whether candidates race, and what the search may use."""

from datetime import timedelta
from typing import Annotated

from pydantic import Field

from gnomon.resources.base import Strict
from gnomon.resources.quantities import Duration

RACE_ABOVE = 8
"""Candidates above which they race, where ``race`` is not said: fewer are fitted in full about as fast."""

_Positive = Annotated[float | int, Field(gt=0)]


class SearchBudget(Strict):
    """Where the search stops. What comes first counts; fitting the winner anew and judging it come on top."""

    trials: Annotated[int, Field(ge=1)] | None = None
    """Candidates that are tried: so many of those declared, drawn evenly from them by ``split.seed``."""
    time: Duration | None = None
    """Time that the search may take. The result then depends on the machine; the run records what was decided."""
    cost: _Positive | None = None
    """Most that the search may cost, in the currency of ``pricePerCpuHour``."""
    price_per_cpu_hour: _Positive | None = None
    """With ``cost``: what an hour of one processor costs."""

    @property
    def is_open(self) -> bool:
        """Whether it bounds what the search uses while it goes on, rather than how many candidates there are."""
        return self.time is not None or self.cost is not None

    @property
    def most_cpu(self) -> timedelta | None:
        """The processor time that ``cost`` buys."""
        if self.cost is None or self.price_per_cpu_hour is None:
            return None
        return timedelta(hours=min(float(self.cost) / float(self.price_per_cpu_hour), _MOST_HOURS))


class Search(Strict):
    """How the best candidate is found."""

    race: bool | None = None
    """Whether candidates race: all begin with short ensembles, and only those that hold their own are continued.

    The default is a race where there are more than 8 candidates. Without one, each is fitted in full.
    """
    budget: SearchBudget = SearchBudget()
    """Where the search stops."""


_MOST_HOURS = 1e6
"""A century of one processor."""
