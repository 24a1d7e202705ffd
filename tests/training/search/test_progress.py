from datetime import UTC, datetime, timedelta

import pytest

from gnomon.stores.records.interface import StepRecord
from gnomon.training.search.progress import Clockwork, duration_words, progress_words, seconds_left

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def took(name: str, seconds: float) -> StepRecord:
    return StepRecord("run", name, 1, "key", "done", "process", NOON, NOON + timedelta(seconds=seconds))


def test_progress_is_told_in_one_line() -> None:
    assert (
        progress_words(23, 48, ("lightgbm-7", "rmse", 41.1999), 38)
        == "23 of 48 candidates, best lightgbm-7 rmse 41.2, about 40 s left"
    )
    assert progress_words(0, 48, None, None) == "0 of 48 candidates"


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.2, "about 5 s"), (38, "about 40 s"), (300, "about 5 min"), (3 * 3600 + 1200, "about 3.3 h")]
)
def test_durations_are_rounded_as_people_say_them(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_a_step_takes_as_long_as_in_an_earlier_run_else_as_its_like_in_this_one() -> None:
    clockwork = Clockwork({"fit-a": 12.0})
    assert clockwork.seconds("fit-b.40", "lightgbm", 40) is None
    clockwork.note(took("fit-b.10", 2), "lightgbm", 10)
    clockwork.note(took("fit-c", 4), "ridge", 1)
    assert clockwork.seconds("fit-a", "ridge", 1) == 12
    assert clockwork.seconds("fit-b.40", "lightgbm", 30) == pytest.approx(6)
    assert clockwork.seconds("fit-d", "linear", 1) == pytest.approx(3), "of another kind: the mean of all"


def test_what_came_from_the_cache_teaches_nothing_of_time() -> None:
    clockwork = Clockwork()
    cached = StepRecord("run", "fit", 1, "key", "cached", "process", NOON, NOON)
    clockwork.note(cached, "ridge", 1)
    assert clockwork.seconds("fit-a", "ridge", 1) is None


def test_slots_share_what_is_left_but_no_step_is_split() -> None:
    assert seconds_left([10, 10, 10, 10], 2) == 20
    assert seconds_left([30, 1], 2) == 30
    assert seconds_left([], 2) == 0
    assert seconds_left([1, None], 2) is None
