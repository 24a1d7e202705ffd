"""A function of a project becomes something that can be called, from the text that lies there now.

``walk`` takes nothing that this module loads into the closure of whoever calls it: that is code of another project, which has
a closure of its own. Callers make its digest a parameter.
"""

import hashlib
import importlib
import importlib.machinery
import importlib.util
import marshal
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, ClassVar

from gnomon.errors import NotFoundError

_PYTHON = importlib.util.MAGIC_NUMBER


def keep_compiled(folder: Path | None) -> None:
    """Keep what is compiled from now on in a folder, for the other processes that load it; None keeps nothing."""
    _FromText.compiled = folder


def load_function(root: Path, file: str, name: str) -> Callable[..., Any]:
    """Import a function from the file of a project, compiled from the text that lies there now.

    Bytecode of the project is neither read nor written: Python tells stale bytecode by size and a time in whole seconds, which
    a second commit within the second defeats.

    Raises:
        NotFoundError: The module does not bind the name to something that can be called.
    """
    root = root.resolve()
    path = root / file
    module_name = ".".join(Path(file).with_suffix("").parts).removesuffix(".__init__")
    if str(root) not in sys.path[1:]:
        _import_from_text(root)
    elif getattr(sys.modules.get(module_name), "__file__", None) == str(path):
        # Our own package, or another installed one, and loaded before the fork: its files are the installer's affair.
        return _function(sys.modules[module_name], file, name)
    return _function(_imported(module_name, path), file, name)


def _function(module: ModuleType, file: str, name: str) -> Callable[..., Any]:
    function = getattr(module, name, None)
    if not callable(function):
        raise NotFoundError(f"{file} has no function {name!r}", "define it at the top level of the file")
    return function  # type: ignore[no-any-return]  # callable is all that is known of it


def _import_from_text(root: Path) -> None:
    """Make a project importable, before all else, from its source text alone, and forget what was imported of it before."""
    # Looking at every loaded module instead would cost a fresh fork 400 page copies.
    while _FromText.loaded:
        sys.modules.pop(_FromText.loaded.pop(), None)
    sys.path[:] = [str(root), *(each for each in sys.path if each != str(root))]
    hook = importlib.machinery.FileFinder.path_hook(
        (importlib.machinery.ExtensionFileLoader, importlib.machinery.EXTENSION_SUFFIXES), (_FromText, [".py"])
    )

    def only_below_root(entry: str) -> Any:
        if entry != str(root) and not entry.startswith(f"{root}{os.sep}"):
            raise ImportError(entry)
        return hook(entry)

    sys.path_hooks.insert(0, only_below_root)
    for entry in [each for each in sys.path_importer_cache if each.startswith(str(root))]:
        del sys.path_importer_cache[entry]


class _FromText(importlib.machinery.SourceFileLoader):
    """Loads what the text says. What was compiled is kept by the digest of the text, for the other steps of the run."""

    compiled: Path | None = None
    loaded: ClassVar[set[str]] = set()

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of a module."""
        self.loaded.add(fullname)
        path = self.get_filename(fullname)
        text = self.get_data(path)
        if self.compiled is None:
            return self.source_to_code(text, path)
        # The path is part of the code: tracebacks show it.
        kept = self.compiled / hashlib.sha256(_PYTHON + path.encode() + b"\0" + text).hexdigest()
        try:
            return marshal.loads(kept.read_bytes())  # type: ignore[no-any-return]  # noqa: S302 - written below, by this run
        except FileNotFoundError:
            code = self.source_to_code(text, path)
        draft = kept.with_suffix(f".{os.getpid()}")
        draft.write_bytes(marshal.dumps(code))
        draft.rename(kept)
        return code


def _imported(name: str, path: Path) -> ModuleType:
    if name.replace(".", "").isidentifier() and name.partition(".")[0] not in sys.modules:
        module = importlib.import_module(name)
        if module.__file__ == str(path):
            return module
    # A file that cannot be imported by a name of its own: my-train.py, or one named like a module that is loaded already.
    spec = importlib.util.spec_from_file_location(name, path, loader=_FromText(name, str(path)))
    if spec is None or spec.loader is None:
        raise NotFoundError(f"{path} cannot be imported", "give it the ending .py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
