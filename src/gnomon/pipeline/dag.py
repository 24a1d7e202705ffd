"""Steps and the graph that they form: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from gnomon.resources.identity import Digest


@dataclass(frozen=True)
class FunctionRef:
    """A plain Python function: ``name`` in ``file``, a path relative to ``root``, the folder that its imports start from.

    The closure of the function is everything of ``root`` that it reaches. For our own steps, ``root`` is the folder
    that holds the package ``gnomon``.
    """

    root: Path
    file: str
    name: str


@dataclass(frozen=True)
class FromStep:
    """The result of another step as an argument; ``item`` picks one of its named results, None takes it whole."""

    step: str
    item: str | None = None


@dataclass(frozen=True)
class FromStore:
    """A kept value as an argument: ``codec`` names how ``pipeline.values`` reads it.

    Codecs are ``json``, ``bytes``, ``arrow`` (a memory-mapped table), ``npy`` and ``path`` (the kept file itself).
    """

    digest: Digest
    codec: str


Argument = FromStep | FromStore | tuple["Argument", ...]
"""One argument: a result, a kept value, or a list of them."""


@dataclass(frozen=True)
class Step:
    """One call of a function with keyword arguments from ``params``, ``inputs`` and ``settings``.

    ``params`` are JSON values and ``inputs`` results of steps or kept values: both make the key of the step. ``settings``
    are JSON values that do not change the result, such as where a store lies: they do not.
    """

    name: str
    function: FunctionRef
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Argument] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    timeout: timedelta | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True)
class Dag:
    """Steps in any order. ``pipeline.driver`` refuses doubled names, unknown names and cycles before the first step."""

    steps: tuple[Step, ...]
