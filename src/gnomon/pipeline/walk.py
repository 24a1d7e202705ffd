"""One walk over the source text of a project, from a function to everything that it reaches."""

import builtins
import hashlib
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gnomon.errors import NotFoundError, UsageError
from gnomon.pipeline.naming import nearest
from gnomon.pipeline.project import Project
from gnomon.pipeline.scopes import SUBCLASSES, Chain, Import
from gnomon.pipeline.source import Source, Statement, read_source

_READS_ANYTHING = frozenset({"eval", "exec", "__import__"})
_READS_OWN_FILE = frozenset({"globals", "locals", "vars"})
# Standard modules that find code by name. ``importlib.metadata`` and ``importlib.resources`` do not.
_FINDS_CODE = frozenset({"importlib", "runpy", "pkgutil", "imp", "zipimport"})
# What this one finds is code of another project, whose own closure its callers make a parameter.
_LOADS_OTHERS = "gnomon.pipeline.loading"
_MODULE_ATTRIBUTES = frozenset({"__name__", "__file__", "__doc__", "__package__", "__path__", "__spec__", "__version__"})


@dataclass
class _Module:
    """A module of the project during one walk. One without source is a compiled extension or a bare folder."""

    name: str
    label: str
    package: str
    source: Source | None
    counted: set[int] = field(default_factory=set)

    def absolute(self, source: Import) -> str | None:
        """Return the full name of the module that an import of this one names; None beyond the top."""
        if source.level == 0:
            return source.module
        parts = self.package.split(".") if self.package else []
        if source.level > len(parts):
            return None
        return ".".join((*parts[: len(parts) - source.level + 1], *filter(None, (source.module,))))


class Walk:
    """One walk over what a function reaches. Nothing recurses deeper than names are passed on from module to module."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._owned: dict[str, bool] = {}
        self._modules: dict[str, _Module] = {}
        self.parts: dict[str, str] = {}
        """What was reached, with its digest."""
        self.third_party: set[str] = set()
        """Top-level modules of others that were reached."""
        self.uses_stdlib = False
        self.widened: set[str] = set()
        """Why more than the reached names was taken."""
        self._everything = False
        self._seen: set[tuple[str, str, Chain]] = set()
        self._executed: set[str] = set()
        self._searched: set[str] = set()
        self._to_execute: list[str] = []
        self._to_follow: list[tuple[_Module, Statement]] = []

    def reach(self, file: str, name: str) -> None:
        """Walk from one function. Raises NotFoundError, UsageError."""
        dotted = ".".join(PurePosixPath(file).with_suffix("").parts).removesuffix(".__init__")
        module = self._load(dotted, self._project.root / file)
        known = module.source.bindings if module.source is not None else {}
        if name not in known and not (module.source is not None and module.source.stars):
            near = nearest(name, known)
            raise NotFoundError(
                f"{file} defines no {name!r}" + (f", but {near!r}" if near else ""),
                "name a function at the top level of the file",
            )
        self._execute(dotted)
        self._attribute(module, name, ())
        self._drain()
        if self._everything:
            self._take_everything()
        self._close_modules()

    def reach_script(self, file: str, dotted: str) -> None:
        """Walk from a whole file that is run as a program, which importing it would name ``dotted``."""
        module = self._load(dotted, self._project.root / file, is_script=True)
        self._execute(dotted)
        self._whole(module.name, f"{module.label} is run as a program")
        self._drain()

    @property
    def files(self) -> set[Path]:
        """The files of the modules that were reached."""
        if self._everything:
            return {*self._project.files()}
        found = {self._project.file(name) for name in self._modules}
        return {path for path in found if path is not None}

    def _drain(self) -> None:
        while self._to_execute or self._to_follow:
            if self._to_execute:
                self._run_module(self._modules[self._to_execute.pop()])
            else:
                self._follow(*self._to_follow.pop())

    # Modules

    def _owns(self, module: str) -> bool:
        top = module.partition(".")[0]
        if top not in self._owned:
            self._owned[top] = self._project.owns(top)
        return self._owned[top]

    def _module(self, name: str) -> _Module | None:
        if name not in self._modules:
            path = self._project.file(name)
            if path is None and not self._project.root.joinpath(*name.split(".")).is_dir():
                return None
            self._load(name, path)
        return self._modules[name]

    def _load(self, name: str, path: Path | None, *, is_script: bool = False) -> _Module:
        is_python = path is not None and path.suffix == ".py"
        source = read_source(path, self._project, is_script=is_script) if path is not None and is_python else None
        label = name if path is None else path.relative_to(self._project.root).as_posix()
        is_package = path is None or path.name == "__init__.py"
        module = _Module(name, label, name if is_package else name.rpartition(".")[0], source)
        self._modules[name] = module
        if path is not None and not is_python:
            self.parts[label] = hashlib.sha256(path.read_bytes()).hexdigest()
        return module

    def _execute(self, name: str) -> None:
        """Count what importing a module of the project does, and the packages above it."""
        parts = name.split(".")
        for length in range(1, len(parts) + 1):
            prefix = ".".join(parts[:length])
            if prefix not in self._executed and self._module(prefix) is not None:
                self._executed.add(prefix)
                self._to_execute.append(prefix)

    def _run_module(self, module: _Module) -> None:
        for index, statement in module.source.run_by_import if module.source is not None else ():
            for source in statement.executes:
                self._executes(module, source)
            if statement.acts:
                self._count(module, index)
                for source in statement.executes if statement.is_import else ():
                    self._imported(module, source, ())

    def _executes(self, module: _Module, source: Import) -> None:
        target = module.absolute(source)
        if target is None:
            return
        if not self._owns(target):
            self._look_for(target.partition(".")[0])
            return
        self._execute(target)
        if source.name not in {None, "*"}:
            self._execute(f"{target}.{source.name}")

    # Names

    def _count(self, module: _Module, index: int) -> None:
        """Take a statement into the closure."""
        if module.source is None or index in module.counted:
            return
        module.counted.add(index)
        self._to_follow.append((module, module.source.statements[index]))

    def _follow(self, module: _Module, statement: Statement) -> None:
        """Reach what a counted statement reads."""
        reads = statement.reads
        for chain in reads.names:
            self._read(module, chain)
        for source in reads.executed:
            self._executes(module, source)
        for source, chain in reads.imported:
            if source.name == "*":
                self._star(module, source)
            else:
                self._imported(module, source, chain)
        for name in reads.dynamic:
            if name.startswith("."):
                self._whole_project(f"{module.label} imports {name!r} by a string")
            elif self._owns(name):
                self._execute(name)
                self._whole(name, f"{module.label} imports {name} by a string")
            else:
                self._foreign(module, name, ())

    def _read(self, module: _Module, chain: Chain) -> None:
        name = chain[0]
        if module.source is not None and name in module.source.bindings:
            self._attribute(module, name, chain[1:])
        elif chain == SUBCLASSES:
            self._whole_project(f"{module.label} asks for subclasses, which may be anywhere")
        elif name in _READS_ANYTHING:
            self._whole_project(f"{module.label} uses {name}")
        elif name in _READS_OWN_FILE:
            self._whole(module.name, f"{module.label} uses {name}")
        elif module.source is not None and not hasattr(builtins, name):
            for star in module.source.stars:
                self._star(module, star)

    def _attribute(self, module: _Module, name: str, chain: Chain) -> None:
        """Reach a name that a module binds, and then the attributes ``chain`` of it, as far as these are modules."""
        if (module.name, name, chain) in self._seen or module.source is None:
            return
        self._seen.add((module.name, name, chain))
        for statement in module.source.bindings.get(name, ()):
            sources = statement.binds[name]
            if statement.is_import:
                text = repr([(module.absolute(each), each.name) for each in sources])
                self.parts[f"{module.label}:{name}"] = hashlib.sha256(text.encode()).hexdigest()
            else:
                self._count(module, module.source.statements.index(statement))
            for source in sources:
                self._imported(module, source, chain)
        if name not in module.source.bindings:
            for star in module.source.stars:
                self._star(module, star)

    def _imported(self, module: _Module, source: Import, chain: Chain) -> None:
        """Reach what an import binds, and the attributes taken from it."""
        target = module.absolute(source)
        if target is None:
            return
        if not self._owns(target):
            self._foreign(module, target, chain if source.name is None else (source.name, *chain))
            return
        self._execute(target)
        if source.name is None:
            self._module_used(module, target, chain)
        else:
            self._member(module, target, source.name, chain)

    def _module_used(self, user: _Module, name: str, chain: Chain) -> None:
        if chain:
            self._member(user, name, chain[0], chain[1:])
        else:
            self._whole(name, f"{user.label} uses the module {name} as a value")

    def _member(self, user: _Module, target: str, name: str, chain: Chain) -> None:
        """Reach ``target.name``: what the module binds, or a module inside it."""
        module = self._module(target)
        if module is None:
            return  # importing it fails, here and when the step runs
        statements = module.source.bindings.get(name, []) if module.source is not None else []
        inside = f"{target}.{name}"
        # `from . import inside` in the package binds the name to the module inside it, not to something of its own.
        is_itself = any(
            source.name == name and module.absolute(source) == target for each in statements for source in each.binds[name]
        )
        if (not statements or is_itself) and self._module(inside) is not None:
            self._execute(inside)
            self._module_used(user, inside, chain)
        elif statements or (module.source is not None and module.source.stars):
            self._attribute(module, name, chain)
        elif module.source is not None and name not in _MODULE_ATTRIBUTES:
            self._whole(target, f"{user.label} takes {name} from {module.label}, which does not bind it by name")

    def _star(self, module: _Module, source: Import) -> None:
        target = module.absolute(source)
        if target is None:
            return
        if self._owns(target):
            self._execute(target)
            self._whole(target, f"{module.label} has a star import of {target}")
        else:
            self._foreign(module, target, ("*",))

    # Widening

    def _whole(self, name: str, why: str) -> None:
        """Take all of a module, and of the modules inside a package."""
        module = self._module(name)
        if module is None or (name, "*", ()) in self._seen:
            return
        self._seen.add((name, "*", ()))
        self.widened.add(f"{why}: all of {module.label} counts")
        if module.source is None:
            return
        for index, statement in enumerate(module.source.statements):
            self._count(module, index)
            for bound, sources in statement.binds.items():
                for source in sources:
                    if source.name is not None:
                        self._attribute(module, bound, ())

    def _whole_project(self, why: str) -> None:
        self._everything = True
        self.widened.add(f"{why}: the whole project counts")

    def _take_everything(self) -> None:
        for path in self._project.files():
            label = path.relative_to(self._project.root).as_posix()
            try:
                source = read_source(path, self._project)
            except UsageError:
                self.parts[f"{label}:*"] = hashlib.sha256(path.read_bytes()).hexdigest()
                continue
            self.parts[f"{label}:*"] = source.digest
            for statement in source.statements:
                for each in statement.executes:
                    if not self._project(each):
                        self._take_foreign(each.module.partition(".")[0])

    # What is not of the project

    def _foreign(self, module: _Module, target: str, chain: Chain) -> None:
        top = target.partition(".")[0]
        path = (*target.split("."), *chain)
        finds_code = top in _FINDS_CODE and path[1:2] not in {("metadata",), ("resources",)}
        if (finds_code or path[:2] == ("sys", "modules")) and module.name != _LOADS_OTHERS:
            self._whole_project(f"{module.label} uses {'.'.join(path)}")
        self._take_foreign(top)

    def _take_foreign(self, top: str) -> None:
        if top in sys.stdlib_module_names:
            self.uses_stdlib = True
        else:
            self.third_party.add(top)
            self._look_for(top)

    def _look_for(self, top: str) -> None:
        """Widen where a module is not on the import path, but somewhere in the project: a step changes the path."""
        if top in sys.stdlib_module_names or self._project.is_installed(top) or top in self._searched:
            return
        self._searched.add(top)
        if any(top in {path.stem, path.parent.name} for path in self._project.files()):
            self._whole_project(f"{top} is found only after a change of the import path")

    # The result

    def _close_modules(self) -> None:
        for module in self._modules.values():
            if module.source is None:
                continue
            counted = [module.source.statements[index] for index in sorted(module.counted)]
            named: dict[str, list[str]] = {}
            for statement in counted:
                for name in () if statement.is_import else statement.binds:
                    named.setdefault(name, []).append(statement.digest)
            for name, digests in named.items():
                self.parts[f"{module.label}:{name}"] = hashlib.sha256("".join(digests).encode()).hexdigest()
            # Statements that run one after another: what they do depends on their order.
            placed = "".join(statement.digest for statement in counted if statement.has_place or statement.acts)
            if placed:
                self.parts[f"{module.label}:<module>"] = hashlib.sha256(placed.encode()).hexdigest()
