"""What must hold of a resource beyond the types of its values, looking at that resource alone."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta

from gnomon.resources.alternatives import alternative
from gnomon.resources.compiled import AnyResource
from gnomon.resources.dataset import NUMERIC_TYPES, Column, Dataset, DatasetSpec
from gnomon.resources.documents import NodePath
from gnomon.resources.feature import feature_names
from gnomon.resources.feature_rules import feature_violations, unfit_features
from gnomon.resources.gate_rules import baseline_gate_violations, slice_gate_violations
from gnomon.resources.learning import ALGORITHMS_BY_TASK, METRICS_BY_TASK, PACKED_METRICS, SHARE_METRICS
from gnomon.resources.model import Candidate, Gate, Model, ModelSpec, Range
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.pipeline_rules import pipeline_violations
from gnomon.resources.project import Project
from gnomon.resources.python_rules import python_violations
from gnomon.resources.quantities import parse_duration, parse_size
from gnomon.resources.release import Release
from gnomon.resources.search_rules import search_violations
from gnomon.resources.service import Service
from gnomon.resources.source_rules import source_violations
from gnomon.resources.task_rules import task_violations
from gnomon.resources.violation import Violation
from gnomon.resources.window_rules import window_violations
from gnomon.resources.wording import did_you_mean, dotted

MAX_CANDIDATES = 1000
"""The most candidates that one model may come to; each is a whole training run."""


def violations(resource: AnyResource) -> Iterator[Violation]:
    """Yield every rule of its kind that ``resource`` breaks."""
    match resource:
        case Project():
            yield from _project(resource)
        case Dataset():
            yield from _dataset(resource.spec)
        case Model():
            yield from _model(resource.spec)
        case Pipeline():
            yield from pipeline_violations(resource.spec)
        case Service():
            yield from _positive(("spec", "limits", "timeout"), resource.spec.limits.timeout)
            if resource.spec.limits.body == 0:
                yield Violation(("spec", "limits", "body"), "spec.limits.body is 0 bytes", "leave room for a request: 1MiB")
        case Release():
            if resource.spec.service != resource.metadata.name:
                cause = f'the release is called "{resource.metadata.name}", its service "{resource.spec.service}"'
                yield Violation(("metadata", "name"), cause, "give the release the name of its service")


def _positive(path: NodePath, value: timedelta) -> Iterator[Violation]:
    if value <= timedelta(0):
        yield Violation(path, f"{dotted(path)} is no time at all", "write a longer duration: 30s")


def _doubled(path: NodePath, names: Iterable[str], what: str, mend: str, *, key: str | None = None) -> Iterator[Violation]:
    """Yield the second and later of equal names; ``key`` is where the name stands inside each item."""
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        if seen[name]:
            yield Violation((*path, index, *([key] if key else [])), f'there are two {what} called "{name}"', mend)
        seen[name] += 1


def _project(project: Project) -> Iterator[Violation]:
    source = project.spec.source
    if source.interval < timedelta(seconds=1):
        yield Violation(("spec", "source", "interval"), "spec.source.interval is below 1s", "write 1s or more")
    yield from _positive(("spec", "source", "timeout"), source.timeout)
    author = project.spec.write_back.author
    for key, value in (("name", author.name), ("email", author.email)):
        path: NodePath = ("spec", "writeBack", "author", key)
        if not value.strip() or set(value) & set("<>\r\n"):
            yield Violation(path, f"{dotted(path)} cannot stand in a commit", "write plain text on one line, without < and >")


def _dataset(spec: DatasetSpec) -> Iterator[Violation]:
    yield from source_violations(spec)
    mend = "give each its own name"
    yield from _doubled(("spec", "schema"), (c.name for c in spec.columns), "columns", mend, key="name")
    yield from _doubled(("spec", "checks"), (c.name for c in spec.checks), "checks", mend, key="name")
    yield from feature_violations(spec.features, of_dataset=True)
    yield from _doubled(("spec", "features"), feature_names(spec.features), "features", mend, key="name")
    yield from unfit_features(spec.features, (), {column.name: column.type for column in spec.columns}, spec.time)
    yield from _doubled(("spec", "key"), spec.key, "key columns", "name each column once")
    yield from _doubled(("spec", "accept"), spec.accept, "accepted columns", "name each column once")
    for index, column in enumerate(spec.columns):
        yield from _column(("spec", "schema", index), column)
    if not spec.columns:
        return
    types = {column.name: column.type for column in spec.columns}
    references: list[tuple[NodePath, str]] = [(("spec", "key", i), name) for i, name in enumerate(spec.key)]
    if spec.time is not None:
        references.append((("spec", "time"), spec.time))
    for path, name in references:
        if name not in types:
            yield Violation(path, f'the schema has no column "{name}"', did_you_mean(name, types, what="columns"))
    if spec.time is not None and types.get(spec.time, "timestamp") not in {"timestamp", "date"}:
        cause = f'spec.time names "{spec.time}", which is of type {types[spec.time]}'
        yield Violation(("spec", "time"), cause, "name a column of type timestamp or date")


def _column(path: NodePath, column: Column) -> Iterator[Violation]:
    for key, bound in (("min", column.min), ("max", column.max)):
        if bound is not None and column.type not in NUMERIC_TYPES:
            cause = f'"{column.name}" is of type {column.type}, and {key} is for numbers'
            yield Violation((*path, key), cause, f"remove {key}, or give the column a numeric type")
    if column.min is not None and column.max is not None and column.min > column.max:
        cause = f'the min of "{column.name}", {column.min}, is above its max, {column.max}'
        yield Violation((*path, "min"), cause, "exchange them")
    if column.values is None:
        return
    if column.type != "string":
        cause = f'"{column.name}" is of type {column.type}, and values is for strings'
        yield Violation((*path, "values"), cause, "remove values, or give the column the type string")
    elif not column.values:
        yield Violation((*path, "values"), f'"{column.name}" may hold no value at all', "list the values, or remove values")
    yield from _doubled((*path, "values"), column.values, "values", "keep one of them")


def _model(spec: ModelSpec) -> Iterator[Violation]:
    yield from task_violations(spec)
    yield from window_violations(spec)
    for index, feature in enumerate(spec.features):
        if feature == spec.target:
            yield Violation(
                ("spec", "features", index), f'the target "{feature}" is also a feature', "remove it from the features"
            )
    yield from feature_violations(spec.features)
    yield from _doubled(("spec", "features"), feature_names(spec.features), "features", "keep one of them")
    yield from _split(spec)
    yield from _candidates(spec)
    yield from search_violations(spec)
    if spec.metric is not None and spec.metric in PACKED_METRICS:
        cause = f"{spec.metric} does not choose between candidates"
        mend = did_you_mean(spec.metric, METRICS_BY_TASK[spec.task], what=f"metrics for {spec.task}")
        yield Violation(("spec", "metric"), cause, mend)
    for index, gate in enumerate(spec.gates):
        path: NodePath = ("spec", "gates", index)
        if gate in spec.gates[:index]:
            yield Violation(path, f"{dotted(path)} repeats an earlier gate", "keep one of them")
        yield from _gate(path, gate)
        yield from baseline_gate_violations(path, gate, spec)
    yield from _positive(("spec", "resources", "timeout"), spec.resources.timeout)
    if spec.resources.memory == 0:
        yield Violation(("spec", "resources", "memory"), "spec.resources.memory is 0 bytes", "write at least 512MiB")


def _split(spec: ModelSpec) -> Iterator[Violation]:
    split = spec.split
    for key, share in (("test", split.test), ("validation", split.validation)):
        if not 0 < share < 1:
            path: NodePath = ("spec", "split", key)
            yield Violation(path, f"{dotted(path)} leaves no rows on one side", "write more than 0% and less than 100%")
    if split.by == "stratified" and spec.task != "classification":
        mend = "write time" if spec.task == "forecasting" else "write time or random"
        yield Violation(("spec", "split", "by"), f"{spec.task} has no classes to stratify by", mend)
    if (split.by == "group") != (split.column is not None):
        cause = (
            "spec.split.by is group, and no column names the groups"
            if split.by == "group"
            else "spec.split.column means nothing"
        )
        mend = "add column: customer_id, or the like" if split.by == "group" else "remove column, or add by: group"
        yield Violation(("spec", "split", "by" if split.by == "group" else "column"), cause, mend)
    if split.gap and split.by in {"random", "stratified", "group"}:
        cause = f"spec.split.gap means nothing where rows are split by {split.by}"
        yield Violation(("spec", "split", "gap"), cause, "remove gap, or split by time")


def _candidates(spec: ModelSpec) -> Iterator[Violation]:
    path: NodePath = ("spec", "candidates")
    seen: set[str] = set()
    for index, candidate in enumerate(spec.candidates):
        if candidate.name is not None and candidate.name in seen:
            cause = f'there are two candidates called "{candidate.name}"'
            yield Violation((*path, index, "name"), cause, "give one of them another name")
        seen.add(candidate.name or "")
    total = 0
    for index, candidate in enumerate(spec.candidates):
        if candidate.python is not None or candidate.algorithm == "python":
            yield from python_violations((*path, index), candidate, spec)
        elif candidate.algorithm not in ALGORITHMS_BY_TASK[spec.task]:
            cause = f"{candidate.algorithm} does not do {spec.task}"
            near = alternative(candidate.algorithm, spec.task)
            mend = f"the nearest is {near}; the algorithms for {spec.task} are {', '.join(ALGORITHMS_BY_TASK[spec.task])}"
            yield Violation((*path, index, "algorithm"), cause, mend)
        yield from _search((*path, index), candidate)
        total += candidate.combinations
    if total > MAX_CANDIDATES:
        cause = f"the search comes to {total:,} candidates, and the most is {MAX_CANDIDATES:,}"
        yield Violation(path, cause, "search fewer values")


def _search(path: NodePath, candidate: Candidate) -> Iterator[Violation]:
    for name, values in candidate.search.items():
        where = (*path, "search", name)
        if name in candidate.params:
            yield Violation(where, f"{name} is both in params and in search", "keep one of them")
        if isinstance(values, Range):
            yield from _range(where, values)
        elif not values:
            yield Violation(where, f"{dotted(where)} has no values", "list at least one value")
        else:
            yield from _doubled(where, map(str, values), "values", "keep one of them")


def _range(path: NodePath, values: Range) -> Iterator[Violation]:
    bounds = values.log or values.linear
    if bounds is None or (values.log and values.linear):
        cause = f"{dotted(path)} needs one of log and linear"
        yield Violation(path, cause, "write a range such as {log: [0.001, 1000], n: 4}")
        return
    scale = "log" if values.log else "linear"
    if bounds[0] >= bounds[1]:
        yield Violation((*path, scale), f"{dotted((*path, scale))} does not rise", "write the lower bound first")
    elif scale == "log" and bounds[0] <= 0:
        cause = f"{dotted((*path, scale))} starts at {bounds[0]}, which has no logarithm"
        yield Violation((*path, scale), cause, "start above 0, or use linear")


def _gate(path: NodePath, gate: Gate) -> Iterator[Violation]:
    if gate.by is not None:
        yield from slice_gate_violations(path, gate)
    elif gate.max is None and gate.min is None and gate.against is None:
        yield Violation(path, f"{dotted(path)} sets no condition", "add max, min or against")
    for key, value in (("improveBy", gate.improve_by), ("confidence", gate.confidence), ("maxRatio", gate.max_ratio)):
        if value is not None and gate.against is None and gate.by is None:
            cause = f"{dotted((*path, key))} compares with nothing"
            yield Violation((*path, key), cause, "add against: champion, or remove it")
    for name, given in (("maxGap", gate.max_gap), ("minRows", gate.min_rows)):
        if given is not None and gate.by is None:
            cause = f"{dotted((*path, name))} is about slices, and by names no column"
            yield Violation((*path, name), cause, f"add by: COLUMN, or remove {name}")
    if gate.confidence is not None and gate.metric in PACKED_METRICS:
        cause = f"{gate.metric} has no rows to be confident about"
        yield Violation((*path, "confidence"), cause, "remove confidence")
    yield from _bounds(path, gate)


_MAX_READERS: dict[str, tuple[Callable[[object], object], str]] = {
    "latencyP99": (parse_duration, "write a duration: 5ms"),
    "size": (parse_size, "write a size: 50MiB"),
}


def _bounds(path: NodePath, gate: Gate) -> Iterator[Violation]:
    if gate.metric in _MAX_READERS:
        read, mend = _MAX_READERS[gate.metric]
        if gate.max is not None and not _reads(read, gate.max):
            yield Violation((*path, "max"), f"the max of {gate.metric} is {gate.max}", mend)
        if gate.min is not None:
            yield Violation((*path, "min"), f"{gate.metric} has no least value to reach", "use max")
        return
    if isinstance(gate.max, str):
        yield Violation((*path, "max"), f'the max of {gate.metric} is the text "{gate.max}"', "write a number")
        return
    if gate.min is not None and gate.max is not None and gate.min > gate.max:
        yield Violation((*path, "min"), f"min {gate.min} is above max {gate.max}, so that nothing passes", "exchange them")
    for key, bound in (("min", gate.min), ("max", gate.max)):
        if bound is not None and gate.metric in SHARE_METRICS and not 0 <= bound <= 1:
            cause = f"{gate.metric} lies between 0 and 1, and {key} is {bound}"
            yield Violation((*path, key), cause, f"write {bound / 100:g}" if 1 < bound <= 100 else "write a number from 0 to 1")


def _reads(read: Callable[[object], object], value: object) -> bool:
    try:
        read(value)
    except ValueError:
        return False
    return True
