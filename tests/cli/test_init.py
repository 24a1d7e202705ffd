import os
import subprocess
from pathlib import Path

import pytest

from gnomon.cli.main import main
from gnomon.cli.sample_data import SAMPLE_FILES


@pytest.fixture(autouse=True)
def _nobody_in_particular(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git without the configuration of this machine and its people."""
    for name in [name for name in os.environ if name.startswith("GIT_") or name == "EMAIL"]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


@pytest.mark.parametrize("template", SAMPLE_FILES)
def test_a_new_repository_is_whole_valid_and_committed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, template: str
) -> None:
    folder = tmp_path / "My Models"
    assert main(["init", str(folder), "--template", template]) == 0
    assert capsys.readouterr().out.splitlines()[2:] == [f"  cd {folder}", "  gnomon validate", "  gnomon up --repo ."]
    assert git(folder, "status", "--porcelain") == ""
    assert git(folder, "symbolic-ref", "HEAD") == "refs/heads/main"
    tracked = git(folder, "ls-files").splitlines()
    assert {".gitignore", "README.md", "gnomon.yaml", SAMPLE_FILES[template][0]} <= set(tracked)
    assert "{{" not in "".join((folder / path).read_text() for path in tracked)
    monkeypatch.chdir(folder)
    assert main(["validate"]) == 0
    assert capsys.readouterr().out == "4 resources, no problems\n"
    assert "name: my-models" in (folder / "gnomon.yaml").read_text()


def test_releases_can_be_pushed_to_the_branch_that_is_checked_out(tmp_path: Path) -> None:
    folder, clone = tmp_path / "a", tmp_path / "b"
    assert main(["init", str(folder)]) == 0
    git(tmp_path, "clone", "-q", str(folder), str(clone))
    (clone / "releases").mkdir()
    (clone / "releases" / "r.yaml").write_text("a: 1\n")
    git(clone, "add", "-A")
    git(clone, "-c", "user.name=x", "-c", "user.email=x@y", "commit", "-q", "-m", "release")
    git(clone, "push", "-q", "origin", "HEAD:main")
    assert (folder / "releases" / "r.yaml").read_text() == "a: 1\n"


def test_the_commit_is_by_the_person_whom_git_knows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("GIT_AUTHOR_EMAIL", "ada@example.com")
    monkeypatch.setenv("GIT_COMMITTER_NAME", "Ada")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ada@example.com")
    assert main(["init", str(tmp_path / "a")]) == 0
    assert git(tmp_path / "a", "log", "--format=%an %ae") == "Ada ada@example.com"


def test_an_empty_clone_is_filled(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "trunk", "a")
    assert main(["init", str(tmp_path / "a")]) == 0
    assert git(tmp_path / "a", "symbolic-ref", "HEAD") == "refs/heads/trunk"


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    assert "is not empty" in capsys.readouterr().err
    assert main(["init", str(tmp_path / "a")]) == 2
    assert "is a file" in capsys.readouterr().err
    assert [entry.name for entry in tmp_path.iterdir()] == ["a"]


def test_a_place_where_nothing_can_be_written_is_told_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").write_text("mine")
    assert main(["init", str(tmp_path / "a" / "b")]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_a_machine_without_git_is_told_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["init", str(tmp_path / "a")]) == 2
    assert "git is not installed" in capsys.readouterr().err
    assert not (tmp_path / "a").exists()


def test_what_git_refuses_is_told_in_its_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / ".git").write_text("gitdir: /nowhere\n")
    assert main(["init", str(tmp_path / "a")]) == 1
    assert "not a git repository" in capsys.readouterr().err
