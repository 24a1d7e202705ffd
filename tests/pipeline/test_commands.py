"""Steps that are programs."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.commands import command_closure, filled, variable
from gnomon.pipeline.dag import Command, Dag, FromStep, Step
from gnomon.runners.processes import ProcessRunner
from tests.pipeline.projects import write
from tests.pipeline.runs import Lab

PYTHON = sys.executable
STEPS = """
    from pathlib import Path
    import numpy as np
    import pyarrow as pa

    def several():
        Path("notes.txt").write_text("read me")
        Path("parts").mkdir()
        Path("parts/a").write_text("A")
        return {
            "figure": 7, "text": b"raw", "table": pa.table({"x": [1, 2]}), "array": np.arange(3), "notes": Path("notes.txt"),
            "parts": Path("parts"),
        }

    def kinds(report, weights, table, notes, folder):
        return [report["n"], float(weights.sum()), table.num_rows, notes.suffix, notes.read_text(),
                sorted(path.name for path in folder.iterdir())]
    """
TOOL = """
    import sys
    import helpers

    def main():
        import later
        print(helpers.VALUE + later.MORE)

    if __name__ == "__main__":
        main()
    """


@pytest.fixture
def lab(tmp_path: Path, runner: ProcessRunner) -> Lab:
    files = {
        "steps.py": STEPS,
        "tools/tool.py": TOOL,
        "tools/helpers.py": "import deeper\nVALUE = deeper.VALUE\n",
        "tools/deeper.py": "VALUE = 1\n",
        "tools/later.py": "MORE = 2\n",
        "tools/unrelated.py": "X = 1\n",
        "data/rows.csv": "a\n1\n",
    }
    write(tmp_path / "project", files)
    return Lab(tmp_path, runner)


def command(lab: Lab, *argv: str, outputs: dict[str, str] | None = None, files: tuple[str, ...] = (), **rest: Any) -> Step:
    return Step("run", Command(lab.project, argv, outputs or {}, files), **rest)


def test_a_program_gets_its_inputs_as_files_and_leaves_results(lab: Lab) -> None:
    script = (
        "echo {params.word} > out.txt; cat {inputs.notes} >> out.txt; cat {inputs.parts}/a >> out.txt;"
        'cat {inputs.figure} "$GNOMON_INPUT_TEXT" >> "$GNOMON_OUTPUT_NOTES";'
        'echo "$GNOMON_PARAM_WORD $GNOMON_SEED {seed}" >> out.txt;'
        "ls {inputs.table} {inputs.array} >> out.txt; ls -A >> out.txt"
    )
    inputs = {name: FromStep("several", name) for name in ("notes", "parts", "figure", "text", "table", "array")}
    step = command(lab, "sh", "-c", script, outputs={"notes": "out.txt"}, inputs=inputs, params={"word": "hello"}, seed=3)
    records = lab.run(Dag((lab.step("several", "several"), step)))
    assert records["run"].error == ""
    told = lab.value(records["run"], "notes").read_text().split("\n")
    assert told[:2] == ["hello", "read meA7rawhello 3 3"]
    assert told[2:5] == ["../inputs/array.npy", "../inputs/table.arrow", "out.txt"]


def test_a_result_is_read_by_the_ending_of_its_file(lab: Lab) -> None:
    script = (
        "import json, pathlib, numpy as np, pyarrow as pa\n"
        "json.dump({{'n': 5}}, open('report.json', 'w')); np.save('weights.npy', np.ones(4))\n"
        "table = pa.table({{'x': [1, 2, 3]}})\n"
        "writer = pa.ipc.new_file('table.arrow', table.schema); writer.write_table(table); writer.close()\n"
        "pathlib.Path('notes.md').write_text('hi'); pathlib.Path('out').mkdir()\n"
        "[pathlib.Path('out', name).touch() for name in 'ab']\n"
    )
    outputs = {"report": "report.json", "weights": "weights.npy", "table": "table.arrow", "notes": "notes.md", "folder": "out"}
    kinds = lab.step("kinds", "kinds", {name: FromStep("run", name) for name in outputs})
    records = lab.run(Dag((command(lab, PYTHON, "-c", script, outputs=outputs), kinds)))
    assert records["kinds"].error == ""
    assert lab.value(records["kinds"]) == [5, 4.0, 3, ".md", "hi", ["a", "b"]]


@pytest.mark.parametrize(
    ("argv", "outputs", "words"),
    [
        (("no-such-program",), {}, "there is no program no-such-program"),
        (("sh", "-c", "echo first; echo 'the disk is red' >&2; exit 3"), {}, "sh ended with exit code 3: the disk is red"),
        (("sh", "-c", "kill -9 $$"), {}, "sh was ended by a signal: Killed"),
        (
            ("sh", "-c", "touch other.txt"),
            {"x": "x.txt"},
            "left no x.txt, which is its output x (write it there; it left other.txt)",
        ),
        (("sh", "-c", "echo nope > x.json"), {"x": "x.json"}, "the output x is not JSON"),
        (("sh", "-c", "echo nope > x.npy"), {"x": "x.npy"}, "the output x is no npy file"),
    ],
)
def test_what_goes_wrong_is_told(lab: Lab, argv: tuple[str, ...], outputs: dict[str, str], words: str) -> None:
    record = lab.run(Dag((command(lab, *argv, outputs=outputs),)))["run"]
    assert record.state == "failed"
    assert words in record.error


@pytest.mark.parametrize(
    ("argv", "rest", "words"),
    [
        ((), {}, "has no program"),
        (("echo", "{inputs.rows}"), {}, "the step has no input rows"),
        (("echo", "{params.nam}"), {"params": {"name": 1}}, "did you mean name"),
        (("echo", "{name}"), {}, r"holds '\{name\}'"),
        (("echo", "{"), {}, "for a brace"),
        (("echo",), {"outputs": {"x": "/etc/passwd"}}, "not inside its working folder"),
        (("echo",), {"outputs": {"x": "a/../../b"}}, "not inside its working folder"),
        (("echo",), {"params": {"a-b": 1, "a_b": 2}}, "share the variable GNOMON_PARAM_A_B"),
    ],
)
def test_a_command_that_cannot_work_is_refused_before_the_first_step(
    lab: Lab, argv: tuple[str, ...], rest: dict[str, Any], words: str
) -> None:
    with pytest.raises(UsageError, match=words):
        lab.run(Dag((command(lab, *argv, **rest),)))
    assert lab.journal.steps("run-1") == []


def test_a_program_sees_its_files_alone_and_cannot_touch_the_project(lab: Lab) -> None:
    script = "find . -type f | sort > list.txt; echo spoiled > data/rows.csv"
    record = lab.run(Dag((command(lab, "sh", "-c", script, outputs={"list": "list.txt"}, files=("data",)),)))["run"]
    assert lab.value(record, "list").read_text().split() == ["./data/rows.csv", "./list.txt"]
    assert (lab.project / "data" / "rows.csv").read_text() == "a\n1\n"


@pytest.mark.parametrize(
    ("file", "runs"),
    [("tools/deeper.py", 1), ("tools/later.py", 1), ("tools/tool.py", 1), ("tools/unrelated.py", 0), ("steps.py", 0)],
)
def test_a_program_runs_again_for_what_its_script_reaches(lab: Lab, file: str, runs: int) -> None:
    dag = Dag((command(lab, PYTHON, "tools/tool.py"),))
    first = lab.run(dag)["run"]
    assert first.state == "done", first.error
    assert first.log is not None
    assert lab.objects.get(first.log) == b"3\n"
    path = lab.project / file
    path.write_text(path.read_text() + "\nMORE_OF_IT = 1\n")
    assert lab.run(dag, "run-2")["run"].state == ("done" if runs else "cached")


def test_the_words_the_outputs_and_the_files_make_the_key(lab: Lab) -> None:
    (lab.project / "run.sh").write_text("exit 0")
    base = Command(lab.project, ("sh", "run.sh", "--rows=data/rows.csv"), {"x": "x"})
    digests = {command_closure(base).digest}
    assert command_closure(base).files == ("data/rows.csv", "run.sh")
    for other in (
        Command(lab.project, ("sh", "run.sh"), {"x": "x"}),
        Command(lab.project, base.argv, {"x": "y"}),
        Command(lab.project, base.argv, {"x": "x"}, ("tools/helpers.py",)),
    ):
        digests.add(command_closure(other).digest)
    (lab.project / "data" / "rows.csv").write_text("a\n2\n")
    digests.add(command_closure(base).digest)
    (lab.project / "run.sh").chmod(0o755)
    digests.add(command_closure(base).digest)
    assert len(digests) == 6


def test_a_module_that_is_run_by_name_brings_its_package(lab: Lab) -> None:
    write(
        lab.project,
        {"pack/__init__.py": "", "pack/__main__.py": "from pack import inner\nprint(inner.X)\n", "pack/inner.py": "X = 9\n"},
    )
    record = lab.run(Dag((command(lab, PYTHON, "-m", "pack"),)))["run"]
    assert record.state == "done", record.error
    assert record.log is not None
    assert lab.objects.get(record.log) == b"9\n"


def test_a_file_that_is_not_there_is_told_with_the_nearest(lab: Lab) -> None:
    record = lab.run(Dag((command(lab, "true", files=("data/row.csv",)),)))["run"]
    assert "there is no data/row.csv" in record.error
    assert "did you mean rows.csv?" in record.error
    with pytest.raises(NotFoundError):
        command_closure(Command(lab.project, ("true",), {}, ("nowhere",)))


def test_placeholders_are_filled_word_by_word() -> None:
    values: dict[str, dict[str, Any]] = {
        "inputs": {"all": ["a", "b c"], "one": "x"},
        "params": {"n": "5"},
        "outputs": {"o": "out/o.txt"},
    }
    words = filled(("run", "{inputs.all}", "--n={params.n}", "{{{inputs.one}}}", "{outputs.o}", "{seed}"), values, 7)
    assert words == ["run", "a", "b c", "--n=5", "{x}", "out/o.txt", "7"]
    with pytest.raises(UsageError, match="stands for several files"):
        filled(("--all={inputs.all}",), values, 0)
    assert variable("inputs", "train rows") == "GNOMON_INPUT_TRAIN_ROWS"


def test_several_inputs_under_one_name_are_several_words(lab: Lab) -> None:
    steps = [lab.step(f"s{number}", "several", params={}) for number in range(2)]
    inputs = {"all": tuple(FromStep(step.name, "notes") for step in steps)}
    step = command(lab, "sh", "-c", 'printf "%s|" "$@" > n.json; echo \'["x"]\' > n.json; cat "$@"', "sh", "{inputs.all}",
                   outputs={"n": "n.json"}, inputs=inputs)  # fmt: skip
    record = lab.run(Dag((*steps, step)))["run"]
    assert record.log is not None
    assert lab.objects.get(record.log) == b"read meread me"
    assert json.dumps(lab.value(record, "n")) == '["x"]'


def test_what_a_program_is_given_is_not_copied(lab: Lab) -> None:
    lab.project.joinpath("steps.py").write_text("import numpy as np\ndef big():\n    return np.zeros(1000)\n")
    step = command(lab, "readlink", "{inputs.big}", inputs={"big": FromStep("big")})
    records = lab.run(Dag((lab.step("big", "big"), step)))
    assert records["run"].log is not None
    assert lab.objects.get(records["run"].log).decode().startswith(str(lab.objects.root))
    assert isinstance(lab.value(records["big"]), np.ndarray)
