"""Gnomon: GitOps for machine learning.

The Git repository is the gnomon, production is its shadow.
This package stays light: importing it pulls in no machine learning library.
"""

from typing import TYPE_CHECKING, Any

from gnomon.version import __version__

if TYPE_CHECKING:
    from gnomon.registry.loading import load

__all__ = ["__version__", "load"]


def __getattr__(name: str) -> Any:
    """Import ``load`` when it is first asked for, because it needs NumPy and ONNX Runtime."""
    if name != "load":
        raise AttributeError(f"module 'gnomon' has no attribute {name!r}")
    from gnomon.registry.loading import load  # noqa: PLC0415 - importing gnomon stays light

    return load
