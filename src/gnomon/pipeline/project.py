"""Where the modules of a project lie: which imports lead into it, and to which file."""

import importlib.machinery
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from gnomon.pipeline.distributions import is_installed
from gnomon.pipeline.scopes import Import


@dataclass(frozen=True)
class Project:
    """Where the modules of a project lie, taken to stay where they are: what was looked for is remembered.

    Args:
        root: The folder that imports start from.
        only: The one package that counts, where the folder holds other installed packages too.
        search: Where modules of others are installed; None stands for this interpreter's own path.
    """

    root: Path
    only: str | None
    search: tuple[str, ...] | None = None
    _found: dict[str, Path | None] = field(default_factory=dict, init=False, compare=False, repr=False)

    def __call__(self, source: Import) -> bool:
        """Return whether an import leads into the project."""
        return source.level > 0 or self.owns(source.module)

    def owns(self, module: str) -> bool:
        """Return whether a module belongs to the project."""
        top = module.partition(".")[0]
        if self.only is not None:
            return top == self.only
        if self.file(top) is not None:
            return True
        # A folder without __init__.py gives way to a regular module anywhere on the path.
        return (self.root / top).is_dir() and top not in sys.stdlib_module_names and not self.is_installed(top)

    def is_installed(self, top: str) -> bool:
        """Return whether a module of others can be imported."""
        return is_installed(top, self.search)

    def file(self, module: str) -> Path | None:
        """Return the file of a module, as the import system would find it; None for a bare folder too."""
        if module not in self._found:
            self._found[module] = self._file(module)
        return self._found[module]

    def _file(self, module: str) -> Path | None:
        base = self.root.joinpath(*module.split("."))
        package = base / "__init__.py"
        if package.is_file():
            return package
        for suffix in (*importlib.machinery.EXTENSION_SUFFIXES, ".py"):
            path = base.with_name(base.name + suffix)
            if path.is_file():
                return path
        return None

    def files(self) -> Iterator[Path]:
        """Yield every Python file of the project, sorted."""
        top = self.root if self.only is None else self.root / self.only
        for path in sorted(top.rglob("*.py")):
            inside = path.relative_to(self.root).parts[:-1]
            if not any(part.startswith(".") or part in {"site-packages", "node_modules", "__pycache__"} for part in inside):
                yield path
