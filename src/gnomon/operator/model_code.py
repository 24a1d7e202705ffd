"""What the functions that a model names, as candidates and as features, come to in a commit."""

import ast
from collections.abc import Sequence
from pathlib import Path

from gnomon.errors import GnomonError
from gnomon.operator.checkouts import Checkouts, code_files
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.pipeline.closure import closure
from gnomon.pipeline.dag import FunctionRef
from gnomon.resources.feature import functions_of
from gnomon.resources.model import ModelSpec
from gnomon.stores.repositories.interface import TreeEntry

_FIT = (2, "X, y, …")
_ROWS = (1, "rows")
"""How many arguments functions are called with, and which: those that fit, and those that make features."""


def checkout_of(checkouts: Checkouts, tree: Sequence[TreeEntry]) -> Path:
    """Return the folder that holds the Python of a commit, which functions of a model run from.

    Raises:
        StoreError: It cannot be written to the home.
        RepositoryError: The commit cannot be read from the mirror.
    """
    return checkouts.of(code_files(tree, ()))


def read_model_code(spec: ModelSpec, root: Path) -> PipelineCode:
    """Return the digests of the functions' closures by function, or why there are none.

    Args:
        spec: What is declared.
        root: A folder that holds the files of the commit.
    """
    digests: dict[str, str] = {}
    for function in spec.functions:
        file, _, name = function.partition(":")
        problem = _problem(root / file, file, name, _ROWS if function in functions_of(spec.features) else _FIT)
        if problem:
            return PipelineCode(root.name, error=problem)
        try:
            digests[function] = closure(FunctionRef(root, file, name)).digest
        except GnomonError as error:
            return PipelineCode(root.name, error=str(error))
    return PipelineCode(root.name, steps=digests)


def _problem(path: Path, file: str, name: str, called: tuple[int, str]) -> str:
    """Return what is wrong with a function, from the text of its file: nothing is run."""
    try:
        tree = ast.parse(path.read_bytes(), file)
    except FileNotFoundError:
        return f"there is no file {file} in this commit (commit it, or correct python)"
    except (SyntaxError, ValueError) as error:
        return f"{file} is not valid Python: {error} (correct it)"
    function = next((node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name), None)
    if function is None:
        return ""  # It may be imported or assigned; the step that calls it tells.
    taken = len(function.args.posonlyargs) + len(function.args.args)
    count, arguments = called
    if taken < count and function.args.vararg is None:
        return f"{file}:{name} takes {taken} arguments by position (define it as {name}({arguments}))"
    return ""
