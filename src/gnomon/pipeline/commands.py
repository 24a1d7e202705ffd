"""What a command says: the placeholders in its words, and the files of the project that it gets and that make its key."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Any

from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.closure import Closure, digest_of_parts
from gnomon.pipeline.dag import Command, Step
from gnomon.pipeline.naming import nearest
from gnomon.pipeline.project import Project
from gnomon.pipeline.walk import Walk

_GROUPS = ("inputs", "params", "outputs")
_HOLE = re.compile(r"\{\{|\}\}|\{(?P<group>inputs|params|outputs)\.(?P<name>[^{}]+)\}|\{(?P<seed>seed)\}|\{[^{}]*\}?|\}")
_LIST = re.compile(r"\{inputs\.(?P<name>[^{}]+)\}")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]+")


def check_command(step: Step, command: Command) -> None:
    """Refuse a command whose words name what it has not, or that leaves its results elsewhere.

    Raises:
        UsageError: The cause says what is wrong with it.
    """
    if not command.argv or not command.argv[0]:
        raise UsageError(f"step {step.name} has no program", "give a command such as [python, report.py]")
    known = {"inputs": step.inputs, "params": step.params, "outputs": command.outputs}
    for word in command.argv:
        for match in _HOLE.finditer(word):
            _check_hole(step, match, known)
    for name, file in command.outputs.items():
        path = PurePosixPath(file)
        if path.is_absolute() or ".." in path.parts or not path.parts:
            raise UsageError(
                f"the output {name} of step {step.name} is {file!r}, which is not inside its working folder",
                "give a relative path",
            )
    for group, names in known.items():
        variables: dict[str, str] = {}
        for name in names:
            other = variables.setdefault(variable(group, name), name)
            if other != name:
                raise UsageError(
                    f"{group} {other} and {name} of step {step.name} share the variable {variable(group, name)}",
                    "rename one of them",
                )


def _check_hole(step: Step, match: re.Match[str], known: Mapping[str, Collection[str]]) -> None:
    if match[0] in {"{{", "}}"} or match["seed"]:
        return
    group, name = match["group"], match["name"]
    if group is None:
        raise UsageError(
            f"the command of step {step.name} holds {match[0]!r}",
            "write {inputs.NAME}, {params.NAME}, {outputs.NAME} or {seed}, and {{ or }} for a brace",
        )
    if name not in known[group]:
        near = nearest(name, known[group])
        raise UsageError(
            f"the command of step {step.name} names {match[0]}, and the step has no {group.removesuffix('s')} {name}",
            f"did you mean {near}?" if near else f"declare it among the {group}",
        )


def variable(group: str, name: str) -> str:
    """Return the environment variable that stands for an input, a parameter or an output."""
    return f"GNOMON_{group.removesuffix('s').upper()}_{_NOT_IN_NAMES.sub('_', name).upper()}"


def filled(argv: Sequence[str], values: Mapping[str, Mapping[str, Any]], seed: int) -> list[str]:
    """Return the words of a command with their placeholders replaced.

    Args:
        argv: As declared, and checked.
        values: ``inputs``, ``params`` and ``outputs`` by name: texts, and lists of texts for lists of inputs.
        seed: The step's.

    Raises:
        UsageError: A list of inputs is a part of a word, and not a word by itself.
    """

    def replaced(match: re.Match[str]) -> str:
        if match[0] in {"{{", "}}"}:
            return match[0][0]
        if match["seed"]:
            return str(seed)
        value = values[match["group"]][match["name"]]
        if isinstance(value, list):
            raise UsageError(f"{match[0]} stands for several files", "let it stand alone as a word of the command")
        return str(value)

    words: list[str] = []
    for word in argv:
        alone = _LIST.fullmatch(word)
        if alone is not None and isinstance(values["inputs"].get(alone["name"]), list):
            words.extend(values["inputs"][alone["name"]])
        else:
            words.append(_HOLE.sub(replaced, word))
    return words


def as_text(value: Any) -> str:
    """Return a parameter as it stands in a command: a text as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def command_closure(command: Command) -> Closure:
    """Return what a command's result depends on: its words, its outputs, and the content of its files.

    Raises:
        NotFoundError: A declared file does not exist.
        UsageError: A declared file lies outside of the project, or a Python file cannot be parsed.
    """
    root = command.root.resolve()
    files: set[Path] = set()
    widened: set[str] = set()
    for name in (*_named(command.argv, root), *command.files):
        path = _inside(root, name)
        if path.is_dir():
            files.update(_below(path))
            continue
        files.add(path)
        if path.suffix == ".py":
            _reach(path.parent, path, path.stem, files, widened)
    for name in _modules(command.argv):
        path = Project(root, None).file(name) or root.joinpath(*name.split("."), "__main__.py")
        if path.is_file():
            files.update(_below(path.parent) if path.name == "__init__.py" else ())
            _reach(root, path, name, files, widened)
    parts = {path.relative_to(root).as_posix(): _content(path) for path in sorted(files)}
    words = json.dumps([command.argv, sorted(command.outputs.items())])
    return Closure(
        digest_of_parts(f"command\0{words}\0", parts, {}),
        {"command": hashlib.sha256(words.encode()).hexdigest(), **parts},
        {},
        tuple(sorted(widened)),
        tuple(parts),
    )


def copy_files(root: Path, files: Sequence[str], folder: Path) -> None:
    """Copy files of a project into the working folder of a command."""
    for name in files:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / name, place)


def _reach(root: Path, path: Path, module: str, files: set[Path], widened: set[str]) -> None:
    """Take the modules that a Python file run as a program imports."""
    walk = Walk(Project(root, None))
    walk.reach_script(path.relative_to(root).as_posix(), module)
    files.update(walk.files, [path])
    widened.update(each for each in walk.widened if " is run as a program" not in each)


def _modules(argv: Sequence[str]) -> Iterator[str]:
    """Yield what follows a ``-m``, which Python takes for the name of a module."""
    for option, name in pairwise(argv):
        if option == "-m" and name.replace(".", "").isidentifier():
            yield name


def _named(argv: Sequence[str], root: Path) -> Iterator[str]:
    """Yield the words, also those after an equals sign, that are names of files or folders below the root."""
    for word in argv:
        for name in {word, word.partition("=")[2]}:
            parts = PurePosixPath(name).parts
            if not parts or name.startswith(("/", "-")) or ".." in parts:
                continue
            if os.path.exists(root.joinpath(*parts)):  # noqa: PTH110 - a script as a word is too long a name: no error here
                yield name


def _inside(root: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise UsageError(f"{name!r} is not a file or folder below {root}", "give a relative path")
    found = root / path
    if not found.exists():
        near = nearest(path.name, [each.name for each in found.parent.iterdir()] if found.parent.is_dir() else [])
        raise NotFoundError(
            f"there is no {name} in {root}", f"did you mean {near}?" if near else "name a file of the repository"
        )
    return found


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and not {".git", "__pycache__"} & set(path.parts):
            yield path


def _content(path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest} x" if os.access(path, os.X_OK) else digest
