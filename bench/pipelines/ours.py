"""Our side, as a program: ``ours.py chain|fits LENGTH TIMES`` in the folder of the work. Prints JSON lines.

With TIMES above one, the same process runs it again: first everything, from another start value, then what it has run already.
So an operator works that has been up for a while.
"""

import json
import os
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from gnomon.pipeline.dag import Dag, FromStep, FromStore, FunctionRef, Step
from gnomon.pipeline.driver import execute, process_identity
from gnomon.pipeline.values import read_result
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.journal import open_journal

FITS = 24
LIBRARIES = ("lightgbm", "sklearn.ensemble", "sklearn.linear_model", "sklearn.metrics")


def chain(root: Path, length: int, start: int) -> Dag:
    """Return the chain, each step taking the value of the one before."""
    names = [f"s{number:03d}" for number in range(length)]
    work = {name: FunctionRef(root, "steps.py", name) for name in names}
    # The steps note in the file that EXEC_LOG names that they ran; a step sees no variable that it does not declare.
    steps = [Step(names[0], work[names[0]], params={"v": start}, secrets=("EXEC_LOG",))]
    for before, name in pairwise(names):
        steps.append(Step(name, work[name], inputs={"v": FromStep(before)}, secrets=("EXEC_LOG",)))
    return Dag(tuple(steps))


def fits(root: Path, objects: DiskObjectStore) -> Dag:
    """Return the fits, and the step that takes the best."""
    data = {name: FromStore(objects.put_file(root / f"{name}.npy"), "npy") for name in "xy"}
    steps = [Step(f"fit{i}", FunctionRef(root, "fits.py", "fit"), params={"i": i}, inputs=data) for i in range(FITS)]
    best = Step("best", FunctionRef(root, "fits.py", "best"), inputs={"scores": tuple(FromStep(step.name) for step in steps)})
    return Dag((*steps, best))


def children_cpu_s() -> float:
    """Return what the zygote has used, and the steps that it has forked."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = path.read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15])) if fields[1] == str(os.getpid()) else 0
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run and report."""
    what, length, times = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    root = Path.cwd()
    objects = DiskObjectStore(root / "state" / "objects")
    journal = open_journal(root / "state" / "records.db")
    runner = ProcessRunner(2, ("gnomon.pipeline.child", *(LIBRARIES if what == "fits" else ())))
    for time_around in range(times):
        dag = chain(root, length, min(time_around, 1)) if what == "chain" else fits(root, objects)
        before = time.process_time() + children_cpu_s()
        records = execute(
            dag,
            run=f"run-{time.time_ns()}",
            journal=journal,
            objects=objects,
            runner=runner,
            workspace=root / "state" / "work",
            clock=lambda: datetime.now(UTC),
            process=process_identity(),
        )
        last = records[dag.steps[-1].name]
        sys.stdout.write(
            json.dumps(
                {
                    "value": read_result(last.result or {}, None, objects),
                    "cpu_s": time.process_time() + children_cpu_s() - before,
                    "ran": sum(record.state == "done" for record in records.values()),
                }
            )
            + "\n"
        )
    runner.close()
    journal.close()


if __name__ == "__main__":
    main()
