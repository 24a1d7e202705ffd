import asyncio
import math
import re
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.inference.golden import GoldenRows
from gnomon.inference.loading import load_artifact
from gnomon.serving import models as models_module
from gnomon.serving.gateway import Gateway
from gnomon.serving.http import Reply
from gnomon.serving.models import Models
from gnomon.serving.routes import Route, RouteTable, Target
from gnomon.stores.artifacts.memory import MemoryArtifactStore
from tests.artifacts import make_artifact, make_classifier
from tests.serving.connections import until


class Answered(NamedTuple):
    """A reply taken apart."""

    status: int
    headers: dict[str, str]
    document: Any


def read(reply: Reply) -> Answered:
    """Return the parts of a reply."""
    lines = reply.head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    document = orjson.loads(reply.body) if headers["content-type"] == "application/json" else reply.body.decode()
    return Answered(int(lines[0].split()[1]), headers, document)


class Ask:
    """Asks a gateway and reads the reply."""

    def __init__(self, gateway: Gateway) -> None:
        self.gateway = gateway

    def __call__(self, method: str, path: str, document: Any = None) -> Answered:
        reply = self.raw(method, path, orjson.dumps(document) if document is not None else b"")
        assert isinstance(reply, Reply)
        return read(reply)

    def raw(self, method: str, path: str, body: bytes) -> Reply | asyncio.Future[Reply]:
        return self.gateway.answer(method.encode(), path.encode(), body)


class Digests(NamedTuple):
    """What the services of ``serving`` are made of."""

    one: str
    two: str
    classifier: str


def serving(scenario: Callable[[Ask, Digests], Awaitable[None]], **changes: Any) -> None:
    """Run a scenario against service ``m`` (version 1 answers x, version 2 is warm and answers 2x), ``c`` and ``none``."""

    async def main() -> None:
        store = MemoryArtifactStore()
        digests = Digests(make_artifact(store, 1.0), make_artifact(store, 2.0), make_classifier(store))
        models = Models(partial(load_artifact, store), {}, lambda: gateway.refresh())  # noqa: PLW0108 - bound below
        gateway = Gateway(models, lambda: True, lambda: b"# measured\n")
        routes = {
            "m": Route("team", Target("1", digests.one), [Target("2", digests.two)], **changes),
            "c": Route("team", Target("1", digests.classifier)),
            "none": Route("team"),
        }
        models.apply(RouteTable(1, routes))
        await models.settled()
        try:
            await scenario(Ask(gateway), digests)
        finally:
            gateway.close()

    asyncio.run(main())


def tensor(name: str, values: list[Any], datatype: str = "FP64", shape: list[int] | None = None) -> dict[str, Any]:
    """Return a column as a request carries it."""
    return {"name": name, "shape": shape or [len(values)], "datatype": datatype, "data": values}


def regression(*values: float, **changes: Any) -> dict[str, Any]:
    """Return a request to service ``m``."""
    columns = [tensor("x", list(values)), tensor("count", [None] * len(values), "INT64")]
    return {"inputs": columns} | changes


def test_an_answer_carries_its_version_digest_and_id() -> None:
    async def scenario(ask: Ask, digests: Digests) -> None:
        status, headers, document = ask("POST", "/v2/models/m/infer", regression(1.5, -2.0, id="mine"))
        assert status == 200
        assert headers["x-gnomon-digest"] == digests.one
        assert document == {
            "model_name": "m", "model_version": "1", "id": "mine",
            "outputs": [{"name": "prediction", "shape": [2], "datatype": "FP32", "data": [1.5, -2.0]}],
        }  # fmt: skip
        minted = [ask("POST", "/v2/models/m/infer", regression(1.0)).document["id"] for _ in range(300)]
        assert len(set(minted)) == 300
        assert all(
            re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", name) for name in minted
        )

    serving(scenario)


def test_a_version_is_asked_for_by_its_name() -> None:
    async def scenario(ask: Ask, digests: Digests) -> None:
        answered = ask("POST", "/v2/models/m/versions/2/infer", regression(1.5))
        assert answered.document["outputs"][0]["data"] == [3.0]
        assert (answered.document["model_version"], answered.headers["x-gnomon-digest"]) == ("2", digests.two)
        assert ask("GET", "/v2/models/m/versions/2/ready").status == 200
        assert ask("GET", "/v2/models/m/versions/2").document["versions"] == ["1", "2"]
        for path in ("", "/ready", "/infer"):
            answered = ask("GET", "/v2/models/m/versions/9" + path)
            assert (answered.status, answered.document["error"][:36]) == (404, "service 'm' has no version '9' loade")

    serving(scenario)


def test_columns_of_every_kind_and_form_are_taken() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        document = {
            "parameters": {"anything": 1},
            "inputs": [
                tensor("late", [[True], [None], [False], [False]], "BOOL", [4, 1]),
                tensor("at", ["1969-12-31T23:59:59.999999Z", "1970-01-01", None, "2026-11-22T08:00:00+01:00"], "BYTES", [4, 1]),
                tensor("city", ["", None, "Zürich", "Bern"], "BYTES"),
            ],
            "outputs": [{"name": "prediction"}],
        }
        answered = ask("POST", "/v2/models/c/infer", document)
        assert answered.document["outputs"] == [
            {"name": "prediction", "shape": [4], "datatype": "BYTES", "data": ["yes", "no", "yes", "yes"]}
        ]
        document["inputs"][1] = tensor("at", [-1, 0, None, 1_000_000], "INT64")  # type: ignore[index] # a document is untyped
        whole = ask("POST", "/v2/models/c/infer", document | {"outputs": None}).document["outputs"]
        assert [output["name"] for output in whole] == ["prediction", "probabilities"]
        assert whole[1]["shape"] == [4, 2]
        assert len(whole[1]["data"]) == 8

    serving(scenario)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
@settings(max_examples=20, deadline=None)
def test_a_float32_reads_back_as_the_same_float32(values: list[float]) -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        data = ask("POST", "/v2/models/m/infer", regression(*values)).document["outputs"][0]["data"]
        assert np.array(data, dtype=np.float32).tobytes() == np.array(values, dtype=np.float32).tobytes()

    serving(scenario)


def test_an_answer_that_is_no_finite_number_is_null() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        answered = ask("POST", "/v2/models/m/versions/2/infer", regression(3e38, 1.0))
        assert answered.document["outputs"][0]["data"] == [None, 2.0]

    serving(scenario)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        ({}, "the body is no inference request: Object missing required field `inputs`"),
        ([], "the body is no inference request: Expected `object`, got `array`"),
        ({"inputs": [{"name": 1}]}, "the body is no inference request: Expected `str`, got `int` - at `$.inputs[0].name`"),
        (regression(1.0, id=7), "the body is no inference request: Expected `str | null`, got `int` - at `$.id`"),
        ({"inputs": []}, "columns 'x', 'count' are missing"),
        ({"inputs": [tensor("x", [1]), tensor("x", [1])]}, "column 'x' comes twice"),
        ({"inputs": [tensor("x", [1]), tensor("y", [1])]}, "column 'count' is missing"),
        ({"inputs": [tensor("x", [1], "BYTES")]}, "column 'x' has datatype 'BYTES'"),
        ({"inputs": [tensor("x", [1], "FLOAT")]}, "column 'x' has datatype 'FLOAT'"),
        ({"inputs": [tensor("x", [1, 2], shape=[3])]}, "column 'x' has shape [3] and 2 values"),
        ({"inputs": [tensor("x", [1, 2], shape=[1, 2])]}, "column 'x' has shape [1, 2]"),
        ({"inputs": [tensor("x", [[1, 2]], shape=[1])]}, "column 'x' has rows that do not hold one value each"),
        ({"inputs": [tensor("x", [[1], 2])]}, "column 'x' has rows that do not hold one value each"),
        ({"inputs": [tensor("x", [1]), tensor("count", [1, 2])]}, "column 'count' has 2 rows, column 'x' has 1"),
        ({"inputs": [tensor("x", []), tensor("count", [])]}, "columns 'x', 'count' have no rows"),
        (regression(None), "column 'x', row 0: the value is missing"),  # type: ignore[arg-type] # what is tested
        (regression("a"), "column 'x', row 0: the value is text ('a')"),  # type: ignore[arg-type] # what is tested
        (regression(1.0, outputs=[{"name": "z"}]), "the model has no output 'z'"),
    ],
)
def test_a_request_that_does_not_fit_is_told_why(document: Any, told: str) -> None:
    async def scenario(ask: Ask, digests: Digests) -> None:
        answered = ask("POST", "/v2/models/m/infer", document)
        assert answered.status == 400
        assert answered.document["error"].startswith(told)
        assert answered.headers["x-gnomon-digest"] == digests.one

    serving(scenario)


_DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "shape", "data", "datatype"]), inner),
    max_leaves=10,
)
_TENSORS = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "count", "late", "at", "city"]), "shape": st.just([1]) | _DOCUMENTS,
     "datatype": st.sampled_from(["FP32", "BYTES", "INT64", "BOOL"]), "data": st.lists(_DOCUMENTS, max_size=2) | _DOCUMENTS}
)  # fmt: skip


@given(st.lists(st.fixed_dictionaries({"inputs": st.lists(_TENSORS, max_size=4)}) | _DOCUMENTS, min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_no_document_makes_the_gateway_fail(documents: list[Any]) -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        for document in documents:
            for name in ("m", "c"):
                assert ask("POST", f"/v2/models/{name}/infer", document).status in (200, 400)

    serving(scenario)


def test_bodies_that_are_no_json_are_refused() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        for body in (b"", b"{", b"\xff", b"[" * 100_000, b'{"inputs": ' + b"[" * 60_000, b'{"inputs": [1e999]}', b"NaN"):
            reply = ask.raw("POST", "/v2/models/m/infer", body)
            reply = reply if isinstance(reply, Reply) else await reply
            assert read(reply).status == 400

    serving(scenario)


def test_a_request_of_very_many_tensors_is_refused_in_few_words() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        for names in (
            [f"n{number}" for number in range(50_000)],
            ["n" * 40, *[f"n{number}" for number in range(50_000)], "n" * 40],
        ):
            document = {"inputs": [tensor(name, []) for name in ["x", "count", *names]]}
            promised = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(document))
            assert isinstance(promised, asyncio.Future)
            answered = read(await promised)
            assert answered.status == 400
            assert len(answered.document["error"]) < 400

    serving(scenario)


def test_the_paths_of_the_protocol() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        assert ask("GET", "/v2").document["name"] == "gnomon"
        assert ask("GET", "/v2/").status == 200
        assert ask("GET", "http://host/v2/health/live?x=1").document == {"live": True}
        assert ask("GET", "/v2/health/ready").document == {"ready": True}
        assert ask("GET", "/v2/models/m/ready").document == {"name": "m", "ready": True}
        assert ask("HEAD", "/v2/models/m/ready").status == 200
        assert ask("GET", "/v2/models/%6D").document["name"] == "m"
        assert ask("GET", "/metrics").document == "# measured\n"
        index = ask("POST", "/v2/repository/index", {}).document
        assert [(entry["name"], entry.get("version"), entry["state"]) for entry in index] == [
            ("c", "1", "READY"), ("m", "1", "READY"), ("m", "2", "READY"), ("none", None, "UNAVAILABLE"),
        ]  # fmt: skip

    serving(scenario)


def test_metadata_tells_columns_and_classes() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        document = ask("GET", "/v2/models/c").document
        assert [(column["name"], column["datatype"], column["shape"]) for column in document["inputs"]] == [
            ("late", "BOOL", [-1]), ("at", "BYTES", [-1]), ("city", "BYTES", [-1]),
        ]  # fmt: skip
        assert document["outputs"][1] == {
            "name": "probabilities", "datatype": "FP32", "shape": [-1, 2], "parameters": {"classes": ["no", "yes"]},
        }  # fmt: skip
        assert document["platform"] == "onnxruntime_onnx"

    serving(scenario)


def test_a_service_without_a_release_says_so() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        for method, path in (("POST", "/v2/models/none/infer"), ("GET", "/v2/models/none")):
            answered = ask(method, path, regression(1.0))
            assert (answered.status, answered.document) == (503, {"error": "service 'none' has no release yet"})
        assert ask("GET", "/v2/models/none/ready").status == 503

    serving(scenario)


def test_what_is_not_there_or_not_allowed() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        for path in ("/", "/v1", "/v2/models", "/v2/models/zz", "/v2/models/zz/infer", "/v2/models/m/explain", "/v2/%ff/x"):
            answered = ask("GET", path)
            assert (answered.status, set(answered.document)) == (404, {"error"})
        for method, path, allow in (
            ("GET", "/v2/models/m/infer", "POST"),
            ("PUT", "/v2/models/m/infer", "POST"),
            ("POST", "/v2", "GET, HEAD"),
            ("POST", "/v2/health/ready", "GET, HEAD"),
            ("DELETE", "/v2/models/m", "GET, HEAD"),
            ("POST", "/metrics", "GET, HEAD"),
            ("GET", "/v2/repository/index", "POST"),
        ):
            answered = ask(method, path)
            assert (answered.status, answered.headers["allow"]) == (405, allow)
        assert ask("POST", "/v2/repository/models/m/load").status == 400

    serving(scenario)


def test_the_limit_of_a_body_is_that_of_its_service() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        assert ask.gateway.body_limit(b"/v2/models/m/infer") == 100
        assert ask.gateway.body_limit(b"/v2/models/m/versions/2/infer") == 100
        assert ask.gateway.body_limit(b"/v2/models/c/infer") == 8 * 2**20
        assert ask.gateway.body_limit(b"/v2/models/zz/infer") == ask.gateway.body_limit(b"/") == 64 * 2**10
        assert ask("POST", "/v2/models/m/infer", regression(1.0, id="long " * 50)).status == 413

    serving(scenario, body_limit=100)


def test_a_large_request_is_answered_beside_the_loop() -> None:
    async def scenario(ask: Ask, _digests: Digests) -> None:
        values = [float(value) for value in range(20_000)]
        promised = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(regression(*values)))
        assert isinstance(promised, asyncio.Future)
        assert read(await promised).document["outputs"][0]["data"] == values
        promised = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(regression(*values, math.nan)))
        assert isinstance(promised, asyncio.Future)
        answered = read(await promised)
        assert (answered.status, answered.document["error"][:42]) == (400, "column 'x', row 20000: the value is missin")

    serving(scenario)


def test_a_prediction_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "INLINE_NS", -1_000_000_000)

    async def scenario(ask: Ask, _digests: Digests) -> None:
        is_over = threading.Event()
        busy = [ask.gateway._threads.submit(is_over.wait, 20) for _ in range(2)]
        promised = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(regression(1.0)))
        assert isinstance(promised, asyncio.Future)
        answered = read(await promised)
        is_over.set()
        assert all(job.result() for job in busy)
        assert (answered.status, answered.document["error"]) == (
            503, "service 'm' had no answer within 0 s: ask for fewer rows",
        )  # fmt: skip

    serving(scenario, timeout_s=0.0)


def test_a_caller_who_leaves_ends_the_prediction(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models_module, "INLINE_NS", -1_000_000_000)

    async def scenario(ask: Ask, _digests: Digests) -> None:
        for _ in range(20):
            promised = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(regression(1.0)))
            assert isinstance(promised, asyncio.Future)
            promised.cancel()
        after = ask.raw("POST", "/v2/models/m/infer", orjson.dumps(regression(1.0)))
        assert isinstance(after, asyncio.Future)
        assert read(await after).status == 200

    serving(scenario)


def test_targets_that_cannot_be_loaded_leave_what_served() -> None:
    async def main() -> None:
        store = MemoryArtifactStore()
        good, other = make_artifact(store, 1.0), make_artifact(store, 3.0)
        bad = make_artifact(store, 2.0, golden=GoldenRows({"x": [1.0], "count": [1]}, [9.0]))
        models = Models(partial(load_artifact, store), {"late": Target("6", good), "m": Target("9", other)}, lambda: None)

        def active(name: str) -> Target | None:
            served = models.services[name].active
            return served.target if served else None

        models.apply(RouteTable(1, {"m": Route("team", Target("1", good))}))
        assert active("m") is None
        await models.settled()
        assert (active("m"), models.applied_epoch) == (Target("1", good), 1)

        models.apply(RouteTable(2, {name: Route("team", Target("2", bad)) for name in ("m", "late", "new")}))
        assert (active("m"), models.applied_epoch) == (Target("1", good), 1)
        await models.settled()
        assert models.applied_epoch == 2
        assert (active("m"), active("late"), active("new")) == (Target("1", good), Target("6", good), None)
        for name in ("m", "late", "new"):
            assert "version 2 cannot be loaded: 1 of 1 golden rows differ" in (models.services[name].error or "")

        models.apply(RouteTable(3, {"m": Route("team", Target("3", other), [Target("1", good)])}))
        await models.settled()
        assert (active("m"), models.services["m"].error, set(models.services)) == (Target("3", other), None, {"m"})

        models.apply(RouteTable(4, {"m": Route("team", Target("1", good))}))  # warm: no loading in between
        assert (active("m"), models.applied_epoch) == (Target("1", good), 4)
        assert set(models._models) == {good}

        models.apply(RouteTable(5, {"m": Route("team")}))
        assert (active("m"), models._models) == (None, {})

    asyncio.run(main())


def test_a_switch_to_a_loaded_model_waits_for_no_other() -> None:
    async def main() -> None:
        store = MemoryArtifactStore()
        one, two, slow = (make_artifact(store, weight) for weight in (1.0, 2.0, 3.0))
        loop = asyncio.get_running_loop()
        release: asyncio.Future[None] = loop.create_future()

        def load(digest: Any) -> Any:
            if digest == slow:
                asyncio.run_coroutine_threadsafe(asyncio.wait_for(asyncio.shield(release), 20), loop).result()
            return load_artifact(store, digest)

        models = Models(load, {}, lambda: None)
        models.apply(RouteTable(1, {"m": Route("team", Target("1", one), [Target("2", two)])}))
        await models.settled()
        models.apply(RouteTable(2, {"m": Route("team", Target("2", two)), "s": Route("team", Target("1", slow))}))
        served = models.services["m"].active
        assert served
        assert served.target == Target("2", two)
        assert models.applied_epoch == 1
        release.set_result(None)
        await until(lambda: models.applied_epoch == 2)
        await models.settled()

    asyncio.run(main())
