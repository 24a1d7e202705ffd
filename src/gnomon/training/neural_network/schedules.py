"""How large the steps are, from the first to the last."""

from typing import Literal

Schedule = Literal["one-cycle", "constant"]

WARM_UP = 0.15
"""Share of the steps in which the rate of ``one-cycle`` rises; what follows falls to 0."""


def rate_at(schedule: Schedule, highest: float, share: float) -> float:
    """Return the learning rate when ``share`` of all steps, above 0 and at most 1, are made with this one.

    ``one-cycle`` rises in a straight line to ``highest``, then falls in one to nothing: large steps in the middle find a
    wide valley, small ones at the end its ground (Smith & Topin 2019, Proc. SPIE 11006).
    """
    if schedule == "constant":
        return highest
    return highest * (share / WARM_UP if share < WARM_UP else (1 - share) / (1 - WARM_UP))
