import json
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gnomon.lineage.openlineage.emitter import Emitter, FileTransport, HttpTransport, emitter_of
from tests.lineage.openlineage.collector import collecting

ENDPOINT = "api/v1/lineage"


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_events_arrive_in_their_order_and_a_stumbling_collector_gets_them_all() -> None:
    with collecting() as collector:
        collector.answers = [503, 429, 201, 500]
        emitter = Emitter(HttpTransport(collector.url + "/", "/" + ENDPOINT), pauses_s=(0.001, 0.001))
        for number in range(20):
            emitter.emit({"number": number})
        until(lambda: emitter.sent == 20)
        emitter.close()
        assert [event["number"] for event in collector.events] == list(range(20))
        assert (emitter.sent, emitter.dropped) == (20, 0)


def test_an_event_that_is_refused_is_dropped_and_told_and_the_next_one_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector:
        collector.answers = [422]
        emitter = Emitter(HttpTransport(collector.url, ENDPOINT, "a secret key"))
        emitter.emit({"number": 1})
        emitter.emit({"number": 2})
        until(lambda: emitter.sent == 1)
        emitter.close()
        assert [event["number"] for event in collector.events] == [2]
    assert emitter.dropped == 1
    assert [record.getMessage() for record in caplog.records if record.name.startswith("gnomon")] == ["openlineage_dropped"]
    assert "422" in str(caplog.records[-1].__dict__["cause"])
    assert "secret" not in str([record.__dict__ for record in caplog.records])


def test_nobody_waits_for_a_collector_that_does_not_answer(caplog: pytest.LogCaptureFixture) -> None:
    with collecting() as collector:
        collector.open.clear()
        emitter = Emitter(HttpTransport(collector.url, ENDPOINT, timeout_s=10), most_waiting=5)
        began = time.monotonic()
        for number in range(1000):
            emitter.emit({"number": number})
        assert time.monotonic() - began < 5
        emitter.close(timeout_s=0.05)
        assert emitter.dropped >= 994
        told = [record.__dict__ for record in caplog.records if record.getMessage() == "openlineage_dropped"]
        assert sum(each["events"] for each in told) == emitter.dropped
        assert len(told) < 5


def test_a_collector_that_is_gone_costs_its_events_and_nothing_else() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        emitter = Emitter(HttpTransport(f"http://127.0.0.1:{free.getsockname()[1]}", ENDPOINT), pauses_s=(0.001,))
        emitter.emit({"number": 1})
        until(lambda: emitter.dropped == 1)
        emitter.close()


def test_a_file_gets_one_document_a_line_and_a_folder_none(tmp_path: Path) -> None:
    emitter = emitter_of({"OPENLINEAGE_FILE": str(tmp_path / "events.jsonl")})
    assert emitter is not None
    emitter.emit({"number": 1})
    emitter.emit({"text": "two\nlines"})
    emitter.close()
    lines = (tmp_path / "events.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [{"number": 1}, {"text": "two\nlines"}]
    lost = Emitter(FileTransport(tmp_path), pauses_s=())
    lost.emit({"number": 1})
    lost.close()
    assert (lost.sent, lost.dropped) == (0, 1)
