"""Equal rows and parameters give an equal file, byte for byte, also in another process, folder and order of hashing."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.training.reproducible import digests
from tests.training.test_algorithms import SUPERVISED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def here() -> Mapping[str, str]:
    return digests()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.training.reproducible"],
        cwd=tmp_path_factory.mktemp("elsewhere"),
        env=os.environ | {"PYTHONHASHSEED": "1234", "PYTHONPATH": str(ROOT), "TZ": "Pacific/Auckland"},
        capture_output=True,
        check=True,
        timeout=120,
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("algorithm", "task"), [(name, task) for name, tasks in SUPERVISED.items() for task in tasks])
def test_another_process_writes_the_same_bytes(
    algorithm: str, task: str, here: Mapping[str, str], elsewhere: Mapping[str, str]
) -> None:
    assert here[f"{algorithm} {task}"] == elsewhere[f"{algorithm} {task}"]


def test_no_two_algorithms_write_the_same_bytes(here: Mapping[str, str]) -> None:
    assert len(set(here.values())) == len(here)
