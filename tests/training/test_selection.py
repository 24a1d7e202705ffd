import pytest

from gnomon.errors import TrainingError
from gnomon.resources.model import Candidate, Metric, ModelSpec
from gnomon.training.selection import best_report

REPORTS = [
    {"candidate": "a", "metrics": {"rmse": 3.0, "r2": 0.2, "mae": 2.0}},
    {"candidate": "b", "metrics": {"rmse": 2.0, "r2": 0.4, "mae": 2.0}},
]


def spec(metric: Metric | None) -> ModelSpec:
    return ModelSpec(task="regression", dataset="d", target="t", candidates=(Candidate(algorithm="linear"),), metric=metric)


def test_the_lowest_loss_wins_and_the_highest_score() -> None:
    assert best_report(spec(None), REPORTS)["candidate"] == "b"
    assert best_report(spec("r2"), REPORTS)["candidate"] == "b"


def test_of_equal_candidates_the_first_wins() -> None:
    assert best_report(spec("mae"), REPORTS)["candidate"] == "a"


def test_a_metric_that_nobody_has_is_refused() -> None:
    with pytest.raises(TrainingError, match="no candidate has a rocAuc"):
        best_report(spec("rocAuc"), REPORTS)
