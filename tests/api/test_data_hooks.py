"""Who may have a dataset's source looked at."""

import hashlib
import hmac
from collections.abc import Iterator
from datetime import timedelta

import httpx
import pytest

from gnomon.api.plane import ControlPlane
from gnomon.operator.assemble import Assembly, Settings, assemble
from gnomon.operator.home import Home
from gnomon.resources.identity import ResourceKey
from tests.api.test_app import served
from tests.git_remote import Clone, make_remote

DATASETS = "".join(
    f"""---
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {{name: {name}}}
spec: {{source: {{files: /srv/none/*.csv}}{extra}}}
"""
    for name, extra in (
        ("plain", ""),
        ("by-token", ", webhook: {token: {env: HOOK_TOKEN}}"),
        ("by-secret", ", webhook: {secret: {env: HOOK_SECRET}}"),
        ("unset", ", webhook: {token: {env: HOOK_UNSET}}"),
    )
)
OPERATOR = {"authorization": "Bearer of-the-operator"}


@pytest.fixture(scope="module")
def assembly(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assembly]:
    folder = tmp_path_factory.mktemp("hooks")
    remote = make_remote(folder)
    person = Clone(remote, folder / "clone")
    person.write("datasets.yaml", DATASETS)
    person.commit("Declare datasets")
    person.push()
    home = Home(folder / "home")
    home.create()
    made = assemble(Settings(str(remote), "main", home, "127.0.0.1:0", None, timedelta(seconds=30), 1, 1))
    made.operator.source.poll()
    yield made
    made.close()


@pytest.fixture(scope="module")
def client(assembly: Assembly) -> Iterator[httpx.Client]:
    with served(ControlPlane(assembly, {}, token="of-the-operator")) as asked:
        yield asked


@pytest.fixture
def looked_at(assembly: Assembly, monkeypatch: pytest.MonkeyPatch) -> list[ResourceKey]:
    monkeypatch.setenv("HOOK_TOKEN", "of-the-hook")
    monkeypatch.setenv("HOOK_SECRET", "to-sign-with")
    asked: list[ResourceKey] = []
    monkeypatch.setattr(assembly.operator.source, "look_at", asked.append)
    return asked


def signed(content: bytes, secret: str) -> dict[str, str]:
    return {"x-hub-signature-256": f"sha256={hmac.new(secret.encode(), content, hashlib.sha256).hexdigest()}"}


@pytest.mark.parametrize(
    ("name", "headers", "status"),
    [
        ("plain", {}, 401),
        ("plain", OPERATOR, 202),
        ("by-token", {}, 401),
        ("by-token", OPERATOR, 401),
        ("by-token", {"authorization": "Bearer of-the-hook"}, 202),
        ("by-secret", {"authorization": "Bearer to-sign-with"}, 401),
        ("by-secret", signed(b"news", "to-sign-with"), 202),
        ("by-secret", signed(b"olds", "to-sign-with"), 401),
        ("by-secret", signed(b"news", "other"), 401),
        ("unset", {"authorization": "Bearer x"}, 401),
        ("unset", {}, 401),
        ("nothing", {}, 401),
        ("nothing", OPERATOR, 404),
    ],
)
def test_a_webhook_is_heard_where_the_caller_proves_who_it_is(
    client: httpx.Client, looked_at: list[ResourceKey], name: str, headers: dict[str, str], status: int
) -> None:
    answer = client.post(f"/webhooks/data/default/{name}", content=b"news", headers=headers)
    assert answer.status_code == status, answer.text
    assert looked_at == ([ResourceKey("Dataset", "default", name)] if status == 202 else [])
    assert not any(secret in answer.text for secret in ("of-the-hook", "to-sign-with", "of-the-operator"))
    if status == 202:
        assert answer.json() == {"accepted": True}


def test_a_person_may_have_a_source_looked_at(client: httpx.Client, looked_at: list[ResourceKey]) -> None:
    assert client.post("/api/v1/datasets/default/plain/refresh").status_code == 401
    assert client.post("/api/v1/datasets/default/plain/refresh", headers=OPERATOR).status_code == 202
    missing = client.post("/api/v1/datasets/default/plian/refresh", headers=OPERATOR)
    assert (missing.status_code, len(looked_at)) == (404, 1)
    assert client.get("/webhooks/data/default/plain", headers=OPERATOR).status_code == 405
    assert client.post("/webhooks/data/default/plain", headers=OPERATOR, content=bytes(2**20 + 1)).status_code == 400
