import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gnomon.api.plane import ControlPlane
from gnomon.api.server import ApiServer, address_of, bind
from gnomon.cli.main import main
from gnomon.errors import GnomonError, NotFoundError, UsageError
from gnomon.lineage.archive import Archive
from gnomon.lineage.graph import Link, Node, text_lines, traced
from gnomon.lineage.kept import Kept
from gnomon.lineage.trace import trace
from gnomon.serving.ids import PredictionIds, mark_of
from gnomon.stores.digests import digest_of
from tests.operator.rig import FILES, Rig

Asked = Callable[[str], Mapping[str, Any]]
CSV = digest_of(FILES["data/one.csv"].encode())


@pytest.fixture
def asked(kept: Kept) -> Asked:
    return lambda text: trace(Archive(kept.records, kept.objects, kept.repository), text).to_json()


def names(found: Mapping[str, Any], kind: str) -> list[str]:
    return [node["name"] for node in found["nodes"] if node["kind"] == kind]


def details(found: Mapping[str, Any], node_id: str) -> Mapping[str, Any]:
    told: Mapping[str, Any] = next(node["details"] for node in found["nodes"] if node["id"] == node_id)
    return told


def test_a_prediction_leads_to_the_artifact_the_run_the_rows_and_the_commit(rig: Rig, asked: Asked) -> None:
    run = rig.runs()[0]
    assert run.artifact is not None
    found = asked(PredictionIds().mint(mark_of(run.artifact)))
    edges = {(edge["from"], edge["to"]) for edge in found["edges"]}
    assert (f"artifact:{run.artifact}", found["roots"][0]) in edges
    assert (f"run:{run.id}", f"artifact:{run.artifact}") in edges
    assert (f"snapshot:{run.snapshot}", f"run:{run.id}") in edges
    assert (f"file:{CSV}", f"snapshot:{run.snapshot}") in edges
    assert (f"commit:{run.revision}", f"run:{run.id}") in edges
    # Who brought the rows, who declared the model: the same person in the same commit.
    assert (f"commit:{run.revision}", f"file:{CSV}") in edges
    assert details(found, f"commit:{run.revision}")["by"] == "Ada <ada@example.com>"
    assert details(found, f"commit:{run.revision}")["subject"] == "Declare delays"
    assert details(found, f"file:{CSV}") == {
        "path": ["data/one.csv"],
        "rows": 120,
        "bytes": len(FILES["data/one.csv"]),
        "format": "csv",
    }
    kinds = {edge["kind"] for edge in found["edges"]}
    assert {"declared in model.yaml by", "brought as data/one.csv by", "input table from"} <= kinds
    assert f"{run.id}/prepare" in names(found, "step")


def test_a_data_file_leads_forward_to_the_service_and_a_commit_to_its_runs(rig: Rig, asked: Asked) -> None:
    run = rig.runs()[0]
    found = asked("data/one.csv")
    assert found["roots"] == [f"file:{CSV}"]
    forward = [("snapshot", run.snapshot), ("run", run.id), ("artifact", run.artifact), ("version", "default/delay:1")]
    for kind, name in [*forward, ("service", "default/delay")]:
        assert name in names(found, kind)
    release = names(found, "release")[0]
    assert release.startswith("default/delay@")
    assert details(found, f"release:{release}")["by"] == "gnomon <gnomon@localhost>"
    assert details(found, f"release:{release}")["current"] == "yes"
    assert run.id in names(asked(run.revision), "run")
    assert names(asked(run.revision[:9]), "service") == ["default/delay"]


def test_whatever_names_a_thing_leads_to_the_same_run(rig: Rig, asked: Asked) -> None:
    run = rig.runs()[0]
    steps = {step.name: step for step in rig.assembly.records.steps(run.id)}
    table = (steps["prepare"].result or {})["table"]["digest"]
    assert run.artifact is not None
    ways = {
        run.artifact: "artifact",
        run.artifact[:20]: "artifact",
        run.artifact.removeprefix("sha256:")[:12]: "artifact",
        "delay:1": "version",
        "default/delay:v1": "version",
        "delay": "service",
        "service/delay": "service",
        run.id: "run",
        f"{run.id}/prepare": "step",
        steps["prepare"].key: "step",
        steps["prepare"].key[:12]: "step",
        run.snapshot: "snapshot",
        table: "object",
        CSV: "file",
        "one.csv": "file",
        str(run.report): "run",
    }
    for text, kind in ways.items():
        found = asked(text)
        assert [root.partition(":")[0] for root in found["roots"]] == [kind], text
        assert run.id in names(found, "run"), text
        assert json.loads(json.dumps(found)) == found
        lines = list(text_lines(found))
        assert len(lines) > 4
        assert any(run.id in line for line in lines)


@pytest.mark.parametrize(
    ("text", "error", "told"),
    [
        ("", UsageError, "nothing is named"),
        ("delay:9", NotFoundError, "delay:9"),
        ("delai", NotFoundError, "delay"),
        ("sha256:" + "0" * 64, NotFoundError, "nothing that is known"),
        ("0" * 40, NotFoundError, "nothing that is known"),
        ("019aabcd-0123-7abc-89ab-0123456789ab", NotFoundError, "x-gnomon-digest"),
        ("../../etc/passwd", NotFoundError, "nothing that is known"),
        ("\x1b[31m" + "x" * 5000, NotFoundError, "nothing that is known"),
    ],
)
def test_what_names_nothing_is_told_so(asked: Asked, text: str, error: type[GnomonError], told: str) -> None:
    with pytest.raises(error) as caught:
        asked(text)
    assert told in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_step_that_a_run_has_not_is_corrected(rig: Rig, asked: Asked) -> None:
    with pytest.raises(NotFoundError, match="prepare"):
        asked(f"{rig.runs()[0].id}/prepar")


def test_a_walk_in_a_circle_ends_and_a_very_wide_one_says_what_it_leaves_out() -> None:
    one, other = Node("run", "one"), Node("run", "other")
    circle = traced("one", [one], lambda node: [Link("of", other if node == one else one)], lambda _: [])
    assert [(edge.source, edge.target) for edge in circle.back] == [("run:other", "run:one"), ("run:one", "run:other")]
    assert list(text_lines(circle.to_json()))
    wide = traced("one", [one], lambda _: [Link("of", Node("run", f"{n}")) for n in range(5000)], lambda _: [])
    assert len(wide.notes) == 1
    assert "left out" in wide.notes[0]


def test_the_operator_and_its_folder_tell_the_same(
    rig: Rig, asked: Asked, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with bind("127.0.0.1:0") as bound:
        server = ApiServer(ControlPlane(rig.assembly, {}), bound)
        server.start()
        monkeypatch.setenv("GNOMON_URL", f"http://{address_of(bound)}")
        try:
            for text in ("data/one.csv", f"{rig.runs()[0].id}/prepare", "delay:1"):
                assert main(["trace", text, "-o", "json"]) == 0
                assert json.loads(capsys.readouterr().out) == asked(text)
            assert main(["trace", "delay:7"]) == 1
            assert "delay:7" in capsys.readouterr().err
        finally:
            server.stop()
    assert main(["trace", "delay:1", "--home", str(rig.home.path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("version default/delay:1 (digest sha256:")
    assert {"came from:", "was used by:"} <= set(lines)
    assert lines[-1].strip() == "serves as: service default/delay"
