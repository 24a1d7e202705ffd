"""What a command of a pipeline has put into it: ``{inputs.NAME}``, ``{params.NAME}``, ``{outputs.NAME}`` and ``{seed}``."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast

Group = Literal["inputs", "params", "outputs", "seed"]
_PART = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAMED = re.compile(r"(inputs|params|outputs)\.([A-Za-z][-_A-Za-z0-9]*)")


@dataclass(frozen=True)
class Placeholder:
    """One place: ``name`` is empty for the seed."""

    group: Group
    name: str


def placeholders(command: str | Sequence[str]) -> tuple[Placeholder, ...]:
    """Return what is put into a command, each once, in order. ``{{`` and ``}}`` are braces.

    Raises:
        ValueError: A brace stands alone, or what stands between two of them is none of the four.
    """
    found: dict[Placeholder, None] = {}
    for word in [command] if isinstance(command, str) else command:
        for part in _PART.finditer(word):
            if part[0] not in {"{{", "}}"}:
                found[_placeholder(part)] = None
    return tuple(found)


def _placeholder(part: re.Match[str]) -> Placeholder:
    inside = part[1]
    if inside is None:
        raise ValueError(f"a {part[0]} stands alone: write {part[0] * 2} for a brace")
    if inside == "seed":
        return Placeholder("seed", "")
    named = _NAMED.fullmatch(inside)
    if named is None:
        known = "{inputs.NAME}, {params.NAME}, {outputs.NAME} and {seed}"
        raise ValueError(f"{part[0]} is none of {known}: write {{{{ and }}}} for braces")
    return Placeholder(cast("Group", named[1]), named[2])
