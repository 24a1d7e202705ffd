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
from pathlib import PurePosixPath

from gnomon.errors import UsageError
from gnomon.pipeline.dag import FunctionRef
from gnomon.pipeline.distributions import versions
from gnomon.pipeline.project import Project
from gnomon.pipeline.walk import Walk


@dataclass(frozen=True)
class Closure:
    """What the result of a function depends on, as far as code goes.

    Args:
        digest: Names the whole of it.
        parts: What it is made of, such as ``helpers.py:scale`` -> digest of its syntax tree.
        third_party: Distribution name -> version, and ``python`` where the standard library is used.
        widened: Why more than the reached names is in it, one sentence each.
    """

    digest: str
    parts: Mapping[str, str]
    third_party: Mapping[str, str]
    widened: tuple[str, ...] = ()


def closure(function: FunctionRef) -> Closure:
    """Return the code closure of a function.

    Raises:
        NotFoundError: The file does not exist, or does not define the name.
        UsageError: The path leaves the root, or a reached file is not Python.
    """
    root = function.root.resolve()
    file = PurePosixPath(function.file)
    if file.is_absolute() or ".." in file.parts or file.suffix != ".py":
        raise UsageError(f"{function.file!r} is not a Python file below {root}", "give a relative path such as train.py")
    walk = Walk(Project(root, file.parts[0].removesuffix(".py") if root.name in {"site-packages", "dist-packages"} else None))
    walk.reach(str(file), function.name)
    parts = dict(sorted(walk.parts.items()))
    third_party = dict(versions(sorted(walk.third_party)))
    if walk.uses_stdlib:
        third_party["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
    # Functions that call each other have the same parts; which one is asked for tells them apart.
    whole = hashlib.sha256(f"entry\0{file}:{function.name}\0".encode())
    for kind, table in (("part", parts), ("package", third_party)):
        for key, value in table.items():
            whole.update(f"{kind}\0{key}\0{value}\0".encode())
    return Closure(whole.hexdigest(), parts, third_party, tuple(sorted(walk.widened)))
