"""A solver that stops before it is done says so in a warning; here that becomes a fact of the report."""

import warnings
from collections.abc import Callable
from typing import TypeVar

from sklearn.exceptions import ConvergenceWarning

_Result = TypeVar("_Result")


def with_convergence(fit: Callable[[], _Result]) -> tuple[_Result, dict[str, int | bool]]:
    """Return what ``fit`` returns, and whether every solver in it converged, as a report tells it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = fit()
    others = [warning for warning in caught if not issubclass(warning.category, ConvergenceWarning)]
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)
    return result, {"converged": len(others) == len(caught)}
