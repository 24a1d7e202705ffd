"""A declared pipeline becomes steps: every parameter is bound to a result, an input or a value of its name."""

import os
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from gnomon.errors import GnomonError, UsageError
from gnomon.pipeline.commands import variable
from gnomon.pipeline.dag import Argument, Command, Dag, Environment, FromStep, FunctionRef, Retry, Step
from gnomon.pipeline.graph import Graph
from gnomon.pipeline.naming import nearest
from gnomon.pipeline.signature import Parameter, read_signature
from gnomon.resources.documents import NodePath
from gnomon.resources.pipeline import PipelineSpec, PipelineStep
from gnomon.resources.pipeline_rules import as_parameter, result_places
from gnomon.resources.placeholders import placeholders
from gnomon.resources.violation import Violation

_NEEDS_A_SHELL = re.compile(r"[|&;<>()$`*?~#\n]")


@dataclass(frozen=True)
class BoundStep:
    """A declared step and where everything that it takes comes from.

    Args:
        declared: The step.
        work: What is done.
        params: Values, by parameter.
        results: Results of other steps, by parameter.
        inputs: Names of the pipeline's inputs, by parameter.
    """

    declared: PipelineStep
    work: FunctionRef | Command
    params: Mapping[str, Any] = field(default_factory=dict)
    results: Mapping[str, FromStep] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


def bind(spec: PipelineSpec, root: Path) -> tuple[tuple[BoundStep, ...], tuple[Violation, ...]]:
    """Return the steps of a pipeline with everything that they take, and all that is wrong with them.

    Only the text of the code is read. A parameter is, in this order: a value of the step's own ``params``, the whole result
    of the step of its name, the result of its name, the input of its name, a value of the pipeline's ``params``, its default.

    Args:
        spec: What is declared.
        root: The folder that holds the code.
    """
    bound: list[BoundStep] = []
    problems: list[Violation] = []
    for index, step in enumerate(spec.steps):
        path: NodePath = ("spec", "steps", index)
        try:
            found = _bound_function(path, step, spec, root) if step.python is not None else _bound_command(step, spec, root)
        except GnomonError as error:
            problems.append(Violation((*path, "python" if step.python is not None else "command"), error.cause, error.mend))
            continue
        if isinstance(found, BoundStep):
            bound.append(found)
        else:
            problems += found
    if not problems:
        problems += _unused(spec, bound)
    if not problems:
        try:
            Graph(Dag(steps(bound, dict.fromkeys(spec.inputs, ()), spec)))
        except GnomonError as error:
            problems.append(Violation(("spec", "steps"), error.cause, error.mend))
    return tuple(bound), tuple(problems)


def steps(
    bound: Sequence[BoundStep],
    inputs: Mapping[str, Argument],
    spec: PipelineSpec,
    environment: Environment | None = None,
) -> tuple[Step, ...]:
    """Return the steps as they are run.

    Args:
        bound: What ``bind`` returned.
        inputs: Where each input of the pipeline is kept.
        spec: What is declared.
        environment: What the steps run with.
    """
    return tuple(_step(each, inputs, spec, environment) for each in bound)


def named_files(spec: PipelineSpec) -> frozenset[str]:
    """Return what the steps of a pipeline may need besides Python: paths of files and folders, whether they exist or not."""
    named = {file for step in spec.steps for file in step.files}
    for step in spec.steps:
        words = _words(step.command) if isinstance(step.command, str) else step.command or ()
        named |= {part for word in words for part in _parts(word)}
    if spec.environment is not None:
        # A lock file is read together with the project that it locks, requirements with those that they include.
        folder = PurePosixPath(spec.environment).parent
        named |= {
            spec.environment,
            *(str(folder / each) for each in ("pyproject.toml", ".python-version", "requirements", "*.txt", "*.in")),
        }
    return frozenset(named)


def _step(bound: BoundStep, inputs: Mapping[str, Argument], spec: PipelineSpec, environment: Environment | None) -> Step:
    declared = bound.declared
    retry = Retry(declared.retry.times, declared.retry.backoff) if declared.retry is not None else Retry()
    return Step(
        name=declared.name,
        work=bound.work,
        params=bound.params,
        inputs={**bound.results, **{parameter: inputs[name] for parameter, name in bound.inputs.items()}},
        seed=declared.seed,
        timeout=declared.timeout,
        memory_bytes=declared.memory,
        results=declared.result_names if isinstance(bound.work, FunctionRef) else (),
        secrets=declared.secrets,
        retry=retry,
        environment=environment,
        gpu=declared.gpu,
        priority=spec.priority,
        needs=declared.needs,
    )


def _bound_function(path: NodePath, step: PipelineStep, spec: PipelineSpec, root: Path) -> BoundStep | list[Violation]:
    file, _, name = (step.python or "").partition(":")
    signature = read_signature(root, file, name)
    names = _Names(spec, step)
    params: dict[str, Any] = {}
    results: dict[str, FromStep] = {}
    inputs: dict[str, str] = {}
    problems: list[Violation] = []
    for parameter in signature.parameters:
        if parameter.name in step.params:
            params[parameter.name] = step.params[parameter.name]
        elif parameter.name in names.results:
            results[parameter.name] = names.results[parameter.name]
        elif parameter.name in names.inputs:
            inputs[parameter.name] = names.inputs[parameter.name]
        elif parameter.name in spec.params:
            params[parameter.name] = spec.params[parameter.name]
        elif not parameter.has_default:
            problems.append(_unknown(path, parameter, f"{name} at {signature.place}", names))
    taken = {parameter.name for parameter in signature.parameters}
    for param in step.params.keys() - taken:
        if signature.takes_any:
            params[param] = step.params[param]
            continue
        near = nearest(param, taken)
        mend = f"did you mean {near}?" if near else f"it takes {', '.join(sorted(taken)) or 'nothing'}"
        problems.append(Violation((*path, "params", param), f"{name} at {signature.place} has no parameter {param}", mend))
    return problems or BoundStep(step, FunctionRef(root, file, name), params, results, inputs)


def _unknown(path: NodePath, parameter: Parameter, function: str, names: "_Names") -> Violation:
    known = names.all()
    near = nearest(parameter.name, known)
    mend = f"did you mean {near}?" if near else f"there are {', '.join(known)}" if known else "give it a value in params"
    cause = f"the parameter {parameter.name} of {function} is no result, no input and no parameter of the pipeline"
    return Violation((*path, "python"), cause, f"{mend}; a default would do as well")


class _Names:
    """What the functions of a step's pipeline may take, by the name of the parameter."""

    def __init__(self, spec: PipelineSpec, step: PipelineStep) -> None:
        places = {as_parameter(name): place for name, place in result_places(spec).items() if place[0] != step.name}
        self.results = {name: FromStep(*place) for name, place in places.items()}
        self.inputs = {as_parameter(name): name for name in spec.inputs}
        self._params = tuple(spec.params)

    def all(self) -> list[str]:
        return [*self.results, *self.inputs, *self._params]


def _bound_command(step: PipelineStep, spec: PipelineSpec, root: Path) -> BoundStep:
    command = step.command or ()
    places, results, inputs = result_places(spec), {}, {}
    params: dict[str, Any] = dict(step.params)
    for asked in placeholders(command):
        match asked.group:
            case "inputs" if asked.name in spec.inputs:
                inputs[asked.name] = asked.name
            case "inputs":
                results[asked.name] = FromStep(*places[asked.name])
            case "params":
                params.setdefault(asked.name, spec.params.get(asked.name))
            case _:
                pass  # outputs and the seed are the step's own
    argv, files = _argv(command, root) if isinstance(command, str) else (command, ())
    missing = next((file for file in step.files if not os.path.exists(root / file)), None)  # noqa: PTH110 - see _argv
    if missing is not None:
        raise UsageError(f"the command {step.name} needs {missing}, which is not in the repository", "commit it")
    work = Command(root, tuple(argv), step.outputs_by_path, tuple(dict.fromkeys((*step.files, *files))))
    return BoundStep(step, work, params, results, inputs)


def _argv(text: str, root: Path) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the words of a command, and the files of the project that it names where only a shell would see them.

    Raises:
        UsageError: A quotation does not end.
    """
    words = _words(text)
    if not _NEEDS_A_SHELL.search(text):
        return tuple(words), ()
    # A script as a word is too long for a name, which is an error for Path.exists.
    named = (part for word in words for part in _parts(word) if os.path.exists(root / part))  # noqa: PTH110
    return ("sh", "-ec", _script(text)), tuple(dict.fromkeys(named))


def _words(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"the command {text!r} cannot be read: {error}", "close the quotation") from None


def _parts(word: str) -> Iterator[str]:
    """Yield what may be names of files of the project in a word of a command; the whole project must be named as a file."""
    for part in (word, *re.split(r"[|&;<>()=,]", word)):
        path = PurePosixPath(part)
        if (
            path.parts
            and not path.is_absolute()
            and ".." not in path.parts
            and not part.startswith(("~", "-"))
            and "\0" not in part
        ):
            yield str(path)


def _script(text: str) -> str:
    """Return a command with its placeholders as variables of the shell, so that no value is taken for a piece of script."""
    quote, done, position = "", [], 0
    for part in re.finditer(r"""\\.|['"]|\{\{|\}\}|\{(inputs|params|outputs)\.([^{}]*)\}|\{seed\}""", text, re.DOTALL):
        done.append(text[position : part.start()])
        position = part.end()
        word = part[0]
        if word.startswith("{") and word != "{{":
            variable = _variable(part[1], part[2])
            done.append({"": f'"{variable}"', '"': variable, "'": f"'\"{variable}\"'"}[quote])
            continue
        if word in {"'", '"'} and quote in {"", word}:
            quote = "" if quote else word
        done.append(word)
    return "".join((*done, text[position:]))


def _variable(group: str | None, name: str | None) -> str:
    called = variable(group, name) if group is not None and name is not None else "GNOMON_SEED"
    # The braces of the shell are doubled, because single ones are placeholders.
    return f"${{{{{called}}}}}"


def _unused(spec: PipelineSpec, bound: Sequence[BoundStep]) -> Iterator[Violation]:
    """Yield the parameters and inputs of the pipeline that nothing takes: a slip of the pen more often than a plan."""
    taken = {name for each in bound for name in each.params}
    for name in spec.params:
        if name not in taken:
            mend = f"did you mean {near}?" if (near := _nearest_open(name, bound)) else "remove it"
            yield Violation(("spec", "params", name), f"no step has a parameter {name}", mend)
    used = {name for each in bound for name in each.inputs.values()}
    for name in spec.inputs:
        if name not in used:
            mend = f"did you mean {near}?" if (near := _nearest_open(name, bound)) else "remove it"
            yield Violation(("spec", "inputs", name), f"no step takes the input {name}", mend)


def _nearest_open(name: str, bound: Sequence[BoundStep]) -> str | None:
    """Return the nearest parameter that is left to its default."""
    open_names: set[str] = set()
    for each in bound:
        if isinstance(each.work, FunctionRef):
            signature = read_signature(each.work.root, each.work.file, each.work.name)
            open_names |= {parameter.name for parameter in signature.parameters} - {*each.params, *each.results, *each.inputs}
    return nearest(as_parameter(name), open_names)
