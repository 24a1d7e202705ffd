"""``gnomon run --local``: the pipeline of a folder, run here and now."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gnomon.api.documents import step_json
from gnomon.cli.manifest_files import manifest_files, repository_root
from gnomon.cli.output import Format, print_document, print_rows, say
from gnomon.cli.steps import STEP_COLUMNS, step_row
from gnomon.errors import UsageError
from gnomon.operator.local_run import LocalRun, run_locally
from gnomon.operator.machine import default_slots
from gnomon.resources.identity import ResourceKey

_LOG_LINES = 20


def run_here(path: Path, key: ResourceKey, params: Mapping[str, Any], output: Format) -> bool:
    """Run a pipeline of the repository that a folder belongs to; print how it ended and return whether it passed."""
    if not path.is_dir():
        raise UsageError(f"{path} is not a folder", "name a folder of the repository")
    root = repository_root(path.resolve())

    def progress(text: str) -> None:
        say(text, err=True)

    done = run_locally(
        root, key, params, list(manifest_files(root)), progress, variables=frozenset(os.environ), slots=default_slots()
    )
    steps = [step_json(step) for step in done.steps]
    if output in {Format.JSON, Format.YAML}:
        print_document({"run": done.run.id, "state": done.run.state, "message": done.run.message, "steps": steps}, output)
    else:
        print_rows([step_row(step) for step in steps], STEP_COLUMNS, output, documents=steps)
        _print_failures(done)
        say(f"{done.run.state}: {done.run.message}")
    return done.run.state == "passed"


def _print_failures(done: LocalRun) -> None:
    for step in done.steps:
        if step.error and step.log is not None:
            text = done.objects.get(step.log).decode("utf-8", "replace").splitlines()
            say(f"==> {step.name} wrote last:\n" + "\n".join(text[-_LOG_LINES:]), err=True)
