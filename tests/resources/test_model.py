"""What a manifest may name, and what the rooms that carry it out can do, are told in several places; they agree."""

import pytest

from gnomon.evaluation.metrics import METRICS, metrics_of
from gnomon.resources import rules
from gnomon.resources.learning import ALGORITHMS_BY_TASK, METRICS_BY_TASK, TASKS_BY_ALGORITHM, Task
from gnomon.resources.model import Candidate, Range
from gnomon.training.candidates import MAX_CANDIDATES
from gnomon.training.parameters import PARAMETERS


@pytest.mark.parametrize("task", ALGORITHMS_BY_TASK)
def test_every_algorithm_that_a_task_allows_can_be_trained(task: Task) -> None:
    assert set(ALGORITHMS_BY_TASK[task]) == {algorithm for algorithm, tasks in TASKS_BY_ALGORITHM.items() if task in tasks}
    assert set(ALGORITHMS_BY_TASK[task]) <= PARAMETERS.keys()


@pytest.mark.parametrize("task", METRICS_BY_TASK)
def test_every_metric_that_a_task_allows_can_be_measured(task: Task) -> None:
    assert METRICS_BY_TASK[task] == tuple(info.name for info in metrics_of(task))
    assert set(METRICS_BY_TASK[task]) <= METRICS.keys()


def test_the_most_candidates_are_the_same_everywhere() -> None:
    assert rules.MAX_CANDIDATES == MAX_CANDIDATES


def test_combinations_are_counted() -> None:
    assert Candidate(algorithm="ridge").combinations == 1
    searched = Candidate(algorithm="ridge", search={"alpha": (1, 2, 3), "beta": Range(log=(1, 2), n=4)})
    assert searched.combinations == 12
