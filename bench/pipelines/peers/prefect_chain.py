"""Prefect 3: a task per step, keyed by inputs and source, results persisted (the cache needs it). Runs in its environment."""
# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"
# (those packages are in the peer's environment, the steps in the folder of the work)

import json

from prefect import flow, task
from prefect.cache_policies import INPUTS, TASK_SOURCE
from steps import CHAIN


@flow
def pipeline() -> int:
    value = 0
    for step in CHAIN:
        value = task(step, cache_policy=INPUTS + TASK_SOURCE, persist_result=True)(value)
    return value


if __name__ == "__main__":
    print(json.dumps({"value": pipeline()}))
