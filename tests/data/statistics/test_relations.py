import numpy as np
import polars as pl
import pytest
from scipy import stats

from gnomon.data.snapshot import SnapshotColumn
from gnomon.data.statistics.relations import relations
from gnomon.data.statistics.scan import figures
from gnomon.resources.dataset import ColumnType

RNG = np.random.default_rng(11)
ROWS = 800
SIGNAL = RNG.normal(size=ROWS)
TYPES: dict[str, ColumnType] = {
    "y": "float64",
    "copy": "float64",
    "cube": "float64",
    "noise": "float64",
    "level": "string",
    "coin": "string",
    "constant": "float64",
    "label": "string",
}


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, float]]:
    rows = pl.DataFrame(
        {
            "y": SIGNAL,
            "copy": SIGNAL * 3 + 1,
            "cube": SIGNAL**3,
            "noise": RNG.normal(size=ROWS),
            "level": np.where(SIGNAL > 0, "high", "low"),
            "coin": RNG.choice(["head", "tail"], ROWS),
            "constant": np.ones(ROWS),
            "label": np.where(SIGNAL > 0, "yes", "no"),
        }
    )
    made = figures(rows.lazy(), [SnapshotColumn(name, kind, nullable=False) for name, kind in TYPES.items()])
    return {target: {one.column: one.value for one in relations(made, target)} for target in ("y", "label")}


def test_a_copy_and_a_rising_function_of_the_target_tell_it_whole(found: dict[str, dict[str, float]]) -> None:
    assert found["y"]["copy"] == pytest.approx(1)
    assert found["y"]["cube"] == pytest.approx(1)
    assert found["label"]["level"] == pytest.approx(1, abs=0.01)


def test_what_has_nothing_to_do_with_the_target_tells_next_to_nothing(found: dict[str, dict[str, float]]) -> None:
    assert abs(found["y"]["noise"]) < 0.12
    assert found["y"]["coin"] < 0.12
    assert found["label"]["coin"] < 0.12


def test_the_strongest_come_first_and_constants_are_left_out(found: dict[str, dict[str, float]]) -> None:
    strengths = [abs(value) for value in found["y"].values()]
    assert strengths == sorted(strengths, reverse=True)
    assert "constant" not in found["y"]
    assert "y" not in found["y"]


def test_rank_correlation_is_that_of_scipy() -> None:
    one, two = RNG.integers(0, 9, 300).astype(float), RNG.integers(0, 9, 300).astype(float)
    # Equal rows would be one row of the sample: a third column tells them apart.
    rows = pl.DataFrame({"a": one, "b": two, "row": np.arange(300.0)})
    made = figures(rows.lazy(), [SnapshotColumn(name, "float64", nullable=False) for name in ("a", "b", "row")])
    (relation,) = [each for each in relations(made, "b") if each.column == "a"]
    assert relation.value == pytest.approx(stats.spearmanr(one, two).statistic, abs=1e-6)
    assert relation.pearson == pytest.approx(stats.pearsonr(one, two).statistic, abs=1e-6)
