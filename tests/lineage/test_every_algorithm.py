"""Every built-in algorithm makes the same artifact of equal rows: prepared, fitted, exported and packed somewhere else."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.lineage.every_algorithm import digests
from tests.lineage.tables import PAIRS, model_name

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    return digests(tmp_path_factory.mktemp("here"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    place = tmp_path_factory.mktemp("elsewhere")
    surroundings = {
        **{name: value for name, value in os.environ.items() if name == "PATH" or name.endswith("_NUM_THREADS")},
        "HOME": str(place),
        "TMPDIR": str(place),
        "PYTHONHASHSEED": "1234",
        "PYTHONPATH": str(ROOT),
        "LC_ALL": "C",
        "TZ": "Pacific/Auckland",
    }
    command = [sys.executable, "-m", "tests.lineage.every_algorithm"]
    done = subprocess.run(command, cwd=place, env=surroundings, umask=0o077, capture_output=True, check=True, timeout=200)
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(("algorithm", "task"), PAIRS)
def test_the_artifact_is_the_same_elsewhere(
    algorithm: str, task: str, here: Mapping[str, str], elsewhere: Mapping[str, str]
) -> None:
    assert here[model_name(algorithm, task)] == elsewhere[model_name(algorithm, task)]


def test_no_two_artifacts_are_the_same(here: Mapping[str, str]) -> None:
    assert len(set(here.values())) == len(here) == len(PAIRS)
