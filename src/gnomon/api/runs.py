"""Runs: how they go, and what they made."""

from collections.abc import Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from gnomon.api.asking import MOST_ROWS, aside, body, number, path_key
from gnomon.api.documents import run_json, step_json, waiting_run_json
from gnomon.api.pages import SAFE_PAGE
from gnomon.api.plane import ControlPlane
from gnomon.api.unknown import unknown_resource
from gnomon.errors import ConflictError, NotFoundError, UsageError
from gnomon.operator.events import EventLog
from gnomon.pipeline.why import Explanation, explain
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.wording import did_you_mean, nearest
from gnomon.stores.records.interface import RunRecord

_LARGEST_PARAMS = 2**20
_MOST_SUGGESTED = 200


class RunHandlers:
    """Runs with their steps, logs and reports."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._records = plane.assembly.records

    async def runs(self, request: Request) -> Response:
        """List runs."""
        query = request.query_params
        owner = _owner(query)
        limit = number(query.get("limit"), 200)
        runs = await aside(lambda: self._records.runs(owner=owner, limit=min(limit, MOST_ROWS)))
        if owner is not None and not runs and await aside(lambda: self._records.resource(owner)) is None:
            raise await aside(lambda: unknown_resource(owner, self._records))
        progress = self._plane.assembly.runs.under_way()
        return JSONResponse({"items": [run_json(run, progress.get(run.id), is_brief=True) for run in runs]})

    async def run(self, request: Request) -> Response:
        """Show one run with its steps."""
        run_id = request.path_params["run"]
        asked = await aside(lambda: self._plane.assembly.requests.owner_of(run_id))
        if asked is not None and await aside(lambda: self._records.run(run_id)) is None:
            resource = await aside(lambda: self._records.resource(asked))
            return JSONResponse(waiting_run_json(run_id, asked, resource.status if resource is not None else None))
        run = await aside(lambda: self._run(run_id))
        steps = await aside(lambda: self._records.steps(run_id))
        document = run_json(run, self._plane.assembly.runs.under_way().get(run_id))
        return JSONResponse({**document, "steps": [step_json(step) for step in steps]})

    async def start(self, request: Request) -> Response:
        """Ask for a run of a pipeline, and tell its id."""
        key = path_key(request, "Pipeline")
        params = await _params(request)
        run = await aside(lambda: self._asked(key, params))
        self._plane.assembly.operator.wake()
        return JSONResponse({"run": run}, 202)

    async def why(self, request: Request) -> Response:
        """Tell why a step ran, or did not."""
        run_id, step = request.path_params["run"], request.path_params["step"]
        run = await aside(lambda: self._run(run_id))

        def explained() -> Explanation:
            earlier = [other.id for other in self._records.runs(owner=run.owner, limit=MOST_ROWS) if _is_before(other, run)]
            return explain(self._records, run.id, step, earlier)

        return JSONResponse((await aside(explained)).to_json())

    async def cancel(self, request: Request) -> Response:
        """End a run for good."""
        run_id = request.path_params["run"]
        await aside(lambda: self._end(run_id))
        self._plane.assembly.operator.wake()
        return JSONResponse({"run": run_id}, 202)

    async def report(self, request: Request) -> Response:
        """Return the report of a run as JSON."""
        run = await aside(lambda: self._run(request.path_params["run"]))
        return Response(await self._object(run.report, f"run {run.id}", "report"), media_type="application/json")

    async def report_page(self, request: Request) -> Response:
        """Return the report of a run as a page."""
        run = await aside(lambda: self._run(request.path_params["run"]))
        return HTMLResponse(await self._object(run.report_page, f"run {run.id}", "report page"), headers=SAFE_PAGE)

    async def log(self, request: Request) -> Response:
        """Return what a step wrote."""
        run_id, name = request.path_params["run"], request.path_params["step"]
        await aside(lambda: self._run(run_id))
        steps = await aside(lambda: self._records.steps(run_id))
        step = next((step for step in steps if step.name == name), None)
        if step is None:
            mend = did_you_mean(name, [step.name for step in steps], what=f"steps of {run_id}")
            raise NotFoundError(f"run {run_id} has no step {name}", mend)
        return PlainTextResponse(await self._object(step.log, f"step {name}", "log") if step.log else b"")

    def _asked(self, key: ResourceKey, params: Mapping[str, Any]) -> str:
        """Keep a request; see first that it can be met."""
        desired = self._plane.assembly.operator.source.desired()
        declared = desired.compiled.declared.get(key) if desired is not None else None
        if declared is None or not isinstance(declared.resource, Pipeline):
            raise unknown_resource(key, self._records)
        spec = declared.resource.spec
        if spec.suspend:
            raise ConflictError(f"{key} is suspended", "remove spec.suspend in Git first")
        code = desired.pipelines.get(key) if desired is not None else None
        if code is not None and code.error:
            raise ConflictError(f"{key} cannot run: {code.error}", "mend the code first")
        for name in params:
            if name not in spec.params:
                mend = did_you_mean(name, spec.params, what=f"params of {key}")
                raise UsageError(f"{key} declares no parameter {name}", mend)
        return self._plane.assembly.requests.add(key, params, self._plane.assembly.operator.clock())

    def _end(self, run_id: str) -> None:
        assembly = self._plane.assembly
        asked = assembly.requests.owner_of(run_id)
        if asked is not None and self._records.run(run_id) is None:
            assembly.requests.settle(asked, run_id)
            return
        run = self._run(run_id)
        if run.state != "running":
            raise ConflictError(f"run {run_id} has ended already: {run.state}", "only a run under way can be cancelled")
        why = f"cancelled by a person; `gnomon run {run.owner.kind.lower()}/{run.owner.name}` starts it again"
        assembly.runs.cancel(run_id, why if run.owner.kind == "Pipeline" else "cancelled by a person", by_person=True)
        now = assembly.operator.clock()
        EventLog(self._records).normal(run.owner, "RunCancelled", f"run {run_id}: by a person", now, run.revision, run_id)

    def _run(self, run_id: str) -> Any:
        run = self._records.run(run_id)
        if run is None:
            recent = [known.id for known in self._records.runs(limit=_MOST_SUGGESTED)]
            near = nearest(run_id, recent)
            mend = f'did you mean "{near}"?' if near else "list the runs with `gnomon runs`"
            raise NotFoundError(f"there is no run {run_id}", mend)
        return run

    async def _object(self, digest: Digest | None, owner: str, what: str) -> bytes:
        if digest is None:
            raise NotFoundError(f"{owner} has no {what}", "it is made when the run has been judged")
        kept = digest
        return await aside(lambda: self._plane.assembly.stores.objects.get(kept))


def _owner(query: Mapping[str, str]) -> ResourceKey | None:
    """Return what runs are asked of: a model, a pipeline, or everything."""
    for kind in ("Model", "Pipeline"):
        if kind.lower() in query:
            return ResourceKey(kind, query.get("namespace", "default"), query[kind.lower()])
    return None


def _is_before(other: RunRecord, run: RunRecord) -> bool:
    return (other.started_at, other.id) < (run.started_at, run.id)


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What ``gnomon run`` sends."""

    params: dict[str, Any] = {}


async def _params(request: Request) -> Mapping[str, Any]:
    sent = await body(request, _LARGEST_PARAMS, "the parameters of a run", "keep large values in files of the repository")
    try:
        return msgspec.json.decode(sent or b"{}", type=_Asked).params
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"the parameters cannot be read: {error}", 'send {"params": {"rate": 0.2}}') from None
