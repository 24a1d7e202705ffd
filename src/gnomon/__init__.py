"""Gnomon: GitOps for machine learning.

The Git repository is the gnomon, production is its shadow.
This package stays light: importing it pulls in no machine learning library.
"""

from gnomon.version import __version__

__all__ = ["__version__"]
