import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.cli.up import lineage_listener
from gnomon.lineage.kept import Kept, opened
from gnomon.operator.assemble import Settings, assemble
from tests.operator.rig import FILES, Rig

PIPELINE = """\
apiVersion: gnomon.dev/v1alpha1
kind: Pipeline
metadata: {name: count}
spec:
  inputs: {table: {dataset: flights}}
  steps:
  - {name: rows, python: 'steps.py:rows'}
  - {name: twice, python: 'steps.py:twice'}
"""
STEPS = "def rows(table):\n    return len(table)\n\n\ndef twice(rows):\n    return 2 * rows\n"


class HeardRig(Rig):
    """An operator that tells what goes on to a file."""

    def start(self) -> None:
        """Put the operator together as ``gnomon up`` does."""
        self.home.create()
        self.heard = ExitStack()
        listener = lineage_listener({"OPENLINEAGE_FILE": str(self.told)}, self.heard)
        settings = Settings(str(self.remote), "main", self.home, "127.0.0.1:0", None, timedelta(seconds=20), workers=1, slots=2)
        self.assembly = assemble(settings, self.clock, listener)
        self.assembly.operator.source.poll()

    @property
    def told(self) -> Path:
        """The file."""
        return self.folder / "events.jsonl"

    def close(self) -> None:
        """End the operator and its gateway."""
        super().close()
        self.heard.close()

    def lineage_events(self) -> list[dict[str, Any]]:
        """Return what was told so far."""
        return [json.loads(line) for line in self.told.read_text().splitlines()]


@pytest.fixture(scope="package")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HeardRig]:
    """An operator that has brought one model from a commit to traffic, and carried out a pipeline."""
    made = HeardRig(tmp_path_factory.mktemp("lineage"))
    made.push({**FILES, "pipeline.yaml": PIPELINE, "steps.py": STEPS}, "Declare delays")
    made.until(lambda: made.serves(1) and all(run.state == "passed" for run in made.assembly.records.runs()))
    yield made
    made.close()


@pytest.fixture
def kept(rig: Rig) -> Iterator[Kept]:
    """The home of that operator, which goes on meanwhile."""
    with opened(rig.home) as found:
        yield found
