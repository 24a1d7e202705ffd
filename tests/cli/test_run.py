"""A pipeline of a folder, run here: what people see while they write it."""

import json
from pathlib import Path

import pytest

from gnomon.cli.main import main
from gnomon.cli.run import _param
from gnomon.errors import UsageError

MANIFEST = """\
apiVersion: gnomon.dev/v1alpha1
kind: Pipeline
metadata: {name: weekly}
spec:
  params: {rate: 2}
  inputs: {rides: {dataset: rides}, names: {files: config/*.txt}, one: {files: config/a.txt}}
  steps:
    - {name: clean, python: "steps.py:clean", secrets: [A_TOKEN]}
    - {name: count, command: "sh tools/count.sh {inputs.rides} > {outputs.size}", outputs: [size]}
    - {name: report, python: "steps.py:report"}
---
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {name: rides}
spec: {source: {files: data/*.csv}}
"""
STEPS = """\
import os

def clean(rides, rate, names, one):
    print("token", len(os.environ["A_TOKEN"]))
    return {"minutes": sum(rides["minutes"].to_pylist()) * rate, "names": [each.name for each in names], "one": one.read_text()}

def report(clean, size):
    assert "A_TOKEN" not in os.environ
    return [clean["minutes"], clean["one"], int(size.read_text()) > 0]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    files = {
        "pipeline.yaml": MANIFEST,
        "steps.py": STEPS,
        "tools/count.sh": "wc -c < $1\n",
        "config/a.txt": "a",
        "config/b.txt": "b",
        "data/a.csv": "id,minutes\n1,2\n2,3\n",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(text)
    (tmp_path / ".git").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("A_TOKEN", "not-to-be-seen")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, str]]:
    """Run the pipeline, and return the exit code and the state of each step."""
    capsys.readouterr()
    code = main(["run", "pipeline/weekly", "--local", "-o", "json", *arguments])
    document = json.loads(capsys.readouterr().out)
    return code, {step["name"]: step["state"] for step in document["steps"]}


def test_a_folder_runs_without_an_operator_and_again_only_what_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = {"input:rides": "done", "clean": "done", "count": "done", "report": "done"}
    assert run(capsys) == (0, everything)
    assert run(capsys) == (0, dict.fromkeys(everything, "cached"))

    (folder / "steps.py").write_text(STEPS.replace("def report(clean", "# to be read\ndef report(clean"))
    assert set(run(capsys)[1].values()) == {"cached"}
    (folder / "tools/count.sh").write_text("wc -l < $1\n")
    assert run(capsys)[1] == {"input:rides": "cached", "clean": "cached", "count": "done", "report": "done"}
    assert run(capsys, "--param", "rate=3")[1]["clean"] == "done"

    assert "not-to-be-seen" not in "".join(
        path.read_text("latin-1") for path in (folder / ".gnomon").rglob("*") if path.is_file()
    )
    assert (folder / ".gnomon" / ".gitignore").read_text() == "*\n"


def test_what_goes_wrong_here_is_told_with_its_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "steps.py").write_text(STEPS.replace("    print(", "    raise ValueError(rate)\n    print("))
    assert main(["run", "pipeline/weekly", "--local"]) == 1
    out, err = capsys.readouterr()
    assert "failed: step clean failed: steps.py:4 in clean: ValueError: 2" in out
    assert "==> clean wrote last:" in err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("pipeline/weekli", "--local"), 'there is no pipeline/default/weekli in this folder\n  mend: did you mean "weekly"?'),
        (("pipeline/weekly", "--local", "-p", "rat=1"), 'declares no parameter rat\n  mend: did you mean "rate"?'),
        (("pipeline/weekly", "--local", "-p", "rate"), "--param rate gives no value to a name"),
        (("pipeline/weekly", "--local", "-p", "rate=NaN"), "NaN is no value that can be kept"),
        (("pipeline/weekly", "--local", "nowhere"), "nowhere is not a folder"),
        (("pipeline/weekly", "config"), "config is a folder, and the operator runs what is committed"),
        (("model/weekly", "--local"), "model/weekly is no Pipeline"),
    ],
)
def test_a_wrong_wish_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], told: str
) -> None:
    assert folder.is_dir()
    assert main(["run", *arguments]) in {1, 2}
    assert told in capsys.readouterr().err


def test_a_secret_that_is_not_set_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert folder.is_dir()
    monkeypatch.delenv("A_TOKEN")
    assert main(["run", "pipeline/weekly", "--local"]) == 2
    assert "the environment has no A_TOKEN" in capsys.readouterr().err


def test_validate_tells_what_does_not_fit_the_code(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "steps.py").write_text(STEPS.replace("def report(clean, size)", "def report(clean, sizes)"))
    (folder / "pipeline.yaml").write_text(MANIFEST.replace("config/a.txt", "config/z.txt"))
    assert main(["validate"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pipeline.yaml:10:30: the parameter sizes of report at steps.py:7 is no result")
    assert lines[1].startswith("pipeline.yaml:6:80: spec.inputs.one.files, config/z.txt, matches no file of the commit")


@pytest.mark.parametrize(
    ("text", "value"), [("a=1", 1), ("a=x", "x"), ("a=", ""), ('a={"b": [1]}', {"b": [1]}), ("a=b=c", "b=c"), ("a=true", True)]
)
def test_a_value_is_json_where_it_can_be_read_as_such(text: str, value: object) -> None:
    assert _param(text) == ("a", value)


def test_a_param_without_a_name_is_refused() -> None:
    with pytest.raises(UsageError):
        _param("=1")
