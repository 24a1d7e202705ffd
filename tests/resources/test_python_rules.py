import pytest

from gnomon.resources.parse import parse_file

MODEL = """\
apiVersion: gnomon.dev/v1alpha1
kind: Model
metadata: {name: m}
spec:
  task: TASK
  dataset: d
  target: t
  runtime: python
  candidates:
    - CANDIDATE
"""


def _causes(candidate: str, task: str = "regression") -> list[str]:
    (document,) = parse_file(MODEL.replace("TASK", task).replace("CANDIDATE", candidate).encode()).documents
    return [finding.cause for finding in document.findings]


@pytest.mark.parametrize(
    "candidate",
    [
        "{python: 'train.py:fit'}",
        "{name: ours, python: 'models/my-train.py:fit_it', params: {alpha: 2.0, widths: [64, 32]}, search: {depth: [1, 2]}}",
        "{python: 'train.py:fit', search: {alpha: {log: [0.1, 10], n: 3}}}",
    ],
)
def test_functions_are_taken(candidate: str) -> None:
    assert _causes(candidate) == []


@pytest.mark.parametrize(
    ("candidate", "cause"),
    [
        ("{name: ours}", "names nothing to fit"),
        ("{algorithm: python}", "names nothing to fit"),
        ("{algorithm: ridge, python: 'train.py:fit'}", "both the algorithm ridge and a function"),
        ("{python: train.fit}", '"train.fit" names no function'),
        ("{python: 'train.py'}", "names no function"),
        ("{python: '/etc/train.py:fit'}", "leaves the repository"),
        ("{python: '../train.py:fit'}", "leaves the repository"),
        ("{python: 'train.py:fit', params: {a-b: 1}}", 'parameter "a-b"'),
        ("{python: 'train.py:fit', params: {lambda: 1}}", 'parameter "lambda"'),
        ("{python: 'train.py:fit', search: {X: [1]}}", 'parameter "X"'),
    ],
)
def test_what_names_no_function_is_refused_in_its_place(candidate: str, cause: str) -> None:
    (found,) = _causes(candidate)
    assert cause in found


def test_other_tasks_than_those_with_a_target_are_refused() -> None:
    assert any("does not do forecasting" in cause for cause in _causes("{python: 'train.py:fit'}", "forecasting"))
