"""Which part of a key changed."""

from pathlib import Path
from typing import Any

import pytest

from gnomon.errors import NotFoundError
from gnomon.pipeline.dag import Dag, Environment, FromStep
from gnomon.pipeline.why import Explanation, explain
from gnomon.runners.processes import ProcessRunner
from tests.pipeline.projects import write
from tests.pipeline.runs import Lab

FILES = {
    "steps.py": """
        import helpers

        def made(n):
            return helpers.scaled(n)

        def used(value, word):
            return [value, word]

        def broken(n):
            raise ValueError(n)
        """,
    "helpers.py": """
        FACTOR = 2

        def scaled(n):
            return n * FACTOR
        """,
}


@pytest.fixture
def lab(tmp_path: Path, runner: ProcessRunner) -> Lab:
    write(tmp_path / "project", FILES)
    return Lab(tmp_path, runner)


def steps(lab: Lab, *, n: int = 3, word: str = "a", **rest: Any) -> Dag:
    made = lab.step("made", "made", params={"n": n}, **rest)
    return Dag((made, lab.step("used", "used", {"value": FromStep("made")}, params={"word": word})))


def why(lab: Lab, step: str, run: str = "run-2") -> Explanation:
    return explain(lab.journal, run, step, ["run-1"])


def test_a_step_that_never_ran_says_so(lab: Lab) -> None:
    lab.run(steps(lab))
    assert explain(lab.journal, "run-1", "made", []).verdict == "first"
    assert explain(lab.journal, "run-1", "made", ["no-such-run"]).message == "made: it never ran before"


def test_a_step_of_which_nothing_changed_says_so(lab: Lab) -> None:
    lab.run(steps(lab))
    lab.run(steps(lab), "run-2")
    assert (why(lab, "made").verdict, why(lab, "made").changes) == ("known", ())


@pytest.mark.parametrize(
    ("file", "old", "new", "part"),
    [
        ("helpers.py", "FACTOR = 2", "FACTOR = 3", "helpers.py:FACTOR"),
        ("helpers.py", "n * FACTOR", "FACTOR * n", "helpers.py:scaled"),
        ("steps.py", "helpers.scaled(n)", "helpers.scaled(n + 1)", "steps.py:made"),
    ],
)
def test_a_change_of_the_code_is_told_by_name(lab: Lab, file: str, old: str, new: str, part: str) -> None:
    lab.run(steps(lab))
    path = lab.project / file
    path.write_text(path.read_text().replace(old, new))
    lab.run(steps(lab), "run-2")
    told = why(lab, "made")
    assert told.verdict == "changed"
    assert [(change.kind, change.name) for change in told.changes] == [("code", part)]
    assert told.message == f"made: {part} changed (compared with run run-1)"


def test_a_new_helper_and_one_that_is_gone_are_told(lab: Lab) -> None:
    lab.run(steps(lab))
    write(lab.project, {"helpers.py": "def scaled(n):\n    return n * 2 * other()\n\ndef other():\n    return 1\n"})
    lab.run(steps(lab), "run-2")
    assert [str(change) for change in why(lab, "made").changes] == [
        "helpers.py:FACTOR is gone",
        "helpers.py:other is new",
        "helpers.py:scaled changed",
    ]


def test_a_parameter_and_the_result_of_the_step_before_are_told(lab: Lab) -> None:
    lab.run(steps(lab))
    lab.run(steps(lab, n=4, word="b"), "run-2")
    assert why(lab, "made").message == "made: the parameter n is 4 and was 3 (compared with run run-1)"
    assert [str(change) for change in why(lab, "used").changes] == [
        "the parameter word is 'b' and was 'a'",
        "the input value, the result of made, has another content",
    ]
    assert why(lab, "used").to_json()["changes"][1]["step"] == "made"


def test_the_seed_and_what_a_step_declares_are_told(lab: Lab) -> None:
    lab.run(steps(lab))
    lab.run(steps(lab, seed=5, secrets=("HOME",)), "run-2", environ={"HOME": "/"})
    assert [(change.kind, change.name) for change in why(lab, "made").changes] == [("setting", "secrets"), ("seed", "seed")]


def test_another_environment_is_told(lab: Lab) -> None:
    lab.run(steps(lab))
    gone = Environment(lab.folder / "no" / "bin" / "python", "abc")
    record = lab.run(steps(lab, environment=gone), "run-2")["made"]
    assert "cannot be started" in record.error
    assert ("environment", "environment") in {(change.kind, change.name) for change in why(lab, "made").changes}


def test_a_step_that_failed_is_tried_again_and_one_after_it_never_started(lab: Lab) -> None:
    broken = lab.step("broken", "broken", params={"n": 1})
    dag = Dag((broken, lab.step("used", "used", {"value": FromStep("broken")}, params={"word": "a"})))
    lab.run(dag)
    lab.run(dag, "run-2")
    assert why(lab, "broken").verdict == "again"
    assert "it ended as failed in run run-1" in why(lab, "broken").message
    assert why(lab, "used").verdict == "unstarted"
    assert "broken, which it depends on" in why(lab, "used").message


def test_going_back_finds_the_result_and_says_what_changed(lab: Lab) -> None:
    lab.run(steps(lab, n=1), "run-0")
    lab.run(steps(lab, n=2), "run-1")
    lab.run(steps(lab, n=1), "run-2")
    told = why(lab, "made")
    assert told.verdict == "changed"
    assert told.message.startswith("made: the parameter n is 1 and was 2; its result was known all the same")


def test_a_step_that_is_not_there_is_told_with_the_nearest(lab: Lab) -> None:
    lab.run(steps(lab))
    with pytest.raises(NotFoundError, match="run run-1 has no step mode"):
        explain(lab.journal, "run-1", "mode", [])


def test_what_importing_a_module_does_is_told_where_no_name_of_it_changed(lab: Lab) -> None:
    lab.run(steps(lab))
    path = lab.project / "helpers.py"
    path.write_text("print('hello')\n" + path.read_text())
    lab.run(steps(lab), "run-2")
    assert [str(change) for change in why(lab, "made").changes] == ["what importing helpers.py does changed"]
