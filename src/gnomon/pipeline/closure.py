"""A function becomes the digest of its code closure: everything of its project that it reaches, by reading source text.

The closure holds the function, the functions, classes and constants that it names, what those name in turn, and every statement
that acts when a reached module is imported. It errs on the safe side: what cannot be told from the text widens it to a whole
file or the whole project, and ``Closure.widened`` says why. User code is never imported.

Not covered: data files, also those found through ``__file__`` (make them a dataset or a parameter), programs that a step
starts, and classes that a pickle names.
"""

import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gnomon.errors import UsageError
from gnomon.pipeline.dag import FunctionRef
from gnomon.pipeline.distributions import versions
from gnomon.pipeline.project import Project
from gnomon.pipeline.walk import Walk

_NOTED_DIGITS = 16


@dataclass(frozen=True)
class Closure:
    """What the result of a step depends on, as far as code goes.

    Args:
        digest: Names the whole of it.
        parts: What it is made of, such as ``helpers.py:scale`` -> digest of its syntax tree.
        third_party: Distribution name -> version, and ``python`` where the standard library is used.
        widened: Why more than the reached names is in it, one sentence each.
        files: For a command: the files of the project that it gets, relative to its root.
    """

    digest: str
    parts: Mapping[str, str]
    third_party: Mapping[str, str]
    widened: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    def noted(self) -> dict[str, Any]:
        """Return it as short plain values, for the journal: digests there are only ever compared with each other."""
        parts = {name: digest[:_NOTED_DIGITS] for name, digest in self.parts.items()}
        return {"parts": parts, "packages": dict(self.third_party), "widened": list(self.widened)}


def closure(function: FunctionRef, search: tuple[str, ...] | None = None) -> Closure:
    """Return the code closure of a function.

    Args:
        function: The function.
        search: Where modules of others are installed, for a step with an environment of its own, whose digest then says
            their versions; None stands for this interpreter.

    Raises:
        NotFoundError: The file does not exist, or does not define the name.
        UsageError: The path leaves the root, or a reached file is not Python.
    """
    return Closures().of(function, search)


class Closures:
    """Closures of a state of the code that does not change meanwhile: what was found for one serves the others."""

    def __init__(self) -> None:
        self._functions: dict[tuple[FunctionRef, tuple[str, ...] | None], Closure] = {}
        self._projects: dict[tuple[Path, str | None, tuple[str, ...] | None], Project] = {}
        self._roots: dict[Path, Path] = {}
        self._versions: dict[frozenset[str], Mapping[str, str]] = {}

    def of(self, function: FunctionRef, search: tuple[str, ...] | None = None) -> Closure:
        """Return the closure of a function, see ``closure``."""
        if (function, search) not in self._functions:
            self._functions[function, search] = self._walked(function, search)
        return self._functions[function, search]

    def _walked(self, function: FunctionRef, search: tuple[str, ...] | None) -> Closure:
        root = self._roots.get(function.root) or self._roots.setdefault(function.root, function.root.resolve())
        file = PurePosixPath(function.file)
        if file.is_absolute() or ".." in file.parts or file.suffix != ".py":
            raise UsageError(f"{function.file!r} is not a Python file below {root}", "give a relative path such as train.py")
        only = file.parts[0].removesuffix(".py") if root.name in {"site-packages", "dist-packages"} else None
        walk = Walk(self._projects.setdefault((root, only, search), Project(root, only, search)))
        walk.reach(str(file), function.name)
        parts = dict(sorted(walk.parts.items()))
        third_party = {} if search is not None else self._versions_of(frozenset(walk.third_party))
        if walk.uses_stdlib and search is None:
            third_party["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        # Functions that call each other have the same parts; which one is asked for tells them apart.
        digest = digest_of_parts(f"entry\0{file}:{function.name}\0", parts, third_party)
        return Closure(digest, parts, third_party, tuple(sorted(walk.widened)))

    def _versions_of(self, modules: frozenset[str]) -> dict[str, str]:
        if modules not in self._versions:
            self._versions[modules] = versions(sorted(modules))
        return dict(self._versions[modules])


def digest_of_parts(entry: str, parts: Mapping[str, str], third_party: Mapping[str, str]) -> str:
    """Return the digest of a closure: what is asked for, what it is made of, and the packages it uses."""
    whole = hashlib.sha256(entry.encode())
    for kind, table in (("part", parts), ("package", third_party)):
        for key, value in table.items():
            whole.update(f"{kind}\0{key}\0{value}\0".encode())
    return whole.hexdigest()
