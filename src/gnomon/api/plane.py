"""What the API answers from."""

from dataclasses import dataclass
from typing import Any

from gnomon.operator.assemble import Assembly


@dataclass(frozen=True)
class ControlPlane:
    """What the API answers from."""

    assembly: Assembly
    about: dict[str, Any]
    token: str = ""
    """What callers must know; nothing where it is empty."""
