import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from gnomon.api.plane import ControlPlane
from gnomon.api.problems import VERSION_HEADER
from gnomon.api.server import ApiServer, address_of, bind, require_guard
from gnomon.errors import ConflictError, UsageError
from gnomon.operator.assemble import Assembly, Settings, assemble
from gnomon.operator.home import Home
from gnomon.resources.identity import ResourceKey
from gnomon.version import __version__
from tests.git_remote import Clone, make_remote

NOW = datetime(2026, 3, 1, tzinfo=UTC)
PROJECT = "apiVersion: gnomon.dev/v1alpha1\nkind: Project\nmetadata: {name: shop}\nspec: {}\n"


@contextmanager
def served(plane: ControlPlane) -> Iterator[httpx.Client]:
    """A real server, and a client of it."""
    bound = bind("127.0.0.1:0")
    server = ApiServer(plane, bound)
    server.start()
    with httpx.Client(base_url=f"http://{address_of(bound)}", trust_env=False, timeout=20) as asked:
        yield asked
    server.stop()


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    """An operator that has taken up one commit and some events; its loop does not run."""
    folder = tmp_path_factory.mktemp("api")
    remote = make_remote(folder)
    person = Clone(remote, folder / "clone")
    person.write("gnomon.yaml", PROJECT)
    person.commit("Declare a project")
    person.push()
    home = Home(folder / "home")
    home.create()
    made = assemble(Settings(str(remote), "main", home, "127.0.0.1:0", None, timedelta(seconds=30), 1, 1))
    made.operator.source.poll()
    for number in range(5):
        made.records.add_event("Normal", ResourceKey("Model", "default", f"m{number}"), "Made", "it is", NOW)
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(assembly: Assembly) -> Iterator[httpx.Client]:
    with served(ControlPlane(assembly, {"serve": "127.0.0.1:1"})) as asked:
        yield asked


@pytest.mark.parametrize(
    ("method", "path", "status", "cause"),
    [
        ("GET", "/nothing", 404, "there is nothing at /nothing"),
        ("GET", "/api/v1/resources?kind=modl", 400, "'modl' is not a kind"),
        ("GET", "/api/v1/resources/Model/default/m", 404, "there is no model/default/m"),
        ("GET", "/api/v1/events?limit=ten", 400, "'ten' is not a number"),
        ("GET", "/api/v1/events?limit=-1", 400, "'-1' is not a number"),
        ("GET", "/api/v1/events?after=9223372036854775808", 400, "is not a number"),
        ("GET", f"/api/v1/events?after={'9' * 5000}", 400, "is not a number"),
        ("GET", "/api/v1/events?kind=model", 400, "a kind without a name"),
        ("GET", "/api/v1/runs?model=m", 404, "there is no model/default/m"),
        ("GET", "/api/v1/runs/r", 404, "there is no run r"),
        ("GET", "/api/v1/runs/r/report", 404, "there is no run r"),
        ("GET", "/api/v1/runs/r/logs/fit", 404, "there is no run r"),
        ("GET", "/api/v1/models/default/m/versions", 404, "there is no model/default/m"),
        ("GET", "/api/v1/services/default/s/history", 404, "there is no service/default/s"),
        ("DELETE", "/api/v1/runs", 405, "/api/v1/runs does not take DELETE"),
        ("GET", "/api/v1/plan", 405, "/api/v1/plan does not take GET"),
    ],
)
def test_every_refusal_is_a_problem_with_cause_and_mend(
    client: httpx.Client, method: str, path: str, status: int, cause: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert cause in problem["cause"]
    assert problem["mend"]
    assert problem["status"] == status
    assert problem["detail"] == f"{problem['cause']} ({problem['mend']})"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"manifests": 1, "tree": []}', b"\xff", b"[" * 100_000])
def test_a_plan_of_anything_but_files_is_refused(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/v1/plan", content=body)
    assert answer.status_code == 400
    assert "cannot be read" in answer.json()["cause"]


def test_a_body_that_never_ends_is_cut_off(client: httpx.Client) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(65):
            yield bytes(2**20)

    answer = client.post("/api/v1/plan", content=chunks())
    assert answer.status_code == 400
    assert answer.json()["cause"] == "the files to plan with are too large"


def test_what_nobody_foresaw_is_a_problem_that_tells_no_secrets(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> Any:
        raise ZeroDivisionError("https://joe:sesame@host")

    monkeypatch.setattr(assembly.records, "resources", fail)
    with served(ControlPlane(assembly, {})) as asked:
        answer = asked.get("/api/v1/resources")
    assert answer.status_code == 500
    assert answer.json()["cause"] == "the operator failed to answer /api/v1/resources: ZeroDivisionError"
    assert "sesame" not in answer.text
    assert VERSION_HEADER in answer.headers


def test_lists_are_cut_to_the_newest_and_go_on_from_an_id(client: httpx.Client) -> None:
    newest = client.get("/api/v1/events", params={"limit": 2}).json()["items"]
    assert [event["name"] for event in newest] == ["m3", "m4"]
    assert client.get("/api/v1/events", params={"limit": 0}).json()["items"] == []
    later = client.get("/api/v1/events", params={"after": newest[0]["id"]}).json()["items"]
    assert [event["name"] for event in later] == ["m4"]


def test_every_answer_is_signed_also_a_refusal(client: httpx.Client) -> None:
    for path in ("/healthz", "/api/v1/resources", "/nothing"):
        assert client.get(path).headers[VERSION_HEADER] == __version__


def test_whoever_asks_for_the_head_gets_no_body(client: httpx.Client) -> None:
    answer = client.head("/api/v1/resources")
    assert (answer.status_code, answer.content) == (200, b"")


def test_ready_means_that_a_commit_has_been_taken_up(client: httpx.Client, assembly: Assembly) -> None:
    assert client.get("/healthz").text == "ok\n"
    assert client.get("/readyz").status_code == 503
    before = assembly.records.setting("source")
    assembly.records.put_setting("source", {"revision": "a" * 40})
    try:
        assert client.get("/readyz").status_code == 200
    finally:
        assembly.records.put_setting("source", before or {})


@pytest.mark.parametrize("sent", [None, "Bearer wrong", "Basic open", "Bearer", "open"])
def test_nobody_gets_in_without_the_token(assembly: Assembly, sent: str | None) -> None:
    with served(ControlPlane(assembly, {}, token="open")) as asked:
        headers = {"authorization": sent} if sent is not None else {}
        answer = asked.get("/api/v1/resources", headers=headers)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["mend"] == "set GNOMON_TOKEN to the token of this operator"
        assert VERSION_HEADER in answer.headers
        assert asked.get("/nothing", headers=headers).status_code == 401
        assert asked.get("/healthz").status_code == 200
        assert asked.get("/api/v1/resources", headers={"authorization": "Bearer open"}).status_code == 200


def test_a_preview_changes_nothing(client: httpx.Client, assembly: Assembly) -> None:
    source = assembly.operator.source
    before = (source.state, source.desired(), assembly.records.resources(), assembly.records.events())
    bases = ["HEAD", "--help", "0" * 40]
    foreign = client.post("/api/v1/plan", content=json.dumps({"manifests": [], "tree": [], "bases": bases}))
    assert foreign.status_code == 409
    assert "shares no commit" in foreign.json()["cause"]
    bases.append(source.state.revision or "")
    planned = client.post("/api/v1/plan", content=json.dumps({"manifests": [], "tree": [], "bases": bases}))
    assert planned.status_code == 200
    assert planned.json()["problems"] == []
    assert (source.state, source.desired(), assembly.records.resources(), assembly.records.events()) == before
    assert not assembly.runs.under_way()
    assert not assembly.intakes.under_way()


@pytest.mark.parametrize("listen", ["8080", ":8080", "host:", "127.0.0.1:99999", "127.0.0.1:٣", "127.0.0.1:-1"])
def test_what_is_no_address_is_not_listened_on(listen: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        bind(listen)


def test_a_port_that_is_taken_is_told() -> None:
    with bind("127.0.0.1:0") as first, pytest.raises(ConflictError, match="cannot listen on"):
        bind(f"127.0.0.1:{first.getsockname()[1]}")


@pytest.mark.parametrize("listen", ["0.0.0.0:80", "[::]:80", "example.com:80", "192.168.1.1:80"])
def test_other_machines_are_let_in_with_a_token_only(listen: str) -> None:
    with pytest.raises(UsageError, match="nothing guards the control plane"):
        require_guard(listen, "")
    require_guard(listen, "secret")
    require_guard("127.0.0.1:80", "")
    require_guard("[::1]:80", "")


def test_the_address_of_the_repository_tells_no_password(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.create()
    settings = Settings("http://joe:sesame@127.0.0.1:9/x.git", "main", home, "127.0.0.1:0", None, timedelta(seconds=5), 1, 1)
    made = assemble(settings)
    try:
        made.operator.source.poll()
        made.operator.run_pass()
        with served(ControlPlane(made, {})) as asked:
            told = asked.get("/api/v1/source").text + asked.get("/api/v1/events").text
        assert "http://127.0.0.1:9/x.git" in told
        assert "sesame" not in told
    finally:
        made.close()
    assert not [file for file in home.path.rglob("*") if file.is_file() and b"sesame" in file.read_bytes()]
