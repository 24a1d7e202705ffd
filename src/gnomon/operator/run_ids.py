"""Run ids: they sort by time and read well in a commit trailer."""

import secrets
from datetime import datetime


def new_run_id(now: datetime) -> str:
    """Return an id such as ``20260401-093012-5f3a9c``: the UTC second, and enough chance that two never meet."""
    return f"{now:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
