"""Judging as steps of the pipeline. Nothing heavy is imported here: the operator plans with it."""

from collections.abc import Mapping
from pathlib import Path

from gnomon.pipeline.dag import Argument, FromStore, FunctionRef, Step
from gnomon.resources.identity import Digest
from gnomon.resources.model import ModelSpec
from gnomon.training.selection import selection_metric

EVALUATE = "evaluate"
RENDER = "render"
WARM_MODULES = ("pyarrow.compute", "gnomon.evaluation.page")
"""What the process that steps are forked from should import before. ``steps`` cannot be: ONNX Runtime starts a thread."""
TEMPLATE = "gnomon/evaluation/templates/report.html"
STYLE = "gnomon/drawing/page.css"


def evaluate_step(
    spec: ModelSpec, prepare: Mapping[str, Argument], artifact: Digest, champion: Digest | None, layout: Path, root: Path
) -> Step:
    """Return the step that measures an artifact; its result is named ``report``.

    The thresholds of the gates are no part of its key: moving one judges the figures anew without measuring them again.

    Args:
        spec: The model.
        prepare: What training's ``prepare`` step gave; ``table``, ``test`` and ``facts`` are taken.
        artifact: The packed candidate.
        champion: What the service runs now.
        layout: Folder of the artifact store.
        root: The folder that holds the package ``gnomon``.
    """
    sliced: dict[str, set[str]] = {}
    for gate in spec.gates:
        if gate.by is not None:
            sliced.setdefault(gate.by, set()).add(gate.metric)
    compared: dict[str, set[str]] = {"champion": set(), "baseline": set()}
    for gate in spec.gates:
        if gate.against is not None and gate.confidence is not None:
            compared[gate.against].add(gate.metric)
    return Step(
        name=EVALUATE,
        work=FunctionRef(root, "gnomon/evaluation/steps.py", "evaluate"),
        params={
            "artifact": artifact,
            "champion": champion,
            "asked": {
                "target": spec.target,
                "metric": selection_metric(spec),
                "compare": sorted(compared["champion"]),
                "compareBaseline": sorted(compared["baseline"]),
                "slices": {column: sorted(metrics) for column, metrics in sorted(sliced.items())},
                "seed": spec.split.seed,
            },
        },
        inputs={name: prepare[name] for name in ("table", "test", "facts")},
        settings={"layout": str(layout)},
        seed=spec.split.seed,
        timeout=spec.resources.timeout,
        memory_bytes=spec.resources.memory,
    )


def render_step(report: Digest, root: Path) -> Step:
    """Return the step that makes the page of a run; its result is named ``page``.

    Args:
        report: The report as a kept JSON document.
        root: The folder that holds the package ``gnomon``.
    """
    return Step(
        name=RENDER,
        work=FunctionRef(root, "gnomon/evaluation/page.py", "render"),
        params={"template": (root / TEMPLATE).read_text(), "style": (root / STYLE).read_text()},
        inputs={"report": FromStore(report, "json")},
    )
