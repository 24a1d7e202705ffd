"""What is secret reaches the step that declares it, and nothing that is kept."""

import base64
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.pipeline.dag import Command, Dag, FunctionRef, Step
from gnomon.pipeline.secrets import Censor
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.records.sql import open_sqlite
from tests.pipeline.projects import write
from tests.pipeline.runs import Lab

TOKEN = "tok-en!5f2c81"
STEPS = """
    import os

    def uses():
        value = os.environ["API_TOKEN"]
        print("using", value, flush=True)
        return [len(value), "OTHER_TOKEN" in os.environ, "HOME" in os.environ]

    def fails():
        raise ValueError("refused: " + os.environ["API_TOKEN"])

    def returns():
        return {"token": os.environ["API_TOKEN"]}

    def undeclared():
        return sorted(name for name in os.environ if "TOKEN" in name)
    """


@pytest.fixture
def lab(tmp_path: Path, runner: ProcessRunner, monkeypatch: pytest.MonkeyPatch) -> Lab:
    write(tmp_path / "project", {"steps.py": STEPS})
    monkeypatch.setenv("OTHER_TOKEN", "the operator's own")
    return Lab(tmp_path, runner, open_sqlite(tmp_path / "records.db"))


def test_a_declared_secret_reaches_its_step_and_stands_nowhere(lab: Lab) -> None:
    dag = Dag(
        (
            lab.step("uses", "uses", secrets=("API_TOKEN",)),
            lab.step("fails", "fails", secrets=("API_TOKEN",)),
            lab.step("returns", "returns", secrets=("API_TOKEN",)),
            lab.step("undeclared", "undeclared"),
            Step("tells", Command(lab.project, ("sh", "-c", 'echo "$API_TOKEN"; exit 4')), secrets=("API_TOKEN",)),
        )
    )
    records = lab.run(dag, environ={"API_TOKEN": TOKEN})
    assert lab.value(records["uses"]) == [len(TOKEN), False, True]
    assert lab.value(records["undeclared"]) == []
    assert records["fails"].error == "steps.py:10 in fails: ValueError: refused: ***"
    assert records["returns"].state == "failed"
    assert "holds a secret" in records["returns"].error
    assert "exit code 4: ***" in records["tells"].error
    assert records["uses"].log is not None
    assert lab.objects.get(records["uses"].log) == b"using ***\n"
    lab.journal.close()  # type: ignore[attr-defined]  # it is a database here
    for path in lab.folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert TOKEN.encode() not in content, path
            assert base64.b64encode(TOKEN.encode()) not in content, path


def test_another_value_of_a_secret_is_no_reason_to_run_again_and_another_secret_is(lab: Lab) -> None:
    step = lab.step("uses", "uses", secrets=("API_TOKEN",))
    assert lab.run(Dag((step,)), environ={"API_TOKEN": TOKEN})["uses"].state == "done"
    assert lab.run(Dag((step,)), "run-2", environ={"API_TOKEN": "another"})["uses"].state == "cached"
    more = Step("uses", FunctionRef(lab.project, "steps.py", "uses"), secrets=("API_TOKEN", "HOME"))
    assert lab.run(Dag((more,)), "run-3", environ={"API_TOKEN": TOKEN, "HOME": "/home"})["uses"].state == "done"


def test_a_secret_that_is_not_set_is_named(lab: Lab) -> None:
    record = lab.run(Dag((lab.step("uses", "uses", secrets=("API_TOKEN",)),)), environ={})["uses"]
    assert record.state == "failed"
    assert "declares the secret API_TOKEN, which is not set" in record.error


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.sampled_from(["hunter22", "hunter2", "line one\nline two two", "x", "é€ secret"]), max_size=4),
    st.integers(0, 99),
)
def test_no_value_is_left_in_a_file_wherever_it_stands(
    tmp_path_factory: pytest.TempPathFactory, values: list[str], seed: int
) -> None:
    drawn = random.Random(seed)
    path = tmp_path_factory.mktemp("log") / "log"
    pieces = ["y" * drawn.choice([0, 5, (1 << 20) - 4, 1 << 20]) + value for value in values for _ in range(2)]
    path.write_text("".join(pieces))
    Censor(values).file(path)
    left = path.read_text()
    assert not any(line in left for value in values for line in value.splitlines() if len(line) >= 4)
    assert left.count("y") == sum(piece.count("y") for piece in pieces)
