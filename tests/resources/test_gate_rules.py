"""Gates that look at slices: what fits together, and what is told where it does not."""

from typing import Any

import pytest

from gnomon.resources.gate_rules import slice_gate_violations
from gnomon.resources.model import Gate


def causes(**declared: Any) -> list[str]:
    return [found.cause for found in slice_gate_violations(("spec", "gates", 0), Gate.model_validate(declared))]


@pytest.mark.parametrize(
    "declared",
    [
        {"metric": "rmse", "by": "origin", "maxRatio": 1.25, "minRows": 100},
        {"metric": "recall", "by": "sex", "maxGap": "5%"},
        {"metric": "r2", "by": "origin", "min": 0.5},
    ],
)
def test_gates_on_slices_that_make_sense_are_taken(declared: dict[str, Any]) -> None:
    assert causes(**declared) == []


@pytest.mark.parametrize(
    ("declared", "cause"),
    [
        ({"metric": "size", "max": "5MiB"}, "size is measured of the artifact, which has no slices"),
        ({"metric": "rmse"}, "spec.gates[0] sets no condition on the slices of origin"),
        ({"metric": "rmse", "max": 5, "against": "champion"}, "spec.gates[0].against compares two models"),
        ({"metric": "rmse", "max": 5, "confidence": 0.9}, "spec.gates[0].confidence compares two models"),
        ({"metric": "rmse", "maxGap": "5%"}, "rmse is not a share, and maxGap is one"),
    ],
)
def test_what_does_not_fit_slices_is_told(declared: dict[str, Any], cause: str) -> None:
    (found,) = causes(by="origin", **declared)
    assert found.startswith(cause)
