import csv
import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

import gnomon
from gnomon.serving.process import find_gateway
from tests.acceptance.live import Live, manifests, tensors
from tests.acceptance.load import Load
from tests.acceptance.rows import rides_csv

CANDIDATES = "[{algorithm: ridge}, {algorithm: lightgbm, params: {num_leaves: 7}}]"
TIMED = "  time: started_at\n"
FEATURES = "  features: [started_at, city, member, temperature, distance]\n"


def columns_of(text: bytes, rows: int) -> dict[str, list[Any]]:
    """Raw feature columns as a client would send them: strings, numbers, booleans, null where missing."""
    found: dict[str, list[Any]] = {"started_at": [], "city": [], "member": [], "temperature": [], "distance": []}
    for row, _ in zip(csv.DictReader(io.StringIO(text.decode())), range(rows), strict=False):
        found["started_at"].append(row["started_at"])
        found["city"].append(row["city"] or None)
        found["member"].append(row["member"] == "true")
        found["temperature"].append(float(row["temperature"]) if row["temperature"] else None)
        found["distance"].append(float(row["distance"]))
    return found


def single_rows(columns: dict[str, list[Any]], typed: Sequence[dict[str, Any]]) -> list[bytes]:
    """One request body a row, with the datatypes of the whole columns."""
    rows = len(columns["city"])
    bodies = []
    for n in range(rows):
        inputs = [{**tensor, "shape": [1], "data": [columns[tensor["name"]][n]]} for tensor in typed]
        bodies.append(json.dumps({"inputs": inputs}).encode())
    return bodies


def test_one_commit_becomes_a_served_revertible_model(live: Live) -> None:  # noqa: PLR0915 - one story, told once
    first = rides_csv(1200)
    files = manifests(
        "rides", files="data/*.csv", task="regression", target="minutes", candidates=CANDIDATES, extra=FEATURES, data=TIMED
    )
    operator = live.up()
    live.push_files("Declare rides", {**files, "data/march.csv": first})
    live.until(lambda: live.version("rides") == 1, "v1")

    # The release is in Git, with its trailers, written by the operator.
    live.person.pull()
    message = live.person.git("log", "-1", "--format=%s%n%b", "--", "releases/default/rides.yaml")
    assert message.startswith("release(rides): rides v1")
    assert all(f"Gnomon-{name}: " in message for name in ("Service", "Version", "Digest", "Run", "Reason"))

    # The gateway answers as the registered artifact run alone, bit for bit.
    columns = columns_of(first, 200)
    reply = live.infer("rides", columns).json()
    alone = gnomon.load("rides:1", home=live.home).predict(columns)["prediction"]
    assert np.array_equal(np.asarray(reply["outputs"][0]["data"], np.float32), alone)

    # Nothing is left to do, and the lists are what programs expect.
    assert "nothing to do" in live.run_cli("plan").stdout
    listed = json.loads(live.run_cli("get", "services", "-o", "json").stdout)
    assert listed[0]["status"]["conditions"][0] | {"type": "Ready", "status": "True"} == listed[0]["status"]["conditions"][0]
    assert live.run_cli("wait", "service/rides", "--for", "condition=Ready", "--timeout", "5s").returncode == 0

    bodies = single_rows(columns, tensors(columns))
    with Load(operator.serve, "rides", bodies) as load:
        live.push_files("More rides", {"data/april.csv": rides_csv(600, seed=2, shift=1.5)})
        live.until(lambda: live.version("rides") == 2, "v2 after new data")
        live.until(lambda: load.last_version() == "2", "answers by v2")

        # kill -9 of the operator: the gateway is adopted by the next one.
        gateway = find_gateway(live.home / "gateway")
        live.kill_operator()
        live.up()
        adopted = find_gateway(live.home / "gateway")
        assert gateway is not None
        assert adopted is not None
        assert adopted.pid == gateway.pid

        # A plain git revert is the rollback, and stays one.
        live.revert_release("rides")
        live.until(lambda: load.last_version() == "1", "answers by v1 after the revert", 15)
        for _ in range(3):
            live.run_cli("reconcile")
        live.kill_operator()
        live.up()
        live.until(lambda: live.version("rides") == 1, "v1 after a restart")
        assert "withdrawn" in live.reason("Service", "rides")

        # A new version is promoted again.
        live.push_files(
            "Other candidates", {"models/rides.yaml": files["models/rides.yaml"].replace("num_leaves: 7", "num_leaves: 15")}
        )
        live.until(lambda: live.version("rides") == 3, "v3 after a change")
        live.until(lambda: load.last_version() == "3", "answers by v3")

    assert load.failures == []
    models = {version: gnomon.load(f"rides:{version}", home=live.home) for version in ("1", "2", "3")}
    for version, model in models.items():
        answers = [answer for answer in load.answers if answer.version == version]
        assert answers
        for row in {answer.row for answer in answers[:400]}:
            expected = model.predict({name: [values[row]] for name, values in columns.items()})["prediction"][0]
            got = {np.float32(answer.prediction) for answer in answers if answer.row == row}
            assert got == {expected}
        assert {answer.digest for answer in answers} == {model.digest}

    history = json.loads(live.run_cli("history", "rides", "-o", "json").stdout)
    assert [row["version"] for row in history] == [3, 1, 2, 1]
    live.close()
    assert find_gateway(live.home / "gateway") is None


def test_a_run_goes_on_from_its_finished_steps_after_kill_9(live: Live) -> None:
    candidates = "[{algorithm: random-forest, search: {n_estimators: [40, 60, 80, 100, 120, 140]}}]"
    files = manifests("rides", files="data/*.csv", task="regression", target="minutes", candidates=candidates, extra=FEATURES)
    live.up()
    live.push_files("Declare rides", {**files, "data/rides.csv": rides_csv(6000)})

    finished: set[str] = set()

    def fitted() -> int:
        runs = live.api("/runs")["items"]
        steps = live.api(f"/runs/{runs[0]['id']}")["steps"] if runs else []
        finished.update(step["name"] for step in steps if step["state"] == "done")
        return len(finished)

    live.until(lambda: fitted() >= 3, "the preparation and two fitted candidates")
    live.kill_operator()
    live.up()
    live.until(lambda: live.version("rides") == 1, "v1 after the restart")
    (run,) = live.api("/runs")["items"]
    steps = live.api(f"/runs/{run['id']}")["steps"]
    assert run["state"] == "passed"
    # Only what was running when the operator died was begun again.
    again = {step["name"] for step in steps if step["attempt"] > 1}
    assert again.isdisjoint(finished)
    assert len(again) <= 2


def test_a_release_lands_beside_a_person_who_keeps_pushing(live: Live) -> None:
    files = manifests(
        "rides", files="data/*.csv", task="regression", target="minutes", candidates="[{algorithm: ridge}]", extra=FEATURES
    )
    live.up()
    live.push_files("Declare rides", {**files, "data/rides.csv": rides_csv(400)})
    pushed = 0
    while live.version("rides") != 1:
        pushed += 1
        assert pushed < 300
        live.push_files(f"Note {pushed}", {"notes.txt": f"{pushed}\n"})
    live.until(lambda: live.version("rides") == 1, "v1")
    live.person.pull()
    assert (live.person.path / "notes.txt").read_text() == f"{pushed}\n"
