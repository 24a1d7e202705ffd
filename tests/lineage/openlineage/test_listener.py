"""A run of the operator, as a collector of lineage hears of it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gnomon.errors import UsageError
from gnomon.lineage.openlineage.emitter import emitter_of
from gnomon.lineage.openlineage.listener import OpenLineageListener
from gnomon.operator.assemble import Settings, assemble
from gnomon.operator.jobs import Stores
from gnomon.stores.repositories.interface import Repository
from tests.lineage.openlineage.collector import collecting
from tests.lineage.openlineage.structure import require_event
from tests.operator.rig import FILES, Rig
from tests.operator.states import MODEL


class HeardRig(Rig):
    """An operator that tells a collector."""

    variables: Mapping[str, str]

    def start(self) -> None:
        """Put the operator together as ``gnomon up`` does."""
        self.home.create()
        emitter = emitter_of(self.variables)
        assert emitter is not None
        self.emitter = emitter

        def made(stores: Stores, repository: Repository) -> OpenLineageListener:
            return OpenLineageListener(
                emitter.emit, stores.objects, stores.records, repository.url, "main", lambda: datetime.now(UTC)
            )

        settings = Settings(str(self.remote), "main", self.home, "127.0.0.1:0", None, timedelta(seconds=20), workers=1, slots=2)
        self.assembly = assemble(settings, self.clock, made)
        self.assembly.operator.source.poll()


def test_readings_runs_and_steps_are_told_with_what_they_read_and_made(tmp_path: Path) -> None:
    with collecting() as collector:
        HeardRig.variables = {"OPENLINEAGE_URL": collector.url, "OPENLINEAGE_API_KEY": "a key"}
        rig = HeardRig(tmp_path)
        try:
            rig.push({path: text for path, text in FILES.items() if path != "service.yaml"})
            rig.until(lambda: rig.reason(MODEL).startswith("True"))
            rig.push({"data/two.csv": "a,b\n1,2\n"})
            rig.until(lambda: bool(rig.events("DataRefused")))
            run = rig.runs()[-1]
        finally:
            rig.close()
            rig.emitter.close()
        events = collector.events
    assert (rig.emitter.dropped, rig.emitter.sent) == (0, len(events))
    assert set(collector.requests) == {("/api/v1/lineage", "Bearer a key")}
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
