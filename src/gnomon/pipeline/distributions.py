"""Third-party modules become the installed distributions that provide them, and what those need, with versions."""

import importlib.machinery
import re
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

_NAME_AND_VERSION = re.compile(r"(?P<name>[A-Za-z0-9._-]+?)-(?P<version>[^-]+)\.dist-info")
_REQUIREMENT = re.compile(r"Requires-Dist:\s*([A-Za-z0-9._-]+)([^;\n]*)(;.*)?")


def is_installed(module: str, search: tuple[str, ...] | None = None) -> bool:
    """Return whether a top-level module can be imported, where it is a regular one.

    Args:
        module: Its name.
        search: The folders to look in; None stands for this interpreter's own path.
    """
    return _regular_spec(module, search) is not None


def versions(modules: Iterable[str]) -> Mapping[str, str]:
    """Return distribution name -> version of what provides some top-level modules, and of everything that this requires.

    A version of scikit-learn computes with a version of NumPy: both belong to what a step ran with. A module that no
    distribution lists, such as one on ``PYTHONPATH``, has the version ``unknown``.
    """
    found: dict[str, str] = {}
    todo: list[str] = []
    for module in modules:
        providers = _providers(module)
        todo.extend(providers)
        if not providers:
            found[module] = "unknown"
    while todo:
        name = _canonical(todo.pop())
        entry = _installed().get(name)
        if entry is not None and name not in found:
            found[name] = entry[0]
            todo.extend(_requirements(entry[1]))
    return dict(sorted(found.items()))


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _regular_spec(module: str, search: tuple[str, ...] | None) -> importlib.machinery.ModuleSpec | None:
    spec = importlib.machinery.PathFinder.find_spec(module, search)
    return spec if spec is not None and spec.loader is not None and spec.has_location else None


@cache
def _installed() -> Mapping[str, tuple[str, Path]]:
    """Return canonical name -> (version, folder of metadata); the first on the path wins, as with imports.

    The names of the folders say both, so that nothing is parsed: ``importlib.metadata`` takes 20 times longer.
    """
    found: dict[str, tuple[str, Path]] = {}
    for site in map(Path, sys.path):
        for folder in sorted(site.glob("*.dist-info")) if site.is_dir() else ():
            match = _NAME_AND_VERSION.fullmatch(folder.name)
            if match is not None:
                found.setdefault(_canonical(match["name"]), (match["version"], folder))
    return found


@cache
def _providers(module: str) -> tuple[str, ...]:
    """Return the distributions whose files make up a top-level module: several for a namespace such as ``google``."""
    pattern = re.compile(rb"(?m)^%s(/__init__\.py|\.py|(\.[^/,\n]+)?\.so)," % re.escape(module.encode()))
    guess = _installed().get(_canonical(module))
    if guess is not None and pattern.search(_text(guess[1], "RECORD")):
        return (_canonical(module),)
    providers = tuple(name for name, (_, folder) in _installed().items() if pattern.search(_text(folder, "RECORD")))
    if providers:
        return providers
    inside = re.compile(rb"(?m)^%s/" % re.escape(module.encode()))
    providers = tuple(name for name, (_, folder) in _installed().items() if inside.search(_text(folder, "RECORD")))
    if providers:
        return providers
    # What Debian or conda install without a RECORD, and editable installations, which list no modules.
    from importlib import metadata  # noqa: PLC0415 - takes 20 ms, and this is rare

    return tuple(metadata.packages_distributions().get(module, ())) or ((_canonical(module),) if guess is not None else ())


def _text(folder: Path, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except FileNotFoundError:
        return b""


def _requirements(folder: Path) -> Iterable[str]:
    """Yield the names that a distribution requires, without those of its extras."""
    head = _text(folder, "METADATA").partition(b"\n\n")[0].decode("utf-8", "replace")
    for match in _REQUIREMENT.finditer(head):
        if "extra" not in (match[3] or ""):
            yield match[1]
