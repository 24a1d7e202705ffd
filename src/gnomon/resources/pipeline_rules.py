"""What must hold of a Pipeline beyond the types of its values, as far as it can be told without the code that it names."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import PurePosixPath

from gnomon.resources.documents import NodePath
from gnomon.resources.pipeline import PipelineSpec, PipelineStep, Trigger
from gnomon.resources.placeholders import Placeholder, placeholders
from gnomon.resources.violation import Violation
from gnomon.resources.wording import did_you_mean, dotted

_GLOB = re.compile(r"[*?\[]")


def pipeline_violations(spec: PipelineSpec) -> Iterator[Violation]:
    """Yield every rule that a Pipeline breaks."""
    yield from _names(spec)
    for name, source in spec.inputs.items():
        path: NodePath = ("spec", "inputs", name)
        if (source.dataset is None) == (source.files is None):
            yield Violation(path, f"{dotted(path)} needs one of dataset and files", "write {dataset: NAME} or {files: PATH}")
        if source.files is not None:
            yield from _inside((*path, "files"), source.files)
            if source.as_ == "table":
                continue
            cause = f"{dotted((*path, 'as'))} is for datasets"
            yield Violation((*path, "as"), cause, "remove it: files are given as paths")
    if spec.environment is not None:
        yield from _inside(("spec", "environment"), spec.environment)
    if spec.schedule is None and spec.timezone != "UTC":
        yield Violation(("spec", "timezone"), "spec.timezone is the clock of no schedule", "add schedule, or remove timezone")
    for index, trigger in enumerate(spec.triggers or ()):
        yield from _trigger(("spec", "triggers", index), trigger, spec)
    for index, step in enumerate(spec.steps):
        yield from _step(("spec", "steps", index), step, spec)


def result_places(spec: PipelineSpec) -> Mapping[str, tuple[str, str | None]]:
    """Return, by name, the step and the item of it that a step may take: whole results and named ones."""
    whole: dict[str, tuple[str, str | None]] = {step.name: (step.name, None) for step in spec.steps}
    named = {name: (step.name, name) for step in spec.steps for name in step.result_names if name != step.name}
    return named | whole


def as_parameter(name: str) -> str:
    """Return the name under which a function takes what is called ``name``."""
    return name.replace("-", "_")


def _names(spec: PipelineSpec) -> Iterator[Violation]:
    """One name means one thing, also to functions, which write ``_`` for ``-``."""
    seen: dict[str, str] = {}

    def told(path: NodePath, name: str, what: str) -> Iterator[Violation]:
        before = seen.setdefault(as_parameter(name), what)
        if before != what:
            yield Violation(path, f'"{name}" is the name of {what} and of {before}', "give one of them another name")

    for index, step in enumerate(spec.steps):
        path: NodePath = ("spec", "steps", index)
        yield from told((*path, "name"), step.name, f"step {index + 1}")
        for place, name in enumerate(step.result_names):
            where = (*path, "outputs", name if isinstance(step.outputs, dict) else place)
            if name in step.result_names[:place]:
                yield Violation(where, f'there are two results called "{name}"', "give one of them another name")
            elif name != step.name:
                yield from told(where, name, f'a result of step "{step.name}"')
    for name in spec.inputs:
        yield from told(("spec", "inputs", name), name, "an input")
    for name in spec.params:
        yield from told(("spec", "params", name), name, "a parameter of the pipeline")


def _trigger(path: NodePath, trigger: Trigger, spec: PipelineSpec) -> Iterator[Violation]:
    if (trigger.data is None) == (trigger.commit is None):
        mend = "write {data: DATASET}, or {commit: {paths: [...]}}"
        yield Violation(path, f"{dotted(path)} needs one of data and commit", mend)
    datasets = [source.dataset for source in spec.inputs.values() if source.dataset is not None]
    if trigger.data is not None and trigger.data not in datasets:
        cause = f'no input of the pipeline is the Dataset "{trigger.data}"'
        yield Violation((*path, "data"), cause, did_you_mean(trigger.data, datasets, what="datasets of its inputs"))
    for index, pattern in enumerate(trigger.commit.paths if trigger.commit is not None else ()):
        yield from _inside((*path, "commit", "paths", index), pattern)


def _step(path: NodePath, step: PipelineStep, spec: PipelineSpec) -> Iterator[Violation]:
    if (step.python is None) == (step.command is None):
        mend = 'write python: "file.py:function", or command: "program {inputs.NAME} {outputs.NAME}"'
        yield Violation(path, f"{dotted(path)} needs one of python and command", mend)
        return
    yield from _doubled((*path, "needs"), step.needs, "steps that it needs")
    yield from _doubled((*path, "secrets"), step.secrets, "secrets")
    others = [other.name for other in spec.steps if other is not step]
    for index, need in enumerate(step.needs):
        if need not in others:
            cause = f'there is no other step called "{need}"'
            yield Violation((*path, "needs", index), cause, did_you_mean(need, others, what="other steps"))
    for key, duration in (("timeout", step.timeout), ("backoff", step.retry.backoff if step.retry is not None else None)):
        if duration is not None and duration <= timedelta(0):
            where = (*path, key) if key == "timeout" else (*path, "retry", key)
            yield Violation(where, f"{dotted(where)} is no time at all", "write a longer duration: 30s")
    if step.memory == 0:
        yield Violation((*path, "memory"), f"{dotted((*path, 'memory'))} is 0 bytes", "write at least 64MiB")
    yield from _function(path, step) if step.python is not None else _command(path, step, spec)


def _function(path: NodePath, step: PipelineStep) -> Iterator[Violation]:
    yield from _inside((*path, "python"), (step.python or "").partition(":")[0])
    if step.files:
        cause = f"{dotted((*path, 'files'))} is for commands"
        yield Violation((*path, "files"), cause, "give the file to the function as an input: {files: PATH}")
    if isinstance(step.outputs, dict):
        cause = f"{dotted((*path, 'outputs'))} gives paths, and a function returns values"
        yield Violation((*path, "outputs"), cause, "list the names alone")


def _command(path: NodePath, step: PipelineStep, spec: PipelineSpec) -> Iterator[Violation]:
    where = (*path, "outputs")
    if not step.result_names:
        mend = "name the files that it leaves: outputs: [report]"
        yield Violation(path, f'the command "{step.name}" declares no outputs, so that nothing of it would be kept', mend)
    for name, file in step.outputs_by_path.items():
        yield from _inside((*where, name) if isinstance(step.outputs, dict) else where, file)
        if _GLOB.search(file):
            yield Violation((*where, name), f"the path of {name}, {file}, is a pattern", "name a folder, or one file")
    for index, file in enumerate(step.files):
        yield from _inside((*path, "files", index), file)
    try:
        asked = placeholders(step.command or "")
    except ValueError as error:
        yield Violation((*path, "command"), str(error).partition(":")[0], str(error).partition(": ")[2] or "write {{ and }}")
        return
    for placeholder in asked:
        yield from _placeholder((*path, "command"), placeholder, step, spec)


def _placeholder(path: NodePath, asked: Placeholder, step: PipelineStep, spec: PipelineSpec) -> Iterator[Violation]:
    others = {name: place for name, place in result_places(spec).items() if place[0] != step.name}
    known: dict[str, Iterable[str]] = {
        "inputs": (*others, *spec.inputs),
        "params": (*step.params, *spec.params),
        "outputs": step.result_names,
        "seed": ("",),
    }
    if asked.name not in known[asked.group]:
        what = {"inputs": "results of other steps and inputs", "params": "params", "outputs": "outputs of this step"}
        mend = did_you_mean(asked.name, known[asked.group], what=what[asked.group])
        yield Violation(path, f"{{{asked.group}.{asked.name}}} in the command of {step.name} means nothing", mend)


def _inside(path: NodePath, file: str) -> Iterator[Violation]:
    parts = PurePosixPath(file).parts
    if file.startswith(("/", "~")) or ".." in parts or not parts or "\\" in file or "\0" in file:
        mend = "write it from the root of the repository, such as pipeline/steps.py"
        yield Violation(path, f"{file} is no path inside the repository", mend)


def _doubled(path: NodePath, names: tuple[str, ...], what: str) -> Iterator[Violation]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Violation((*path, index), f'"{name}" stands twice among the {what}', "keep one of them")
