"""What docs/features.md tells of the language is true."""

import re
from pathlib import Path

import pytest
import yaml

from gnomon.features.in_python import row_function
from gnomon.resources.dataset import ColumnType
from gnomon.resources.expressions.checker import typed
from gnomon.resources.expressions.functions import FUNCTIONS
from gnomon.resources.expressions.nodes import column
from gnomon.resources.expressions.reader import parse
from gnomon.resources.feature import Feature

PAGE = (Path(__file__).parents[2] / "docs" / "features.md").read_text()
ROW = {
    "distance": 760.0,
    "air_time": 100.0,
    "dep_delay": None,
    "carrier": "AA",
    "gate": None,
    "late": True,
    "scheduled_at": 1_709_249_400_000_000,
}
TYPES: dict[str, ColumnType] = {
    "distance": "float64",
    "air_time": "float64",
    "dep_delay": "float64",
    "carrier": "string",
    "gate": "string",
    "late": "boolean",
    "scheduled_at": "timestamp",
}
NAMES = {name: column(name, kind) for name, kind in TYPES.items()}
LINES = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("| `")]
EXAMPLES = [(cells[2].strip("`"), cells[3]) for cells in LINES if len(cells) == 4 and cells[2]]


@pytest.mark.parametrize(("written", "result"), EXAMPLES)
def test_an_example_comes_to_its_result(written: str, result: str) -> None:
    expected = {"missing": None, "true": True, "false": False}.get(result, result.strip('"'))
    got = row_function(typed(parse(written), NAMES))(ROW)
    assert got == (pytest.approx(float(str(expected))) if isinstance(got, float) else expected)


def test_every_function_is_told_with_its_parameters() -> None:
    told = dict(re.findall(r"`(\w+)\(([^)]*)\)`", "".join(cells[0] for cells in LINES)))
    assert told.keys() >= FUNCTIONS.keys()
    for name, function in FUNCTIONS.items():
        words = re.findall(r"\w+", told[name])
        assert function.least <= len(words) <= max(function.most, function.least + 2), name


def test_the_declarations_are_ones() -> None:
    example = PAGE.split("```yaml\n")[1].split("```")[0]
    for document in yaml.safe_load_all(example):
        for feature in document["spec"]["features"]:
            if not isinstance(feature, str) and "expr" in feature:
                parse(Feature.model_validate(feature).expr or "")
