from gnomon.resources.learning import Metric
from gnomon.resources.model import Candidate, ModelSpec
from gnomon.training.selection import ranked_reports

REPORTS = [
    {"candidate": "a", "metrics": {"rmse": 3.0, "r2": 0.2, "mae": 2.0}},
    {"candidate": "b", "metrics": {"rmse": 2.0, "r2": 0.4, "mae": 2.0}},
    {"candidate": "c", "metrics": {"rmse": float("nan"), "r2": None}},
]


def ranking(metric: Metric | None) -> list[str]:
    candidates = (Candidate(algorithm="linear"),)
    spec = ModelSpec(task="regression", dataset="d", target="t", candidates=candidates, metric=metric)
    return [report["candidate"] for report in ranked_reports(spec, REPORTS)]


def test_the_lowest_loss_comes_first_and_the_highest_score() -> None:
    assert ranking(None) == ["b", "a"]
    assert ranking("r2") == ["b", "a"]


def test_equal_candidates_keep_their_order() -> None:
    assert ranking("mae") == ["a", "b"]


def test_what_has_no_figure_is_left_out() -> None:
    assert ranking("accuracy") == []
