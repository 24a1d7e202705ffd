"""Runs that are told to stop."""

from gnomon.errors import GnomonError


class RunCancelledError(GnomonError):
    """The run was told to stop."""
