"""Functions of the repository as candidates, through a real operator: run, version, release, answers, and what starts a run."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gnomon.serving.status import read_supervisor
from tests.operator.rig import FILES, Rig
from tests.operator.states import MODEL, MODEL_YAML

CODE = """
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline

from lib.settings import SHRINK

def fit(X, y, alpha=1.0):
    return make_pipeline(SimpleImputer(), Ridge(alpha=alpha * SHRINK)).fit(X, y)
"""
CANDIDATE = "candidates: [{name: ours, python: 'train.py:fit', params: {alpha: 0.01}}]"


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path)
    yield made
    made.close()


def test_a_function_of_the_repository_is_trained_and_serves_and_is_trained_anew_when_its_code_changes(rig: Rig) -> None:
    served_by_python = MODEL_YAML.replace("candidates: [{algorithm: ridge}]", "runtime: python\n  " + CANDIDATE)
    rig.push({**FILES, "model.yaml": served_by_python})
    rig.until(lambda: "CodeNotReady" in rig.reason(MODEL))
    assert "there is no file train.py" in rig.reason(MODEL)
    assert rig.runs() == []

    rig.push({"train.py": CODE, "lib/__init__.py": "", "lib/settings.py": "SHRINK = 1.0\n"})
    rig.until(lambda: rig.serves(1))
    assert _answer(rig, distance=10.0, hour=2.0) == pytest.approx(28.5, abs=1.0)

    rig.push({"other.py": "x = 1\n", "lib/settings.py": "SHRINK = 1.0  # said again\n"}, "Nothing that counts")
    rig.until(lambda: "GatesPassed" in rig.reason(MODEL))
    assert len(rig.runs()) == 1

    rig.push({"lib/settings.py": "SHRINK = 2.0\n"}, "Another constant, a module away")
    rig.until(lambda: len(rig.runs()) == 2)
    newer, older = rig.runs()
    assert newer.message == "code changed"
    assert newer.summary["parts"]["code"] != older.summary["parts"]["code"]


def _answer(rig: Rig, **row: float) -> float:
    supervisor = read_supervisor(rig.home.gateway)
    assert supervisor is not None
    inputs = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in row.items()]
    address = f"http://{supervisor.host}:{supervisor.port}/v2/models/delay/infer"
    request = urllib.request.Request(address, json.dumps({"inputs": inputs}).encode())
    with urllib.request.urlopen(request, timeout=30) as reply:
        answer: float = json.load(reply)["outputs"][0]["data"][0]
    return answer
