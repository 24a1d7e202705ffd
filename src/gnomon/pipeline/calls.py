"""A step with its inputs becomes a call that a runner can make."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gnomon.pipeline.dag import Command, Step
from gnomon.pipeline.values import INLINE_BYTES
from gnomon.runners.interface import Call, Needs

ENTRY = "gnomon.pipeline.child:run_step"
"""What a runner is asked to call."""


def needs_of(step: Step) -> Needs:
    """Return what a step holds while it runs."""
    return Needs(step.cpus, step.memory_bytes, step.gpu, step.priority)


def call_of(
    step: Step,
    inputs: Mapping[str, Any],
    files: Sequence[str],
    secrets: Mapping[str, str],
    *,
    objects: Path,
    scratch: Path,
    compiled: Path,
    log: Path,
) -> Call:
    """Return the call for one attempt at a step.

    Args:
        step: The step.
        inputs: Argument name -> where its value is kept.
        files: The files that a command gets.
        secrets: Environment variables, which go to the process alone.
        objects: The folder of the object store.
        scratch: A folder for the attempt, not there yet.
        compiled: A folder that the steps of a run share.
        log: Where its output goes.
    """
    python = step.environment.python if step.environment is not None else None
    payload: dict[str, Any] = {
        "root": str(step.work.root.absolute()),
        "values": {**step.params, **step.settings},
        "inputs": inputs,
        "results": step.results,
        "seed": step.seed,
        "objects": str(objects.absolute()),
        "scratch": str(scratch.absolute()),
        "compiled": str(compiled.absolute()),
        "inline_bytes": INLINE_BYTES,
    }
    match step.work:
        case Command(argv=argv, outputs=outputs):
            payload |= {"argv": argv, "outputs": dict(outputs), "files": files, "log": str(log.absolute())}
            payload["python"] = str(python) if python is not None else None
            path: tuple[Path, ...] = ()  # its files are copies in its working folder
        case function:
            payload |= {"file": function.file, "name": function.name}
            path = (function.root,)
    return Call(
        step.name,
        ENTRY,
        json.dumps(payload).encode(),
        log,
        path=path,
        timeout=step.timeout,
        memory_bytes=step.memory_bytes,
        seed=step.seed,
        environment=tuple(secrets.items()),
        python=python if not isinstance(step.work, Command) else None,
        needs=needs_of(step),
    )
