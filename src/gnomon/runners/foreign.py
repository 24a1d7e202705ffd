"""The zygote of another environment: ``PYTHON -P …/gnomon/runners/foreign.py CONTROL-FD MODULE…``.

That environment has not installed this package. It finds it here, and nothing else from here: all other modules are its own.
"""

import importlib.machinery
import importlib.util
import sys
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]


class _OurPackage:
    """Finds this package where this file lies."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> importlib.machinery.ModuleSpec | None:
        """Return where a module is, for ``gnomon`` itself; its own modules are found below it."""
        del path, target
        if name != _PACKAGE.name:
            return None
        return importlib.util.spec_from_file_location(
            name, _PACKAGE / "__init__.py", submodule_search_locations=[str(_PACKAGE)]
        )


if __name__ == "__main__":
    # First, because what this side says must fit the side that started it.
    sys.meta_path.insert(0, _OurPackage)
    from gnomon.runners.zygote import main

    main()
