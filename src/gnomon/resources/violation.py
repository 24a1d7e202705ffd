"""A rule that does not hold, as the rules of every kind yield it."""

from dataclasses import dataclass

from gnomon.resources.documents import NodePath


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold, and the place of the value that breaks it."""

    path: NodePath
    cause: str
    mend: str
