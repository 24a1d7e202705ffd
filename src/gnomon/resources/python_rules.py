"""What must hold of a candidate that is a function of the repository."""

import keyword
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from gnomon.resources.documents import NodePath
from gnomon.resources.learning import PYTHON_TASKS
from gnomon.resources.model import Candidate, ModelSpec
from gnomon.resources.violation import Violation

_FUNCTION = re.compile(r"([^:]+\.py):([A-Za-z_][A-Za-z0-9_]*)")
_GIVEN = ("X", "y")


def python_violations(path: NodePath, candidate: Candidate, spec: ModelSpec) -> Iterator[Violation]:
    """Yield what is wrong with one candidate, declared at ``path``."""
    if candidate.python is None:
        yield Violation(path, "the candidate names nothing to fit", "add algorithm: NAME, or python: train.py:fit")
        return
    where = (*path, "python")
    if candidate.algorithm != "python":
        cause = f"the candidate names both the algorithm {candidate.algorithm} and a function"
        yield Violation(where, cause, "keep one of algorithm and python")
    found = _FUNCTION.fullmatch(candidate.python)
    if found is None:
        yield Violation(where, f'"{candidate.python}" names no function', "write file.py:function, such as train.py:fit")
    elif found[1].startswith("/") or ".." in PurePosixPath(found[1]).parts:
        yield Violation(where, f"{found[1]} leaves the repository", "write it from the root of the repository, without ..")
    if spec.task not in PYTHON_TASKS:
        cause = f"a function of the repository does not do {spec.task}"
        yield Violation(where, cause, f"it does {' and '.join(sorted(PYTHON_TASKS))}; use an algorithm")
    for key, names in (("params", candidate.params), ("search", candidate.search)):
        for name in names:
            if not name.isidentifier() or keyword.iskeyword(name) or name in _GIVEN:
                cause = f'a function cannot be given a parameter "{name}"'
                yield Violation((*path, key, name), cause, "use a name of Python, other than X and y")
