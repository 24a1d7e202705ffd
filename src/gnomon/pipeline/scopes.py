"""Which names a statement reads from its module: Python's scoping rules over syntax trees, nothing executed."""

import ast
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

Chain = tuple[str, ...]
"""A name and the attributes taken from it: ``helpers.inc`` is ``("helpers", "inc")``."""

SUBCLASSES: Chain = ("__subclasses__",)
"""Read where a class is told of its subclasses, which may be anywhere."""

_Scope = Mapping[str, tuple["Import", ...]]
"""The names that hide the module's own, and what they were imported as where they were."""

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


class Import(NamedTuple):
    """One imported name. ``name`` is None for ``import module``, ``*`` for all; ``level`` counts the leading dots."""

    bound: str
    module: str
    name: str | None = None
    level: int = 0


@dataclass
class Reads:
    """What a statement uses: names of its module, imports of its own, and imports by a name in a string."""

    names: set[Chain] = field(default_factory=set)
    imported: set[tuple[Import, Chain]] = field(default_factory=set)
    """Local imports, and the attributes that are taken from them."""
    executed: set[Import] = field(default_factory=set)
    dynamic: set[str] = field(default_factory=set)
    """Modules named by a literal, as in ``import_module("plugins.a")``."""


def imports_of(node: ast.Import | ast.ImportFrom) -> tuple[Import, ...]:
    """Return what an import statement binds. ``import a.b`` binds ``a``; ``Import.module`` is then ``a``."""
    if isinstance(node, ast.ImportFrom):
        return tuple(Import(a.asname or a.name, node.module or "", a.name, node.level) for a in node.names)
    return tuple(
        Import(a.asname, a.name) if a.asname else Import(a.name.partition(".")[0], a.name.partition(".")[0]) for a in node.names
    )


def executed_by(node: ast.Import | ast.ImportFrom) -> tuple[Import, ...]:
    """Return the modules that an import statement executes, each with its whole dotted name."""
    if isinstance(node, ast.ImportFrom):
        return imports_of(node)
    return tuple(Import(a.asname or a.name, a.name) for a in node.names)


def reads_of(statement: ast.stmt) -> Reads:
    """Return everything that a top-level statement may read, when it is executed and when what it defines is called.

    Names that are local to a function are left out, exactly as Python does; a class body hides nothing.
    """
    visitor = _Visitor()
    visitor.visit(statement, {})
    return visitor.reads


class _Visitor:
    def __init__(self) -> None:
        self.reads = Reads()

    def visit(self, node: ast.AST, scope: _Scope) -> None:  # noqa: C901, PLR0912 - one case for each kind of syntax
        match node:
            case ast.Name():
                self._use((node.id,), scope)
            case ast.Attribute():
                self._attribute(node, scope)
            case ast.Call():
                self._call(node, scope)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._function(node, scope)
            case ast.ClassDef():
                self._children(node, scope)
                self._use_imports(_own_nodes(node.body), lambda _: True)  # they are attributes now, read through the class
                if _knows_subclasses(node):
                    self.reads.names.add(SUBCLASSES)
            case ast.Lambda():
                self._arguments(node.args, scope)
                self.visit(node.body, {**scope, **_argument_names(node.args)})
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                self._children(node, {**scope, **_comprehension_names(node)})
                self.visit(node.generators[0].iter, scope)
            case ast.Import() | ast.ImportFrom():
                self.reads.executed.update(executed_by(node))
                stars = (each for each in imports_of(node) if each.name == "*")
                self.reads.imported.update((star, ()) for star in stars)
            case ast.Global():
                for name in node.names:
                    self._use((name,), {})
            case ast.AnnAssign():
                self._children(node, scope)
                self._forward_references(node.annotation, scope)
            case _:
                self._children(node, scope)

    def _children(self, node: ast.AST, scope: _Scope) -> None:
        for child in ast.iter_child_nodes(node):
            self.visit(child, scope)

    def _use(self, chain: Chain, scope: _Scope) -> None:
        if chain[0] not in scope:
            self.reads.names.add(chain)
        for source in scope.get(chain[0], ()):
            self.reads.imported.add((source, chain[1:]))

    def _attribute(self, node: ast.Attribute, scope: _Scope) -> None:
        chain: list[str] = []
        value: ast.expr = node
        while isinstance(value, ast.Attribute):
            chain.append(value.attr)
            value = value.value
        if isinstance(value, ast.Name):
            self._use((value.id, *reversed(chain)), scope)
        else:
            self.visit(value, scope)
        if "__subclasses__" in chain:
            self.reads.names.add(SUBCLASSES)

    def _call(self, node: ast.Call, scope: _Scope) -> None:
        callee = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if callee in {"import_module", "__import__"} and node.args and isinstance(node.args[0], ast.Constant):
            self.reads.dynamic.add(str(node.args[0].value))
            for child in (*node.args[1:], *node.keywords):
                self.visit(child, scope)
            return
        if callee == "vars" and isinstance(node.func, ast.Name) and node.args:
            for child in (*node.args, *node.keywords):
                self.visit(child, scope)
            return
        self._children(node, scope)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, scope: _Scope) -> None:
        for decorator in node.decorator_list:
            self.visit(decorator, scope)
        self._arguments(node.args, scope)
        if node.returns is not None:
            self._annotation(node.returns, scope)
        own = tuple(_own_nodes(node.body))
        declared = _names_of(ast.Global, own)
        inner = {**scope, **_local_names(node, own)}
        for name in declared:
            inner.pop(name, None)
        shared = declared | _names_of(ast.Nonlocal, own)
        self._use_imports(own, shared.__contains__)
        for child in node.body:
            self.visit(child, inner)

    def _use_imports(self, own: Iterable[ast.AST], is_shared: Callable[[str], bool]) -> None:
        """Take imports whose names are read from elsewhere for used, whatever is taken from them."""
        for each in own:
            if isinstance(each, ast.Import | ast.ImportFrom):
                self.reads.imported.update((source, ()) for source in imports_of(each) if is_shared(source.bound))

    def _arguments(self, arguments: ast.arguments, scope: _Scope) -> None:
        for default in (*arguments.defaults, *(each for each in arguments.kw_defaults if each is not None)):
            self.visit(default, scope)
        for argument in _all_arguments(arguments):
            if argument.annotation is not None:
                self._annotation(argument.annotation, scope)

    def _annotation(self, node: ast.expr, scope: _Scope) -> None:
        self.visit(node, scope)
        self._forward_references(node, scope)

    def _forward_references(self, node: ast.expr, scope: _Scope) -> None:
        for each in ast.walk(node):
            if isinstance(each, ast.Constant) and isinstance(each.value, str):
                try:
                    self.visit(ast.parse(each.value, mode="eval"), scope)
                except SyntaxError:
                    continue  # an ordinary string, as in Literal["two words"]


def _knows_subclasses(node: ast.ClassDef) -> bool:
    """Whether making a subclass runs code of this class: a metaclass, or one with ``__init_subclass__``."""
    return any(isinstance(base, ast.Name) and base.id == "type" for base in node.bases) or any(
        isinstance(each, _FUNCTIONS) and each.name == "__init_subclass__" for each in node.body
    )


def _all_arguments(arguments: ast.arguments) -> Iterator[ast.arg]:
    yield from (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
    yield from (each for each in (arguments.vararg, arguments.kwarg) if each is not None)


def _argument_names(arguments: ast.arguments) -> dict[str, tuple[Import, ...]]:
    return {argument.arg: () for argument in _all_arguments(arguments)}


def _comprehension_names(node: ast.AST) -> dict[str, tuple[Import, ...]]:
    generators: Iterable[ast.comprehension] = getattr(node, "generators", ())
    return {each.id: () for g in generators for each in ast.walk(g.target) if isinstance(each, ast.Name)}


def _own_nodes(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield the nodes of a function body that belong to its own scope."""
    stack = list(body)
    while stack:
        node = stack.pop()
        yield node
        if isinstance(node, (*_FUNCTIONS, ast.ClassDef, ast.Lambda)):
            continue
        if isinstance(node, _COMPREHENSIONS):
            stack.extend(each for each in ast.walk(node) if isinstance(each, ast.NamedExpr))
            continue
        stack.extend(ast.iter_child_nodes(node))


def _local_names(function: ast.FunctionDef | ast.AsyncFunctionDef, own: Iterable[ast.AST]) -> dict[str, tuple[Import, ...]]:
    names = _argument_names(function.args)
    names.update({each.name: () for each in getattr(function, "type_params", ())})
    for node in own:
        match node:
            case ast.Name(ctx=ast.Store() | ast.Del()):
                names.setdefault(node.id, ())
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                names.setdefault(node.name, ())
            case ast.Import() | ast.ImportFrom():
                for each in imports_of(node):
                    names[each.bound] = (*names.get(each.bound, ()), each)
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                names.setdefault(name, ())
            case ast.MatchMapping(rest=str(name)):
                names.setdefault(name, ())
            case _:
                pass
    return names


def _names_of(kind: type[ast.Global | ast.Nonlocal], own: Iterable[ast.AST]) -> set[str]:
    return {name for node in own if isinstance(node, kind) for name in node.names}
