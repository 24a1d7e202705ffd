"""Dagster: an op per step in a job on a SQLite instance, all ops in one process (a process per op costs 1 s each)."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment, the steps in the folder of the work)

import json

from dagster import DagsterInstance, execute_job, in_process_executor, job, op, reconstructable
from steps import CHAIN

OPS = [op(step) for step in CHAIN]


@op
def start() -> int:
    return 0


@job(executor_def=in_process_executor)
def pipeline() -> None:
    value = start()
    for step in OPS:
        value = step(value)


if __name__ == "__main__":
    with (
        DagsterInstance.get() as instance,
        execute_job(reconstructable(pipeline), instance=instance, raise_on_error=True) as result,
    ):
        print(json.dumps({"value": result.output_for_node(CHAIN[-1].__name__)}))
