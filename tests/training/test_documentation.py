from pathlib import Path

import pytest

from gnomon.resources.model import TASKS_BY_ALGORITHM, Algorithm
from gnomon.training.parameters import PARAMETERS

PAGE = Path(__file__).parents[2] / "docs" / "training.md"


@pytest.mark.parametrize("algorithm", PARAMETERS)
def test_the_page_tells_the_tasks_parameters_and_defaults_of_every_algorithm(algorithm: Algorithm) -> None:
    (row,) = (line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{algorithm}` |"))
    _, _, tasks, parameters, *_ = (cell.strip() for cell in row.split("|"))
    assert tasks == ", ".join(TASKS_BY_ALGORITHM[algorithm])
    told = ", ".join(f"`{name}` ({parameter.default})" for name, parameter in PARAMETERS[algorithm].items())
    assert parameters == (told or "none")
