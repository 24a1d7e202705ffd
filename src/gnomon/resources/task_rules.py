"""What must hold between the task of a model and what else the model declares."""

from collections.abc import Iterator

from gnomon.resources.documents import NodePath
from gnomon.resources.learning import LABEL_METRICS, METRICS_BY_TASK, PACKED_METRICS, TARGET_TASKS, Metric
from gnomon.resources.model import ModelSpec
from gnomon.resources.violation import Violation

_MOST_CONTAMINATION = 0.5


def task_violations(spec: ModelSpec) -> Iterator[Violation]:
    """Yield what does not fit the task: a target that is missing or out of place, keys and metrics of other tasks."""
    yield from _target(spec)
    yield from _forecasting_keys(spec)
    yield from _contamination(spec)
    if spec.metric is not None and spec.metric not in PACKED_METRICS:
        yield from _metric(("spec", "metric"), spec.metric, spec)
    for index, gate in enumerate(spec.gates):
        yield from _metric(("spec", "gates", index, "metric"), gate.metric, spec)


def _target(spec: ModelSpec) -> Iterator[Violation]:
    if spec.target is None and spec.task in TARGET_TASKS:
        yield Violation(("spec", "task"), f"{spec.task} predicts a column, and spec.target names none", "add target: COLUMN")
    elif spec.target is not None and spec.task not in TARGET_TASKS | {"anomaly"}:
        cause = f'{spec.task} learns without a target, and spec.target names "{spec.target}"'
        yield Violation(("spec", "target"), cause, "remove target, and leave the column out of features")


def _forecasting_keys(spec: ModelSpec) -> Iterator[Violation]:
    if spec.task != "forecasting":
        for key, is_set in (("horizon", spec.horizon), ("series", spec.series), ("season", spec.season)):
            if is_set:
                cause = f"spec.{key} belongs to forecasting, and the task is {spec.task}"
                yield Violation(("spec", key), cause, f"remove {key}, or write task: forecasting")
        return
    if spec.horizon is not None and not isinstance(spec.horizon, int) and not spec.horizon:
        yield Violation(("spec", "horizon"), "spec.horizon is no time at all", "write how far ahead: 24 (steps), or 1d")
    if spec.split.by == "random":
        cause = "a forecast must be judged on later rows than it learnt from"
        yield Violation(("spec", "split", "by"), cause, "write time, or remove split.by")
    for index, name in enumerate(spec.series):
        path: NodePath = ("spec", "series", index)
        if name == spec.target:
            yield Violation(path, f'the target "{name}" cannot tell series apart', "name the column that does")
        if name in spec.series[:index]:
            yield Violation(path, f'there are two series columns called "{name}"', "keep one of them")


def _contamination(spec: ModelSpec) -> Iterator[Violation]:
    if spec.contamination is None:
        return
    path: NodePath = ("spec", "contamination")
    if spec.task != "anomaly":
        cause = f"spec.contamination belongs to anomaly, and the task is {spec.task}"
        yield Violation(path, cause, "remove contamination, or write task: anomaly")
    elif not 0 < spec.contamination <= _MOST_CONTAMINATION:
        yield Violation(path, "most rows must be normal, and some must not", "write more than 0% and at most 50%")


def _metric(path: NodePath, metric: Metric, spec: ModelSpec) -> Iterator[Violation]:
    fitting = METRICS_BY_TASK[spec.task]
    if metric not in fitting and metric not in PACKED_METRICS:
        yield Violation(path, f"{metric} does not measure {spec.task}", f"the metrics for {spec.task} are {', '.join(fitting)}")
    elif spec.task == "anomaly" and spec.target is None and metric in LABEL_METRICS:
        without = ", ".join(name for name in fitting if name not in LABEL_METRICS)
        cause = f"{metric} needs to know which rows are anomalous, and the model has no target"
        yield Violation(path, cause, f"add target: a column of labels, or use one of {without}")
