"""What an operator does, as a collector of lineage hears of it."""

from typing import Any

import pytest

from gnomon.errors import UsageError
from gnomon.lineage.openlineage.emitter import emitter_of
from tests.lineage.conftest import HeardRig
from tests.lineage.openlineage.structure import require_event


def test_readings_runs_and_steps_are_told_with_what_they_read_and_made(rig: HeardRig) -> None:
    run = next(run for run in rig.runs() if run.state == "passed")
    rig.push({"data/two.csv": "a,b\n1,2\n"})
    rig.until(lambda: bool(rig.events("DataRefused")))
    rig.until(lambda: any(event["eventType"] == "FAIL" for event in rig.lineage_events()))
    events = rig.lineage_events()
    for event in events:
        require_event(event)

    def of(job: str, kind: str) -> dict[str, Any]:
        return next(event for event in events if (event["job"]["name"], event["eventType"]) == (job, kind))

    reading = of("dataset/default/flights", "COMPLETE")
    assert (reading["inputs"][0]["namespace"], reading["inputs"][0]["name"]) == (str(rig.remote), "data/*.csv")
    taken = reading["outputs"][0]
    assert taken["name"] == "dataset/default/flights"
    assert taken["facets"]["version"]["datasetVersion"] == run.snapshot
    assert [column["name"] for column in taken["facets"]["schema"]["fields"]] == ["distance", "hour", "delay"]
    assert taken["outputFacets"]["outputStatistics"]["rowCount"] == 120
    started, ended = of("model/default/delay", "START"), of("model/default/delay", "COMPLETE")
    assert started["run"]["runId"] == ended["run"]["runId"]
    location = started["job"]["facets"]["sourceCodeLocation"]
    assert (location["type"], location["url"], location["version"]) == ("git", str(rig.remote), run.revision)
    assert ended["inputs"][0]["facets"]["version"]["datasetVersion"] == run.snapshot
    assert ended["outputs"][0]["facets"]["version"]["datasetVersion"] == run.artifact
    refit = of("model/default/delay.refit-ridge", "COMPLETE")
    assert refit["run"]["facets"]["parent"]["run"]["runId"] == ended["run"]["runId"]
    assert "model/default/delay.prepare.table" in {item["name"] for item in refit["inputs"]}
    assert "model/default/delay.refit-ridge.model" in {item["name"] for item in refit["outputs"]}
    refused = of("dataset/default/flights", "FAIL")
    assert "data/two.csv lacks" in refused["run"]["facets"]["errorMessage"]["message"]
    counted = of("pipeline/default/count", "COMPLETE")
    assert counted["inputs"][0]["name"] == "dataset/default/flights"
    assert {item["name"] for item in of("pipeline/default/count.twice", "COMPLETE")["inputs"]} == {
        "pipeline/default/count.rows.value"
    }
    # Each that started came to one end.
    for run_id in {event["run"]["runId"] for event in events}:
        kinds = [event["eventType"] for event in events if event["run"]["runId"] == run_id]
        assert kinds in (["START", "COMPLETE"], ["START", "FAIL"]), kinds


def test_nobody_is_told_unless_somebody_asks() -> None:
    assert emitter_of({}) is None
    assert emitter_of({"OPENLINEAGE_URL": "http://127.0.0.1:1", "OPENLINEAGE_DISABLED": "true"}) is None


@pytest.mark.parametrize("url", ["collector:5000", "ftp://collector", "http://", "http://user:secret@collector", "http://[::1"])
def test_an_address_that_is_none_is_refused_without_its_secrets(url: str) -> None:
    with pytest.raises(UsageError) as caught:
        emitter_of({"OPENLINEAGE_URL": url})
    assert "secret" not in str(caught.value)
