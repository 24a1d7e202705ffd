"""What must hold within a gate that looks at slices, or compares with the baseline."""

from collections.abc import Iterator

from gnomon.resources.documents import NodePath
from gnomon.resources.learning import PACKED_METRICS, SHARE_METRICS
from gnomon.resources.model import Gate, ModelSpec, has_baseline
from gnomon.resources.violation import Violation
from gnomon.resources.wording import dotted


def slice_gate_violations(path: NodePath, gate: Gate) -> Iterator[Violation]:
    """Yield what does not fit a gate that has ``by``."""
    if gate.metric in PACKED_METRICS:
        cause = f"{gate.metric} is measured of the artifact, which has no slices"
        yield Violation((*path, "by"), cause, "remove by")
    if gate.max is None and gate.min is None and gate.max_ratio is None and gate.max_gap is None:
        cause = f"{dotted(path)} sets no condition on the slices of {gate.by}"
        yield Violation(path, cause, "add maxRatio, maxGap, max or min")
    for key, value in (("against", gate.against), ("improveBy", gate.improve_by), ("confidence", gate.confidence)):
        if value is not None:
            cause = f"{dotted((*path, key))} compares two models, and slices are held against each other and the whole"
            yield Violation((*path, key), cause, f"remove {key}, and write a gate of its own for it")
    if gate.max_gap is not None and gate.metric not in SHARE_METRICS:
        cause = f"{gate.metric} is not a share, and maxGap is one"
        yield Violation((*path, "maxGap"), cause, "write maxRatio, such as 1.25")


def baseline_gate_violations(path: NodePath, gate: Gate, spec: ModelSpec) -> Iterator[Violation]:
    """Yield why a gate ``against: baseline`` does not fit the model."""
    if gate.against == "baseline" and not has_baseline(spec, gate.metric):
        what = f"{spec.task} without a target" if spec.task == "anomaly" and spec.target is None else spec.task
        cause = f"there is no baseline of {gate.metric} for {what}"
        yield Violation((*path, "against"), cause, "write max or min, or against: champion")
