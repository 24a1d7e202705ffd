"""A source file becomes top-level statements: what each binds, whether it acts when the module is imported, its digest.

Comments, docstrings, positions and formatting are gone, and so are the annotations of variables and of undecorated functions.
Annotations in a class body and of a decorated function stay: dataclasses, pydantic or ``singledispatch`` read them.
"""

import ast
import hashlib
import sys
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from pathlib import Path

from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.scopes import Import, Reads, executed_by, imports_of, reads_of

# Importing or calling these changes nothing outside of their result, so an unused result cannot matter to anyone.
_PURE_MODULES = frozenset(
    {
        "abc",
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "itertools",
        "logging",
        "math",
        "operator",
        "pathlib",
        "re",
        "statistics",
        "string",
        "types",
        "typing",
        "typing_extensions",
        "uuid",
        "zoneinfo",
    }
)
_PURE_BUILTINS = frozenset(
    {
        "bool",
        "bytes",
        "complex",
        "dict",
        "float",
        "frozenset",
        "int",
        "len",
        "list",
        "max",
        "min",
        "object",
        "property",
        "range",
        "repr",
        "set",
        "slice",
        "sorted",
        "classmethod",
        "staticmethod",
        "str",
        "sum",
        "super",
        "tuple",
        "type",
        "zip",
    }
)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_MAIN_GUARD = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)


class Statement:
    """One top-level statement.

    Args:
        node: Its syntax tree.
        acts: Whether it does something when the module is imported, beyond binding its names.
    """

    def __init__(self, node: ast.stmt, *, acts: bool) -> None:
        self.acts = acts
        self.is_import = isinstance(node, ast.Import | ast.ImportFrom)
        """Whether this is nothing but an import."""
        self.has_place = not self.is_import and not (isinstance(node, _DEFINITIONS) and not node.decorator_list)
        """Whether its order among the other statements matters: all but imports and plain definitions."""
        self.binds: dict[str, tuple[Import, ...]] = {}
        self.executes: list[Import] = []
        self._node = node
        for name, source in _bindings(node):
            self.binds[name] = (*self.binds.get(name, ()), *source)
        for each in _import_statements(node):
            self.executes.extend(executed_by(each))

    @cached_property
    def digest(self) -> str:
        """The digest of its syntax tree."""
        return hashlib.sha256(ast.dump(self._tree).encode("utf-8", "surrogatepass")).hexdigest()

    @cached_property
    def reads(self) -> Reads:
        """What it may read, now or when what it defines is called."""
        return reads_of(self._tree)

    @cached_property
    def _tree(self) -> ast.stmt:
        _strip_body(self._node, in_class=False)
        return _without_annotation(self._node, in_class=False)


class Source:
    """A parsed file. Statements that an import never executes (``if __name__ == "__main__"``) count in a script alone."""

    def __init__(self, path: Path, text: bytes, is_project: Callable[[Import], bool], *, is_script: bool = False) -> None:
        try:
            tree = ast.parse(text, str(path))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            raise UsageError(
                f"{path}{f':{line}' if line else ''} is not Python {sys.version_info.major}.{sys.version_info.minor}: {error}",
                "mend the file",
            ) from error
        nodes = [node for node in tree.body if not _is_noise(node) and (is_script or not _is_main(node))]
        imports = {name: source for node in nodes for name, source in _bindings(node) if source}
        quiet = _Quiet(imports, {name for node in nodes for name, source in _bindings(node) if not source}, is_project)
        named = {each.id for node in nodes for each in ast.walk(node) if isinstance(each, ast.Name)}
        self.statements = tuple(
            Statement(node, acts=not quiet.statement(node) or _is_for_effect(node, named, is_project)) for node in nodes
        )
        self.run_by_import = tuple((index, each) for index, each in enumerate(self.statements) if each.executes or each.acts)
        """The statements that matter when the module is imported, with their places."""
        self.bindings: dict[str, list[Statement]] = {}
        for statement in self.statements:
            for name in statement.binds:
                self.bindings.setdefault(name, []).append(statement)

    @property
    def stars(self) -> tuple[Import, ...]:
        """The ``from module import *`` of the file."""
        return tuple(each for each in (i for s in self.statements for i in s.executes) if each.name == "*")

    @cached_property
    def digest(self) -> str:
        """The digest of the whole file."""
        return hashlib.sha256("".join(statement.digest for statement in self.statements).encode()).hexdigest()


@lru_cache(maxsize=256)
def _parsed(path: Path, _stamp: tuple[int, ...], is_project: Callable[[Import], bool], is_script: bool) -> Source:  # noqa: FBT001
    return Source(path, path.read_bytes(), is_project, is_script=is_script)


def read_source(path: Path, is_project: Callable[[Import], bool], *, is_script: bool = False) -> Source:
    """Return the parsed file; a file that has not changed since is not read again.

    Args:
        path: The file.
        is_project: Whether an import leads to a file of the project. Equal predicates give equal results.
        is_script: Whether the file is run as a program, not imported.

    Raises:
        NotFoundError: There is no such file.
        UsageError: It is not Python.
    """
    try:
        seen = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(
            f"{path} does not exist", "name a Python file relative to the folder its imports start from"
        ) from None
    return _parsed(path, (seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns), is_project, is_script)


def _is_noise(node: ast.stmt) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _is_main(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and not node.orelse and ast.dump(node.test) == _MAIN_GUARD


def _is_typing_only(node: ast.stmt) -> bool:
    if not isinstance(node, ast.If):
        return False
    return getattr(node.test, "id", getattr(node.test, "attr", "")) == "TYPE_CHECKING"


def _is_for_effect(node: ast.stmt, named: set[str], is_project: Callable[[Import], bool]) -> bool:
    """Whether a third-party module is imported and never named again: then only for what importing it does."""
    if not isinstance(node, ast.Import | ast.ImportFrom) or getattr(node, "module", "") == "__future__":
        return False
    return any(each.bound not in named and not is_project(each) for each in imports_of(node))


def _blocks(node: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements directly inside a compound statement, handlers and cases included."""
    for name in ("body", "orelse", "finalbody"):
        yield from getattr(node, name, ())
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        yield from part.body


def _bindings(node: ast.stmt) -> Iterator[tuple[str, tuple[Import, ...]]]:
    """Yield the names that a top-level statement binds in the module."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name, ()
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((each.bound, (each,)) for each in imports_of(node) if each.name != "*")
    else:
        inner = set(_blocks(node))
        for part in ast.iter_child_nodes(node):
            if part in inner:
                continue
            if isinstance(part, ast.ExceptHandler | ast.match_case):
                continue
            yield from (
                (each.id, ()) for each in ast.walk(part) if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
            )
        for statement in _blocks(node):
            yield from _bindings(statement)


def _import_statements(node: ast.stmt) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports that importing the module executes: those in functions wait until the function is called."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        yield node
    elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_typing_only(node):
        for statement in _blocks(node):
            yield from _import_statements(statement)


class _Quiet:
    """Tells the statements that only bind names from those that may change what others see."""

    def __init__(self, imports: dict[str, tuple[Import, ...]], defined: set[str], is_project: Callable[[Import], bool]) -> None:
        self._imports = imports
        self._defined = defined
        self._is_project = is_project

    def statement(self, node: ast.stmt) -> bool:
        match node:
            case ast.Import() | ast.ImportFrom() | ast.Pass() | ast.Global():
                return True
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                return all(map(self._decorator, node.decorator_list)) and self._expressions(node.args)
            case ast.ClassDef():
                return (
                    all(map(self._decorator, node.decorator_list))
                    and all(self._expressions(each) for each in (*node.bases, *node.keywords))
                    and all(_is_noise(each) or self.statement(each) for each in node.body)
                )
            case ast.Assign() | ast.AugAssign() | ast.AnnAssign() | ast.Delete():
                return self._targets(node) and self._expressions(node)
            case ast.Expr():
                return isinstance(node.value, ast.Constant)
            case ast.If():
                return _is_typing_only(node) or (self._expressions(node.test) and self._all(_blocks(node)))
            case ast.Try():
                return self._all(_blocks(node))
            case ast.For():
                return self._expressions(node.iter) and self._expressions(node.target) and self._all(_blocks(node))
            case _:
                return type(node).__name__ == "TypeAlias"

    def _all(self, nodes: Iterator[ast.stmt]) -> bool:
        return all(_is_noise(node) or self.statement(node) for node in nodes)

    def _targets(self, node: ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete) -> bool:
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        return not any(isinstance(each, ast.Attribute | ast.Subscript) for target in targets for each in ast.walk(target))

    def _expressions(self, node: ast.AST) -> bool:
        """Whether no call in an expression may do more than return a value."""
        if isinstance(node, ast.Lambda | ast.arg):
            return True
        if isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            return False
        if isinstance(node, ast.Call) and not self._call(node):
            return False
        return all(self._expressions(child) for child in ast.iter_child_nodes(node))

    def _call(self, node: ast.Call) -> bool:
        """Whether a call does nothing but return a value, whatever it is given.

        That is: a pure builtin, anything of a pure standard module, an instance (by its capital) of a class that is not the
        project's, or a method of such a result or of a literal.
        """
        callee = node.func
        last = callee.attr if isinstance(callee, ast.Attribute) else getattr(callee, "id", "")
        root: ast.AST = callee
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Constant | ast.JoinedStr):
            return True
        if isinstance(root, ast.Call):
            return self._call(root)
        if not isinstance(root, ast.Name) or root.id in self._defined:
            return False
        sources = self._imports.get(root.id)
        if sources is None:
            return root is callee and last in _PURE_BUILTINS
        return all(
            not self._is_project(each) and (each.module.partition(".")[0] in _PURE_MODULES or last.lstrip("_")[:1].isupper())
            for each in sources
        )

    def _decorator(self, node: ast.expr) -> bool:
        if isinstance(node, ast.Call):
            return self._expressions(node)
        name = node
        while isinstance(name, ast.Attribute):
            name = name.value
        if not isinstance(name, ast.Name):
            return False
        sources = self._imports.get(name.id)
        if name.id in self._defined or sources is None:
            # @property, and @total.setter where total is the property above, bind names of the class alone.
            return name.id in _PURE_BUILTINS or (
                isinstance(node, ast.Attribute) and node.attr in {"setter", "getter", "deleter"}
            )
        return all(not self._is_project(each) and each.module.partition(".")[0] in _PURE_MODULES for each in sources)


def _strip_body(node: ast.AST, *, in_class: bool) -> None:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.decorator_list:
        node.returns = None
        for argument in ast.walk(node.args):
            if isinstance(argument, ast.arg):
                argument.annotation = None
    inner_class = isinstance(node, ast.ClassDef) or (in_class and not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    for name in ("body", "orelse", "finalbody"):
        block = getattr(node, name, None)
        if isinstance(block, list):
            kept = [_without_annotation(each, in_class=inner_class) for each in block if not _is_noise(each)]
            for each in kept:
                _strip_body(each, in_class=inner_class)
            block[:] = kept or ([ast.Pass()] if block else [])
    for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
        _strip_body(part, in_class=in_class)


def _without_annotation(node: ast.stmt, *, in_class: bool) -> ast.stmt:
    if not isinstance(node, ast.AnnAssign) or in_class:
        return node
    return ast.Assign([node.target], node.value) if node.value is not None else ast.Pass()
