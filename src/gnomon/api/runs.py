"""Runs: how they go, and what they made."""

from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from gnomon.api.asking import MOST_ROWS, aside, number
from gnomon.api.documents import run_json, step_json
from gnomon.api.plane import ControlPlane
from gnomon.api.unknown import unknown_resource
from gnomon.errors import NotFoundError
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.wording import did_you_mean, nearest

_MOST_SUGGESTED = 200
_SAFE_PAGE = {
    # A report quotes names from data files; whatever they say, it runs no script and asks nobody.
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "x-content-type-options": "nosniff",
}


class RunHandlers:
    """Runs with their steps, logs and reports."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        self._records = plane.assembly.records

    async def runs(self, request: Request) -> Response:
        """List runs."""
        query = request.query_params
        model = ResourceKey("Model", query.get("namespace", "default"), query["model"]) if "model" in query else None
        limit = number(query.get("limit"), 200)
        runs = await aside(lambda: self._records.runs(owner=model, limit=min(limit, MOST_ROWS)))
        if model is not None and not runs and await aside(lambda: self._records.resource(model)) is None:
            raise await aside(lambda: unknown_resource(model, self._records))
        progress = self._plane.assembly.runs.under_way()
        return JSONResponse({"items": [run_json(run, progress.get(run.id)) for run in runs]})

    async def run(self, request: Request) -> Response:
        """Show one run with its steps."""
        run_id = request.path_params["run"]
        run = await aside(lambda: self._run(run_id))
        steps = await aside(lambda: self._records.steps(run_id))
        document = run_json(run, self._plane.assembly.runs.under_way().get(run_id))
        return JSONResponse({**document, "steps": [step_json(step) for step in steps]})

    async def report(self, request: Request) -> Response:
        """Return the report of a run as JSON."""
        run = await aside(lambda: self._run(request.path_params["run"]))
        return Response(await self._object(run.report, f"run {run.id}", "report"), media_type="application/json")

    async def report_page(self, request: Request) -> Response:
        """Return the report of a run as a page."""
        run = await aside(lambda: self._run(request.path_params["run"]))
        return HTMLResponse(await self._object(run.report_page, f"run {run.id}", "report page"), headers=_SAFE_PAGE)

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
