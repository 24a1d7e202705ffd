"""``gnomon init``: a small repository that works at once."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Literal

import typer

from gnomon.cli.sample_data import SAMPLE_FILES
from gnomon.errors import RepositoryError, UsageError

Template = Literal["regression", "classification"]

_GIT_DEADLINE_S = 60
_LONGEST_NAME = 63


def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder.")],
    template: Annotated[Template, typer.Option(help="What the example predicts: a number, or a class.")] = "regression",
) -> None:
    """Make a small repository that works at once: data, a model, a service, and the first commit."""
    if shutil.which("git") is None:
        raise UsageError("git is not installed", "install git 2.34 or newer")
    _refuse_occupied(folder)
    try:
        _write(folder, template)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be written: {error.strerror}", "choose a folder of your own") from error
    _commit(folder)
    typer.echo(f"{folder} is ready. Next:\n\n  cd {folder}\n  gnomon validate\n  gnomon up --repo .")


def _refuse_occupied(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", "name a folder")
    if folder.is_dir() and any(entry.name != ".git" for entry in folder.iterdir()):
        raise UsageError(f"{folder} is not empty", "name a new folder, or an empty clone")


def _write(folder: Path, template: Template) -> None:
    name = _name(folder)
    for path, content in _template_files(files("gnomon") / "templates" / template):
        _write_text(folder / path, content.replace("{{name}}", name))
    path, write = SAMPLE_FILES[template]
    _write_text(folder / path, write())


def _template_files(folder: Traversable, parent: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        path = f"{parent}{entry.name}"
        if entry.is_dir():
            yield from _template_files(entry, f"{path}/")
        else:  # A .gitignore inside the package would be one for the package.
            yield (".gitignore" if path == "gitignore" else path), entry.read_text(encoding="utf-8")


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


def _name(folder: Path) -> str:
    """Return the folder's name as a resource may be called."""
    name = re.sub(r"[^a-z0-9]+", "-", folder.resolve().name.lower()).strip("-")
    return name[:_LONGEST_NAME].strip("-") or "project"


def _commit(folder: Path) -> None:
    if not (folder / ".git").exists():
        _git(folder, "init", "-q", "-b", "main")
    # Lets releases arrive on the branch that is checked out here, as long as nothing uncommitted would be lost.
    _git(folder, "config", "receive.denyCurrentBranch", "updateInstead")
    _git(folder, "add", "--all")
    identity = () if _knows_author(folder) else ("-c", "user.name=gnomon", "-c", "user.email=gnomon@localhost")
    _git(folder, *identity, "commit", "-q", "-m", "Declare a dataset, a model and a service")


def _knows_author(folder: Path) -> bool:
    asked = subprocess.run(
        ["git", "var", "GIT_AUTHOR_IDENT"],
        cwd=folder,
        env=_environment(),
        capture_output=True,
        check=False,
        timeout=_GIT_DEADLINE_S,
    )
    return asked.returncode == 0


def _git(folder: Path, *arguments: str) -> None:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_GIT_DEADLINE_S,
        )
    except subprocess.TimeoutExpired as error:
        raise RepositoryError(
            f"git {arguments[0]} in {folder} did not end", "look for hooks that wait for something"
        ) from error
    if done.returncode != 0:
        said = done.stderr.strip() or f"exit code {done.returncode}"
        raise RepositoryError(f"git cannot make a repository of {folder}: {said}", "mend that, empty the folder, and try again")


def _environment() -> dict[str, str]:
    """Return the environment without what would point git at another repository, as inside a hook."""
    pointers = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR", "GIT_PREFIX"}
    return {key: value for key, value in os.environ.items() if key not in pointers}
