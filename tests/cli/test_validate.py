import json
import os
from pathlib import Path

import pytest

from gnomon.cli.main import main
from gnomon.cli.manifest_files import _read
from gnomon.errors import UsageError

HEAD = "apiVersion: gnomon.dev/v1alpha1\n"
DATASET = f"{HEAD}kind: Dataset\nmetadata: {{name: d}}\nspec: {{source: {{files: a.csv}}}}\n"
MODEL = f"""{HEAD}kind: Model
metadata: {{name: m}}
spec:
  task: regression
  dataset: d
  target: t
  candidates: [{{algorithm: ridge, search: {{alpha: [1, 2]}}}}]
"""
BROKEN = f"{HEAD}kind: Service\nmetadata: {{name: s}}\nspec: {{modle: m}}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one dataset and one model, as the current folder."""
    (tmp_path / ".git").mkdir()
    for path, text in {"datasets/d.yaml": DATASET, "models/m.yaml": MODEL}.items():
        (tmp_path / path).parent.mkdir()
        (tmp_path / path).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_good_folder_is_told_in_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.is_dir()
    assert main(["validate"]) == 0
    assert capsys.readouterr() == ("2 resources, no problems\n", "")


def test_every_problem_has_its_place(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.yaml").write_text(BROKEN)
    assert main(["validate", "."]) == 1
    assert capsys.readouterr().out.splitlines() == [
        's.yaml:4:1: spec.model is missing (add "model" to spec)',
        's.yaml:4:8: "modle" is not a key of spec (did you mean "model"?)',
        "2 problems in 1 file; 2 resources without",
    ]


def test_problems_are_printed_for_programs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "s.yaml").write_text(BROKEN)
    assert main(["validate", "-o", "json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["resources"] == 2
    assert document["problems"][1] == {
        "path": "s.yaml",
        "line": 4,
        "column": 8,
        "resource": "service/default/s",
        "cause": '"modle" is not a key of spec',
        "mend": 'did you mean "model"?',
    }


def test_a_single_file_is_checked_against_the_whole_repository(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "s.yaml").write_text(BROKEN)
    monkeypatch.chdir(folder / "datasets")
    assert main(["validate", "../models/m.yaml"]) == 0
    assert capsys.readouterr().out == "1 resource, no problems\n"
    (folder / "models/m.yaml").write_text(MODEL.replace("dataset: d", "dataset: e"))
    assert main(["validate", "../models"]) == 1
    assert capsys.readouterr().out.startswith(f"..{os.sep}models{os.sep}m.yaml:6:12: there is no Dataset")


def test_parameters_of_algorithms_are_checked_too(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "models/m.yaml").write_text(MODEL.replace("{alpha", "{alhpa"))
    assert main(["validate"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("models/m.yaml:8:15: ")
    assert "alhpa" in out
    assert "alpha" in out


def test_dot_folders_links_and_other_yaml_are_passed_over(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "s.yaml").write_text(BROKEN)
    (folder / "link.yaml").symlink_to(folder / "datasets/d.yaml")
    (folder / "loop").symlink_to(folder)
    (folder / "compose.yaml").write_text("a: {{ b }}")
    assert main(["validate"]) == 0
    assert capsys.readouterr().out == "2 resources, no problems\n"


def test_a_folder_without_manifests_is_no_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\n")
    assert main(["validate", str(tmp_path)]) == 1
    assert "there are no manifests" in capsys.readouterr().err


def test_a_path_that_is_not_there_is_a_wrong_argument(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", str(tmp_path / "nowhere")]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err


def test_a_file_that_is_too_large_is_told_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "large.yaml").write_text(DATASET.replace("{name: d}", "{name: large}") + "#" * 2**20)
    assert main(["validate"]) == 1
    assert capsys.readouterr().out.startswith("large.yaml: the file has more than 1,048,576 bytes")


def test_what_cannot_be_read_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        _read(tmp_path, "a.yaml")
