"""Kind Pipeline: functions and commands of the repository, run as a graph in which nothing known is run twice."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue, StringConstraints, WithJsonSchema

from gnomon.resources.base import Name, Resource, Strict
from gnomon.resources.cron import Cron, TimeZone
from gnomon.resources.quantities import ByteSize, Duration

RESULT_PATTERN = r"^[a-z]([-_a-z0-9]{0,61}[a-z0-9])?$"
ResultName = Annotated[str, StringConstraints(pattern=RESULT_PATTERN)]
"""The name of a step, of one of its results, or of an input. Functions take it under its name, with ``_`` for ``-``."""

PARAMETER_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,62}$"
ParameterName = Annotated[str, StringConstraints(pattern=PARAMETER_PATTERN)]

AnyValue = Annotated[JsonValue, WithJsonSchema({})]
"""Any JSON value."""

FUNCTION_PATTERN = r"^[^:\s][^:]*\.py:[A-Za-z_][A-Za-z0-9_]*$"
Function = Annotated[str, StringConstraints(pattern=FUNCTION_PATTERN)]
"""A Python function as ``file.py:function``."""

SECRET_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"  # noqa: S105 - the form of a name, not a secret
SecretName = Annotated[str, StringConstraints(pattern=SECRET_PATTERN)]

FilePath = Annotated[str, StringConstraints(min_length=1, max_length=1024)]


class Retry(Strict):
    """How often a step that fails is tried again."""

    times: Annotated[int, Field(ge=1, le=20)] = 1
    """How often at most."""
    backoff: Duration = timedelta(seconds=10)
    """How long to wait before the first time; each further wait is twice as long."""


class PipelineInput(Strict):
    """Data that steps take by a name: the snapshot of a Dataset, or files of the repository."""

    dataset: Name | None = None
    """A Dataset of this namespace; steps are given its newest good snapshot."""
    files: FilePath | None = None
    """A path of the repository, given to steps as a path; or a glob, given as a list of paths."""
    as_: Literal["table", "files"] = Field(default="table", alias="as")
    """A snapshot as one memory-mapped Arrow table, or as the list of its files, which may be larger than memory."""


class PipelineStep(Strict):
    """One function or one command, run in a process of its own."""

    name: ResultName
    """What others call its result."""
    python: Function | None = None
    """A function of the repository, ``file.py:function``. Its parameters are named like what they take."""
    command: Annotated[str, StringConstraints(min_length=1)] | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    """A program and its arguments. ``{inputs.NAME}``, ``{params.NAME}``, ``{outputs.NAME}`` and ``{seed}`` are put in.

    As a list, no shell is between; as a text with pipes, redirections or variables, ``sh`` carries it out.
    """
    outputs: tuple[ResultName, ...] | dict[ResultName, FilePath] = ()
    """Names of its results. A command must leave a file or folder of each name, or at the path that is given for it.

    A function returns a tuple of as many values, or a dict with these names.
    """
    params: dict[ParameterName, AnyValue] = Field(default_factory=dict)
    """Values for parameters of this step, before those of the pipeline."""
    files: tuple[FilePath, ...] = ()
    """Files and folders of the repository that a command needs besides those that it names."""
    needs: tuple[ResultName, ...] = ()
    """Steps that must be done before, though nothing of theirs is taken."""
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0
    """What the generators of random numbers start from."""
    timeout: Duration | None = None
    """A step that takes longer is ended."""
    memory: ByteSize | None = None
    """A step that takes more is ended."""
    gpu: Annotated[int, Field(ge=0, le=64)] = 0
    """How many GPUs it holds; it sees those alone."""
    retry: Retry | None = None
    """How often it is tried again when it fails; without it, not at all."""
    secrets: tuple[SecretName, ...] = ()
    """Environment variables of the operator that it may read, and no other step."""

    @property
    def outputs_by_path(self) -> Mapping[str, str]:
        """Where a command must leave each of its results."""
        return self.outputs if isinstance(self.outputs, dict) else {name: name for name in self.outputs}

    @property
    def result_names(self) -> tuple[str, ...]:
        """The names of its results, in order."""
        return tuple(self.outputs)


class CommitTrigger(Strict):
    """Commits that start a run: those that change what the steps come to, and touch these files."""

    paths: Annotated[tuple[FilePath, ...], Field(min_length=1)] = ("**",)
    """Paths or globs of the repository."""


class Trigger(Strict):
    """One thing that starts a run."""

    data: Name | None = None
    """New data of this Dataset, which an input must name."""
    commit: CommitTrigger | None = None
    """A new commit."""


class PipelineSpec(Strict):
    """The whole of a Pipeline."""

    params: dict[ParameterName, AnyValue] = Field(default_factory=dict)
    """Values for the parameters of that name, in every step that has them."""
    inputs: dict[ResultName, PipelineInput] = Field(default_factory=dict)
    """Data, by the name under which steps take it."""
    steps: Annotated[tuple[PipelineStep, ...], Field(min_length=1)]
    """What is done. The order follows from what each takes of the others."""
    environment: FilePath | None = None
    """A ``requirements.txt`` or ``uv.lock`` of the repository that steps run with; without it, what gnomon runs with."""
    schedule: Cron | None = None
    """When a run starts, whatever has changed: minute, hour, day, month, weekday."""
    timezone: TimeZone = "UTC"
    """Whose clock the schedule means."""
    triggers: tuple[Trigger, ...] | None = None
    """What starts a run besides the schedule and ``gnomon run``; without it, every change of code, parameters or data."""
    parallel: Annotated[int, Field(ge=1)] | None = None
    """Steps at the same time; the default is the number of processors."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    """Steps of a higher priority go first."""
    suspend: bool = False
    """Leave it as it is: no new runs, and the one under way is ended."""


class Pipeline(Resource):
    """Functions and commands of the repository, run as a graph in which nothing known is run twice."""

    kind: Literal["Pipeline"] = "Pipeline"
    """Always ``Pipeline``."""
    spec: PipelineSpec
    """What is wanted."""
