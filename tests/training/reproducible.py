"""Print the digest of the graph of each algorithm and task, as JSON: run twice, in two processes, it must print the same."""

import hashlib
import json
import sys

from gnomon.resources.model import Task
from tests.training.tables import real_table
from tests.training.test_algorithms import SUPERVISED, exported, plan

TABLES: dict[Task, str] = {"regression": "body-mass", "classification": "species"}


def digests() -> dict[str, str]:
    """Return algorithm and task -> digest of the ONNX file that the same rows and seed give."""
    prepared = {task: real_table(name).prepared() for task, name in TABLES.items()}
    return {
        f"{algorithm} {task}": hashlib.sha256(exported(prepared[task], plan(task, algorithm))).hexdigest()
        for algorithm, tasks in SUPERVISED.items()
        for task in tasks
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(digests()))
