"""One worker for most tests: to start one imports scikit-learn."""

import os
import signal
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from gnomon.errors import ArtifactError
from gnomon.estimators.rows import frame_of
from gnomon.estimators.saving import saved
from gnomon.inference.session import Cancellation
from gnomon.inference.signature import InputColumn, Output, Signature
from gnomon.inference.worker_process import WorkerPredictor

INPUTS = (InputColumn("a", "float", "floats", 0), InputColumn("b", "float", "floats", 1))
SIGNATURE = Signature(
    "classification", "y", INPUTS, (Output("prediction", "BYTES"), Output("probabilities", "FP32", (3,))), ("x", "y", "z")
)
FEED = {"floats": np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)}
CLASSES = np.where(FEED["floats"][:, 0] > 0, 2, 0)
"""No row is of the class in the middle."""


def _estimator() -> LogisticRegression:
    return LogisticRegression().fit(frame_of(INPUTS, FEED), CLASSES)


@pytest.fixture(scope="module")
def predictor() -> Iterator[WorkerPredictor]:
    os.environ["GNOMON_TOKEN"] = "secret"
    try:
        made = WorkerPredictor(saved(_estimator(), "ours"), SIGNATURE)
    finally:
        del os.environ["GNOMON_TOKEN"]
    yield made
    made.close()


def _pid(predictor: WorkerPredictor) -> int:
    return predictor._started[0]._process.pid


def test_it_answers_as_the_estimator_does_and_knows_every_class(predictor: WorkerPredictor) -> None:
    answers = predictor.predict(FEED)
    expected = _estimator().predict_proba(frame_of(INPUTS, FEED))
    np.testing.assert_allclose(answers["probabilities"][:, [0, 2]], expected, atol=1e-6)
    assert not answers["probabilities"][:, 1].any()
    assert set(answers["prediction"]) == {"x", "z"}
    assert predictor.libraries["scikit-learn"]


def test_the_worker_sees_no_secret_and_may_write_no_file(predictor: WorkerPredictor) -> None:
    with open(f"/proc/{_pid(predictor)}/environ", "rb") as environment:  # noqa: PTH123 - as any file of the kernel
        assert b"GNOMON" not in environment.read()
    with open(f"/proc/{_pid(predictor)}/limits") as limits:  # noqa: PTH123
        told = {line[:26].strip(): line[26:].split()[:2] for line in limits}
    assert told["Max file size"] == ["0", "0"]
    assert told["Max core file size"] == ["0", "0"]
    assert told["Max address space"][0].isdigit()


def test_rows_that_it_cannot_answer_are_told_and_others_go_on(predictor: WorkerPredictor) -> None:
    with pytest.raises(ArtifactError, match="Input X contains NaN"):
        predictor.predict({"floats": np.full((1, 2), np.nan, np.float32)})
    assert len(predictor.predict(FEED)["prediction"]) == 200


def test_a_question_that_is_cancelled_ends_its_worker(predictor: WorkerPredictor) -> None:
    before = _pid(predictor)
    os.kill(before, signal.SIGSTOP)  # it takes for ever
    cancellation = Cancellation()
    timer = threading.Timer(0.1, cancellation.cancel)
    timer.start()
    with pytest.raises(ArtifactError, match="took too long"):
        predictor.predict(FEED, cancellation)
    timer.join()
    assert not _is_running(before)


def test_a_worker_that_is_gone_is_replaced(predictor: WorkerPredictor) -> None:
    predictor.predict(FEED)
    os.kill(_pid(predictor), signal.SIGKILL)
    deadline = time.monotonic() + 10
    while _is_running(_pid(predictor)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(predictor.predict(FEED)["prediction"]) == 200


@pytest.mark.parametrize("payload", [b"PK", b"", b"PK\x03\x04 no archive"])
def test_a_payload_that_is_none_is_refused_by_the_worker(payload: bytes) -> None:
    with pytest.raises(ArtifactError, match="not a skops file"):
        WorkerPredictor(payload, SIGNATURE)


def _is_running(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_closing_ends_the_workers(predictor: WorkerPredictor) -> None:
    pid = _pid(predictor)
    assert _is_running(pid)
    predictor.close()
    assert not _is_running(pid)
