"""A repository's lock file becomes a Python environment that steps run in, built once for each content of the file.

An environment is known by the digest of what is installed in it, so that a change of a comment runs no step again, and
requirements without versions that came out otherwise on another day do.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath

from gnomon.errors import NotFoundError, StepFailedError, UsageError
from gnomon.pipeline.dag import Environment
from gnomon.stores.durable import Drafts, make_directory, replace_file

_FORMAT = b"gnomon-environment-1"
_OLDEST = (3, 11)
_CHOICE = ".python-version"
_LAST_LINES = 6
_CREDENTIALS = re.compile(r"://[^/\s@]+@")
_INCLUDE = re.compile(r"^\s*(?:-r|--requirement|-c|--constraint)[\s=]+(?P<file>\S+)", re.MULTILINE)
_FOLDER = re.compile(
    r"^\s*(?:(?:-e|--editable)[\s=]+\S+|\.{1,2}(?:/\S*)?|file:\S+|\S+\s*@\s*file:\S+)\s*(?:#.*)?$", re.MULTILINE
)
# What the interpreter of an environment says about itself and what is installed in it.
_INVENTORY = """
import json, os, platform, sys
from importlib import metadata
found = sorted({f"{each.metadata['Name'].lower().replace('_', '-')}=={each.version}" for each in metadata.distributions()})
kept = [each for each in found if each.partition("==")[0] not in ("pip", "setuptools", "wheel")]
paths = [each for each in sys.path if os.path.isdir(each) and os.path.basename(each) in ("site-packages", "dist-packages")]
print(json.dumps({"version": list(sys.version_info[:3]), "implementation": platform.python_implementation(),
                  "installed": kept, "paths": paths}))
"""


@dataclass(frozen=True)
class Declared:
    """What says what an environment consists of.

    Args:
        root: The folder of the project.
        files: ``uv.lock`` and ``pyproject.toml``, or a requirements file and those that it includes, and ``.python-version``
            where there is one; relative to ``root``.
        digest: Names their content.
    """

    root: Path
    files: tuple[str, ...]
    digest: str


def declared(root: Path, file: str | None = None) -> Declared | None:
    """Return what declares the environment of a project; None where nothing does, and the steps run in ours.

    Args:
        root: The folder of the project.
        file: ``uv.lock`` or a requirements file, relative to the root. Without it, ``uv.lock`` or ``requirements.txt`` there.

    Raises:
        NotFoundError: There is no such file, or one that it includes.
        UsageError: The file is of neither kind, lies outside of the project, or installs a folder.
    """
    if file is None:
        file = next((name for name in ("uv.lock", "requirements.txt") if (root / name).is_file()), None)
        if file is None:
            return None
    if PurePosixPath(file).name == "uv.lock":
        files: tuple[str, ...] = (file, str(PurePosixPath(file).with_name("pyproject.toml")))
    elif file.endswith((".txt", ".in")):
        files = tuple(_with_included(root, file))
    else:
        raise UsageError(f"{file} declares no environment", "name a uv.lock or a requirements.txt")
    choice = str(PurePosixPath(file).with_name(_CHOICE))
    if (root / choice).is_file():
        files = (*files, choice)
    whole = hashlib.sha256(_FORMAT)
    for name in files:
        whole.update(f"{len(name)} {name}".encode())
        whole.update(hashlib.sha256(_read(root, name)).digest())
    return Declared(root, files, whole.hexdigest())


def built(wanted: Declared, folder: Path, timeout: timedelta = timedelta(minutes=30)) -> Environment:
    """Return the environment, built in a folder of its own below ``folder`` where it is not there yet.

    A note beside it, written last, is the only proof that it is whole. Builders of one environment wait for each other, and
    what a killed one left is removed.

    Args:
        wanted: From ``declared``.
        folder: Where environments are kept.
        timeout: How long installing may take.

    Raises:
        StepFailedError: It cannot be built; the cause has the installer's last lines.
    """
    make_directory(folder.absolute())
    place = folder.absolute() / f"{wanted.digest[:32]}-{sys.implementation.cache_tag}"
    note = place.with_suffix(".json")
    with _alone(place.with_suffix(".lock")):
        known = _noted(note, place)
        if known is None:
            note.unlink(missing_ok=True)
            shutil.rmtree(place, ignore_errors=True)
            try:
                _install(wanted, place, timeout)
                known = _inventory(place)
            except BaseException:
                shutil.rmtree(place, ignore_errors=True)
                raise
            replace_file(note, json.dumps(known).encode(), Drafts(folder.absolute() / "tmp"))
    return Environment(_python(place), known["digest"])


def site_packages(environment: Environment) -> tuple[str, ...]:
    """Return where the modules of an environment are installed."""
    found = environment.python.parent.parent.glob("lib/python3*/site-packages")
    return tuple(str(path) for path in sorted(found))


def _with_included(root: Path, file: str) -> Iterator[str]:
    """Yield a requirements file and those that it includes, each once."""
    seen: set[str] = set()
    todo = [file]
    while todo:
        name = os.path.normpath(todo.pop())
        if name in seen:
            continue
        seen.add(name)
        yield name
        text = _read(root, name).decode("utf-8", "replace")
        local = _FOLDER.search(text)
        if local is not None:
            raise UsageError(
                f"{name} installs {local[0].strip()}, a folder, whose content no lock file names",
                "take the line out: steps import the code of the repository without installing it",
            )
        todo += [
            str(PurePosixPath(name).parent / match["file"]) for match in _INCLUDE.finditer(text) if "://" not in match["file"]
        ]


def _read(root: Path, name: str) -> bytes:
    path = PurePosixPath(os.path.normpath(name))
    if path.is_absolute() or ".." in path.parts:
        raise UsageError(f"{name} lies outside of the repository", "give a path inside of it")
    try:
        return (root / path).read_bytes()
    except OSError as error:
        raise NotFoundError(f"there is no {name} in the repository", "commit it, or take its name out") from error


@contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _noted(note: Path, place: Path) -> dict[str, str] | None:
    try:
        known: dict[str, str] = json.loads(note.read_bytes())
    except (FileNotFoundError, ValueError):
        return None
    return known if "digest" in known and _python(place).exists() else None


def _python(place: Path) -> Path:
    return place / "bin" / "python"


def _install(wanted: Declared, place: Path, timeout: timedelta) -> None:
    uv = shutil.which("uv")
    first = wanted.root / wanted.files[0]
    quiet = {**os.environ, "VIRTUAL_ENV": str(place), "UV_PROJECT_ENVIRONMENT": str(place), "UV_NO_PROGRESS": "1"}
    for name in ("PYTHONPATH", "PYTHONHOME", "UV_SYSTEM_PYTHON", "PYTHONDONTWRITEBYTECODE"):
        quiet.pop(name, None)
    if first.name == "uv.lock":
        if uv is None:
            raise StepFailedError(f"{first.name} needs uv, which is not installed", "install uv, or commit a requirements.txt")
        sync = [
            "sync",
            "--frozen",
            "--no-dev",
            "--no-install-workspace",
            "--compile-bytecode",
            "--python",
            _interpreter(wanted),
        ]
        _run([uv, *sync, "--project", str(first.parent)], quiet, timeout)
    elif uv is not None:
        _run([uv, "venv", "--quiet", "--python", _interpreter(wanted), str(place)], quiet, timeout)
        arguments = ["pip", "install", "--compile-bytecode", "--python", str(_python(place)), "-r", str(first)]
        _run([uv, *arguments], quiet, timeout)
    else:
        _run([sys.executable, "-m", "venv", str(place)], quiet, timeout)
        _run([str(_python(place)), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(first)], quiet, timeout)


def _interpreter(wanted: Declared) -> str:
    """Return what uv is asked for: the repository's own choice, or the Python that runs this."""
    pinned = wanted.root / wanted.files[0]
    asked = pinned.with_name(_CHOICE)
    return asked.read_text("utf-8").split()[0] if asked.is_file() and asked.read_text("utf-8").strip() else sys.executable


def _inventory(place: Path) -> dict[str, str]:
    told = json.loads(_run([str(_python(place)), "-I", "-c", _INVENTORY], dict(os.environ), timedelta(minutes=2)))
    if tuple(told["version"][:2]) < _OLDEST:
        found = ".".join(map(str, told["version"]))
        raise StepFailedError(
            f"the environment has Python {found}, and steps need 3.11 or newer", "ask for a newer one in requires-python"
        )
    whole = json.dumps([told["version"], told["implementation"], os.uname().machine, told["installed"]])
    return {"digest": hashlib.sha256(whole.encode()).hexdigest(), "installed": "\n".join(told["installed"])}


def _run(command: Sequence[str], environ: Mapping[str, str], timeout: timedelta) -> str:
    program = " ".join(Path(word).name if index == 0 else word for index, word in enumerate(command[:3]))
    with subprocess.Popen(
        command,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,
    ) as process:
        try:
            output, _ = process.communicate(timeout=timeout.total_seconds())
        except BaseException as error:
            os.killpg(process.pid, 9)
            process.wait()
            if isinstance(error, subprocess.TimeoutExpired):
                raise StepFailedError(
                    f"the environment was not built within {timeout.total_seconds():g} s", "see that the package index answers"
                ) from error
            raise
    if process.returncode != 0:
        lines = [line.rstrip() for line in _CREDENTIALS.sub("://***@", output).splitlines() if line.strip()]
        raise StepFailedError(
            f"the environment cannot be built: {program} ended with {process.returncode}: {' / '.join(lines[-_LAST_LINES:])}",
            "mend the lock file or the requirements, and see that the package index answers",
        )
    return output
