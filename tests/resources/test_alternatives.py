from typing import get_args

import pytest

from gnomon.resources.alternatives import OTHER_NAMES, UNEXPORTED, alternative
from gnomon.resources.learning import ALGORITHMS_BY_TASK, Algorithm, Task
from gnomon.resources.parse import parse_file

MODEL = """apiVersion: gnomon.dev/v1alpha1
kind: Model
metadata: {{name: m}}
spec: {{task: {task}, dataset: d, target: t, candidates: [{{algorithm: {algorithm}}}]}}
"""


def mend(algorithm: str, task: str = "regression") -> str:
    (document,) = parse_file(MODEL.format(algorithm=algorithm, task=task).encode()).documents
    (finding,) = document.findings
    return finding.mend


@pytest.mark.parametrize("task", get_args(Task))
@pytest.mark.parametrize("algorithm", get_args(Algorithm))
def test_the_nearest_algorithm_does_the_task(algorithm: Algorithm, task: Task) -> None:
    assert alternative(algorithm, task) in ALGORITHMS_BY_TASK[task]


def test_the_nearest_of_a_linear_model_is_a_linear_model() -> None:
    assert alternative("lasso", "classification") == "logistic"
    assert alternative("logistic", "regression") == "ridge"
    assert mend("naive-bayes").startswith("the nearest is ridge; ")


@pytest.mark.parametrize("name", UNEXPORTED)
def test_what_has_no_graph_is_refused_with_the_nearest_that_has(name: str) -> None:
    instead, reason = UNEXPORTED[name]
    assert mend(name) == f"write {instead}, the nearest that there is: {name} {reason}"


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_from_elsewhere_is_understood(name: str) -> None:
    assert mend(name.upper()) == f'did you mean "{OTHER_NAMES[name]}"?'


def test_no_name_is_both_refused_and_an_algorithm() -> None:
    assert not (UNEXPORTED.keys() | OTHER_NAMES.keys()) & set(get_args(Algorithm))
    assert not UNEXPORTED.keys() & OTHER_NAMES.keys()
