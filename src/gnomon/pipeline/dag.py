"""Steps and the graph that they form: values only."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

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
class Command:
    """A program, started without a shell in a working folder of the step's own, which holds copies of its files alone.

    What the step is given stands in ``argv`` as ``{inputs.NAME}`` (the path of a file; a list of inputs, standing alone,
    becomes several arguments), ``{params.NAME}`` (text as it is, anything else as JSON), ``{outputs.NAME}`` (the path of a
    declared output) and ``{seed}``; ``{{`` and ``}}`` are braces. The same is in the environment, for scripts and shells:
    ``GNOMON_INPUT_NAME``, ``GNOMON_PARAM_NAME``, ``GNOMON_OUTPUT_NAME``, ``GNOMON_SEED``.

    Args:
        root: The project that its files are taken from.
        argv: The program and its arguments. Words that name a file or a folder of the project are among its files, and
            with a Python file the modules of the project that it imports.
        outputs: Result name -> file or folder, relative to the working folder, that the program must leave. A result
            ending in ``.json``, ``.npy``, ``.arrow`` or ``.onnx`` is given to functions as its value, any other as a path.
        files: Further files and folders of the project that the program needs, relative to ``root``.
    """

    root: Path
    argv: tuple[str, ...]
    outputs: Mapping[str, str] = field(default_factory=dict)
    files: tuple[str, ...] = ()


class Environment(NamedTuple):
    """A Python environment of the user's own that a step runs in, see ``pipeline.environments``.

    Args:
        python: Its interpreter.
        digest: Names everything that is installed in it. It is part of the step key.
    """

    python: Path
    digest: str


class Retry(NamedTuple):
    """How often a step that failed is tried again, and after how long: ``backoff``, then ``factor`` times as long each time."""

    times: int = 0
    backoff: timedelta = timedelta(seconds=10)
    factor: float = 2.0


@dataclass(frozen=True)
class FromStep:
    """The result of another step as an argument; ``item`` picks one of its named results, None takes it whole."""

    step: str
    item: str | None = None


@dataclass(frozen=True)
class FromStore:
    """A kept value as an argument: ``codec`` names how ``pipeline.values`` reads it, ``suffix`` what a path is to end in."""

    digest: Digest
    codec: str
    suffix: str = ""


Argument = FromStep | FromStore | tuple["Argument", ...]
"""One argument: a result, a kept value, or a list of them."""


@dataclass(frozen=True)
class Step:
    """One call of a function with keyword arguments from ``params``, ``inputs`` and ``settings``, or one run of a program.

    ``params`` are JSON values and ``inputs`` results of steps or kept values: both make the key of the step. ``settings``
    are JSON values that do not change the result, such as where a store lies: they do not.

    Args:
        name: Unique in its graph.
        work: What is done.
        params: See above.
        inputs: See above.
        settings: See above.
        seed: What the generators of random numbers start from.
        timeout: How long an attempt may take.
        memory_bytes: How much memory it may use; more ends it.
        results: Names for the parts of a tuple that the function returns, in order; without them it returns one value or a
            dict of items.
        secrets: Names of environment variables that the step may read. Their names are part of the key, their values are
            not; the driver takes them from its own environment when the step starts.
        retry: How often a failure is tried again.
        environment: Where the step runs, when that is not our own interpreter.
        gpu: How many GPUs it holds while it runs. It sees those alone.
        cpus: How many slots it holds while it runs, and how many threads libraries may use.
        priority: Of two steps that could start, the one with the higher priority starts first.
        needs: Steps that must have succeeded before, though nothing of theirs is taken.
    """

    name: str
    work: FunctionRef | Command
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Argument] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    timeout: timedelta | None = None
    memory_bytes: int | None = None
    results: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    retry: Retry = Retry()  # noqa: RUF009 - a tuple, which nobody can change
    environment: Environment | None = None
    gpu: int = 0
    cpus: int = 1
    priority: int = 0
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dag:
    """Steps in any order. ``pipeline.driver`` refuses doubled names, unknown names and cycles before the first step."""

    steps: tuple[Step, ...]
