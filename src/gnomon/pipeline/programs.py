"""What happens inside the process of a step that is a command: lay out its files, run the program, keep what it leaves."""

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.errors import DataError, NotFoundError, StepFailedError
from gnomon.pipeline.codecs import load
from gnomon.pipeline.commands import as_text, copy_files, filled, variable
from gnomon.pipeline.keys import canonical_json
from gnomon.pipeline.values import keep_result
from gnomon.resources.identity import Digest
from gnomon.runners.oom import system_kills
from gnomon.stores.objects.interface import ObjectStore

_ENDINGS = {"json": ".json", "bytes": ".bin", "arrow": ".arrow", "npy": ".npy", "onnx": ".onnx"}
_SHELL_SAW_SIGNAL = 128  # a shell exits with this plus the signal that its last program was ended by
_LAST_WORDS = 4096  # bytes at the end of the log, where a program says why it fails


class ProgramMemoryError(StepFailedError, MemoryError):
    """The machine had no memory left for a program."""


def run_program(request: Mapping[str, Any], objects: ObjectStore, scratch: Path) -> dict[str, dict[str, Any]]:
    """Run the program of a command, and return where its outputs are kept.

    Args:
        request: ``root``, ``argv``, ``outputs`` and ``files`` of the command, ``values`` and ``inputs`` by name, ``seed``,
            ``inline_bytes``, ``log``, and ``python``, the interpreter of the step's environment, or None.
        objects: Where inputs are, and outputs go.
        scratch: A folder of the step's own.

    Raises:
        NotFoundError: There is no such program.
        StepFailedError: It did not end well; the cause has its last line. ProgramMemoryError where the kernel killed it.
        DataError: It left no output of a declared name, or a broken one.
    """
    work, given = scratch / "work", scratch / "inputs"
    for folder in (work, given):
        folder.mkdir()
    copy_files(Path(request["root"]), request["files"], work)
    for file in request["outputs"].values():
        (work / file).parent.mkdir(parents=True, exist_ok=True)
    values = {
        "inputs": {name: _laid_out(kept, given / name, work, objects) for name, kept in request["inputs"].items()},
        "params": {name: as_text(value) for name, value in request["values"].items()},
        "outputs": request["outputs"],
    }
    words = filled(request["argv"], values, request["seed"])
    _run(words, work, _variables(values, request["seed"], request["python"]), Path(request["log"]))
    items = {name: _left(name, work / file, work) for name, file in request["outputs"].items()}
    if not items:
        return keep_result(None, objects, scratch, inline_bytes=request["inline_bytes"])
    return _kept(items, objects, work, request["inline_bytes"])


def _laid_out(kept: Any, place: Path, work: Path, objects: ObjectStore) -> Any:
    """Lay an input out as a file or a folder, and return its path from the working folder; a list for a list.

    Paths are relative, so that what a program writes about them is the same in every run.
    """
    if isinstance(kept, list):
        place.mkdir()
        return [_laid_out(each, place / str(index), work, objects) for index, each in enumerate(kept)]
    if "items" in kept:
        place.mkdir()
        for name, each in kept["items"].items():
            _laid_out(each, place / name, work, objects)
    elif kept["codec"] == "folder":
        load("folder", Digest(kept["digest"]), objects, place)
    else:
        place = place.with_name(place.name + _ENDINGS.get(kept["codec"], kept.get("suffix", "")))
        if "inline" in kept:
            place.write_bytes(canonical_json(kept["inline"]))
        else:
            place.symlink_to(objects.path(Digest(kept["digest"])).absolute())
    return os.path.relpath(place, work)


def _variables(values: Mapping[str, Mapping[str, Any]], seed: int, python: str | None) -> dict[str, str]:
    variables = dict(os.environ)
    for group, named in values.items():
        for name, value in named.items():
            variables[variable(group, name)] = "\n".join(value) if isinstance(value, list) else str(value)
    variables["GNOMON_SEED"] = str(seed)
    if python is not None:
        binaries = Path(python).parent
        variables["PATH"] = f"{binaries}{os.pathsep}{variables.get('PATH', os.defpath)}"
        variables["VIRTUAL_ENV"] = str(binaries.parent)
    return variables


def _run(words: Sequence[str], work: Path, variables: Mapping[str, str], log: Path) -> None:
    kills = system_kills()
    try:
        # The program and its children are of this process's session, and end with it.
        done = subprocess.run(words, cwd=work, env=variables, stdin=subprocess.DEVNULL, check=False)
    except FileNotFoundError as error:
        raise NotFoundError(f"there is no program {words[0]}", "install it, or name a file of the repository") from error
    except (OSError, ValueError) as error:
        raise StepFailedError(f"{words[0]} cannot be started: {error}", "see that the file may be executed") from error
    if done.returncode == 0:
        return
    if done.returncode in {-signal.SIGKILL, _SHELL_SAW_SIGNAL + signal.SIGKILL} and system_kills() > kills:
        raise ProgramMemoryError(
            f"killed for memory by the system: {words[0]} ran when the machine had no more",
            "give the step more memory, or let fewer run at once",
        )
    if done.returncode < 0:
        how = f"was ended by a signal: {signal.strsignal(-done.returncode)}"
    else:
        how = f"ended with exit code {done.returncode}"
    raise StepFailedError(f"{words[0]} {how}: {_last_line(log)}", "its output is in the log of the step")


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _LAST_WORDS))
        lines = file.read().decode("utf-8", "replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


def _left(name: str, path: Path, work: Path) -> Path:
    if not path.exists():
        there = sorted(each.relative_to(work).as_posix() for each in work.rglob("*") if each.is_file())[:8]
        raise DataError(
            f"the program left no {path.relative_to(work)}, which is its output {name}",
            f"write it there; it left {', '.join(there) or 'nothing'}",
        )
    return path


def _kept(items: Mapping[str, Path], objects: ObjectStore, work: Path, inline_bytes: int) -> dict[str, dict[str, Any]]:
    """Keep the outputs, each by the ending of its name."""
    returned: dict[str, Any] = {}
    for name, path in items.items():
        returned[name] = _parsed_json(name, path) if path.suffix == ".json" and path.is_file() else path
    kept = keep_result(returned, objects, work, names=tuple(items), inline_bytes=inline_bytes)
    for name, path in items.items():
        codec = path.suffix.removeprefix(".")
        if kept[name]["codec"] == "path" and codec in {"npy", "arrow", "onnx"}:
            _check(name, codec, Digest(kept[name]["digest"]), objects)
            kept[name] = {"codec": codec, "digest": kept[name]["digest"]}
    return kept


def _parsed_json(name: str, path: Path) -> Any:

    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise DataError(f"the output {name} is not JSON: {error}", f"mend what writes {path.name}") from error


def _check(name: str, codec: str, digest: Digest, objects: ObjectStore) -> None:
    """Refuse a broken file now, and not in the steps that are given it."""
    try:
        load(codec, digest, objects)
    except ImportError:
        return  # an environment without the library passes the file on
    except DataError as error:
        raise DataError(f"the output {name} is no {codec} file: {error.cause}", f"write it as {codec}") from error
