from typing import get_args

import pytest

from gnomon.resources.learning import TASKS_BY_ALGORITHM, Algorithm
from gnomon.training.parameters import PARAMETERS
from gnomon.training.parity import EXACT, TOLERANT
from tests.training.documented import PAGE, exports


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_the_page_tells_the_tasks_parameters_and_defaults_of_every_algorithm(algorithm: Algorithm) -> None:
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{algorithm}` |"))
    _, _, tasks, parameters, *_ = (cell.strip() for cell in row.split("|"))
    assert tasks == ", ".join(TASKS_BY_ALGORITHM[algorithm])
    told = ", ".join(f"`{name}` ({parameter.default})" for name, parameter in PARAMETERS[algorithm].items())
    assert parameters == (told or "none")


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_the_page_tells_how_every_algorithm_is_exported(algorithm: Algorithm) -> None:
    export = exports()[algorithm]
    assert export.largest_difference <= {"exact": EXACT, "tolerant": TOLERANT}[export.verdict]
    assert export.one_row.endswith(" µs")
    assert export.instead in get_args(Algorithm)
    assert export.instead != algorithm


def test_the_page_tells_of_no_algorithm_that_there_is_not() -> None:
    assert exports().keys() <= set(get_args(Algorithm))
