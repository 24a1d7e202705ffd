"""The parameters of a function, read from the text of its file: user code is never imported to find them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.naming import nearest
from gnomon.pipeline.project import Project

_MOST_HOPS = 8
"""How often a name may be imported from yet another module before it is given up."""
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function. Without a default it must be given."""

    name: str
    has_default: bool


@dataclass(frozen=True)
class Signature:
    """What a function takes by name. ``takes_any``: it has ``**`` and takes every other name too."""

    place: str
    """File and line of its definition."""
    parameters: tuple[Parameter, ...]
    takes_any: bool


def read_signature(root: Path, file: str, name: str) -> Signature:
    """Return the signature of a function of a project, which may have imported it from another of its files.

    Args:
        root: The folder that imports start from.
        file: Path of the file, relative to ``root``.
        name: The function, a top-level name of the file.

    Raises:
        NotFoundError: There is no such file, or it does not define the name.
        UsageError: The file is not Python, or what it defines cannot be called by the names of its parameters.
    """
    project, at, wanted = Project(root.resolve(), None), file, name
    for _ in range(_MOST_HOPS):
        found = _definition(_module(project.root / at, at), wanted)
        if isinstance(found, _Function):
            return _signature(found, at, wanted)
        origin = _origin(found, wanted, at, project) if isinstance(found, ast.ImportFrom) else None
        if origin is None:
            break
        at, wanted = origin
    if found is None:
        names = [each for node in _statements(_module(project.root / at, at).body) for each in _bound(node)]
        near = nearest(wanted, names)
        raise NotFoundError(
            f"{at} defines no {wanted!r}" + (f", but {near!r}" if near else ""), "name a function at the top level of the file"
        )
    raise UsageError(f"{name!r} of {file} is no function that is defined in this repository", f"write def {name}(...) there")


def _module(path: Path, shown: str) -> ast.Module:
    try:
        seen = path.stat()
        if not path.is_file():
            raise IsADirectoryError
    except OSError:
        siblings = sorted(each.name for each in path.parent.glob("*.py")) if path.parent.is_dir() else []
        near = nearest(path.name, siblings)
        mend = f"did you mean {PurePosixPath(shown).with_name(near)}?" if near else "commit it, or correct the path"
        raise NotFoundError(f"there is no file {shown}", mend) from None
    return _parsed(path, shown, (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns))


@lru_cache(maxsize=256)
def _parsed(path: Path, shown: str, _stamp: tuple[int, ...]) -> ast.Module:
    try:
        return ast.parse(path.read_bytes(), filename=shown)
    except (SyntaxError, ValueError, RecursionError) as error:
        line = getattr(error, "lineno", None)
        raise UsageError(f"{shown}{f':{line}' if line else ''} is not Python: {error}", "mend the file") from error


def _definition(module: ast.Module, name: str) -> ast.stmt | ast.Lambda | None:
    """Return the last top-level statement that binds a name, as the interpreter would leave it."""
    found: ast.stmt | ast.Lambda | None = None
    for node in _statements(module.body):
        if name in _bound(node):
            is_lambda = isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda)
            found = node.value if is_lambda else node  # type: ignore[attr-defined]  # an assignment has a value
    return found


def _statements(block: list[ast.stmt]) -> Iterator[ast.stmt]:
    for node in block:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.With):
            for inner in (node.body, getattr(node, "orelse", []), getattr(node, "finalbody", [])):
                yield from _statements(inner)
            for handler in getattr(node, "handlers", []):
                yield from _statements(handler.body)


def _bound(node: ast.stmt) -> tuple[str, ...]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return (node.name,)
        case ast.Import() | ast.ImportFrom():
            return tuple(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        case ast.Assign():
            return tuple(target.id for target in node.targets if isinstance(target, ast.Name))
        case ast.AnnAssign(target=ast.Name(id=name)):
            return (name,)
        case _:
            return ()


def _origin(node: ast.ImportFrom, name: str, file: str, project: Project) -> tuple[str, str] | None:
    """Return file and name that ``from module import name`` takes a name from; None where that is not the project's."""
    alias = next(each for each in node.names if (each.asname or each.name) == name)
    parts = PurePosixPath(file).parent.parts
    if node.level > len(parts) + 1:
        return None
    package = parts[: len(parts) - node.level + 1] if node.level else ()
    module = ".".join((*package, *([node.module] if node.module else [])))
    path = project.file(module) if module else None
    if path is None or path.suffix != ".py":
        return None
    return path.relative_to(project.root).as_posix(), alias.name


def _signature(function: _Function, file: str, name: str) -> Signature:
    place = f"{file}:{function.lineno}"
    if isinstance(function, ast.AsyncFunctionDef):
        raise UsageError(f"{name} at {place} is a coroutine, which nobody would await", "write def instead of async def")
    taken = function.args
    if taken.posonlyargs:
        raise UsageError(f"{name} at {place} has parameters that cannot be given by name", "remove the / from its parameters")
    without_default = len(taken.args) - len(taken.defaults)
    positional = (Parameter(each.arg, index >= without_default) for index, each in enumerate(taken.args))
    by_name = (
        Parameter(each.arg, default is not None) for each, default in zip(taken.kwonlyargs, taken.kw_defaults, strict=True)
    )
    return Signature(place, (*positional, *by_name), taken.kwarg is not None)
