"""Runs of small graphs; ``python -m tests.pipeline.runs FOLDER RUN`` drives one from a process of its own."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from gnomon.pipeline.dag import Argument, Dag, FromStep, FunctionRef, Step
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import read_result
from gnomon.runners.interface import Runner
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Journal, StepRecord
from gnomon.stores.records.memory import MemoryRecords
from gnomon.stores.records.sql import open_sqlite

CHAIN = """
    import helpers

    def add(value, more, log):
        with open(log, "a") as file:
            file.write(f"{more}\\n")
        return helpers.total(value, more)
    """
HELPERS = """
    import arithmetic

    def total(left, right):
        # both are numbers
        return arithmetic.plus(left, right)
    """
ARITHMETIC = """
    def plus(left, right):
        return left + right
    """


class Clock:
    """Time that moves by a second whenever it is asked."""

    def __init__(self) -> None:
        self.now = datetime(2030, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Return the next second."""
        self.now += timedelta(seconds=1)
        return self.now


@dataclass
class Lab:
    """A project with its stores in a folder. ``log`` gets a line for each step that really runs."""

    folder: Path
    runner: Runner
    journal: Journal = field(default_factory=MemoryRecords)
    clock: Callable[[], datetime] = field(default_factory=Clock)

    @property
    def project(self) -> Path:
        """Where the user's code lies."""
        return self.folder / "project"

    @property
    def objects(self) -> DiskObjectStore:
        """The store of results."""
        return DiskObjectStore(self.folder / "objects")

    @property
    def log(self) -> Path:
        """The file that steps write to when they run."""
        return self.folder / "ran.log"

    @property
    def ran(self) -> list[str]:
        """What the steps have written, in order."""
        return self.log.read_text().split() if self.log.exists() else []

    def step(self, name: str, function: str, inputs: Mapping[str, Argument] | None = None, **rest: Any) -> Step:
        """Return a step that calls a function of ``steps.py``."""
        return Step(name, FunctionRef(self.project, "steps.py", function), inputs=inputs or {}, **rest)

    def chain(self, length: int) -> Dag:
        """Return steps that add up 0, 1, 2… one after another."""
        steps = []
        for number in range(length):
            before: Mapping[str, Argument] = {"value": FromStep(f"s{number - 1}")} if number else {}
            params = {"more": number} if number else {"more": 0, "value": 0}
            steps.append(self.step(f"s{number}", "add", before, params=params, settings={"log": str(self.log)}))
        return Dag(tuple(steps))

    def run(self, dag: Dag, run: str = "run-1", **rest: Any) -> Mapping[str, StepRecord]:
        """Execute a graph."""
        return execute(
            dag,
            run=run,
            journal=self.journal,
            objects=self.objects,
            runner=self.runner,
            workspace=self.folder / "work",
            clock=self.clock,
            process=process_identity(),
            **rest,
        )

    def value(self, record: StepRecord, item: str | None = None) -> Any:
        """Return the result of a step."""
        return read_result(record.result or {}, item, self.objects)


def main() -> None:
    """Drive a chain of eight steps with the records in SQLite, and tell the value of the last."""
    folder = Path(sys.argv[1])
    runner = ProcessRunner(2, ["gnomon.pipeline.child"])
    journal = open_sqlite(folder / "records.db")
    lab = Lab(folder, runner, journal, lambda: datetime.now(UTC))
    records = lab.run(lab.chain(8), sys.argv[2])
    sys.stdout.write(f"{lab.value(records['s7'])}\n")
    runner.close()
    journal.close()


if __name__ == "__main__":
    main()
