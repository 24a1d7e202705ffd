"""Actions become effects. Each may be done twice, or be cut off anywhere, without harm."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gnomon.errors import GnomonError
from gnomon.operator.actions import (
    Action,
    Apply,
    CancelRun,
    IndexWindows,
    Prune,
    SetRoutes,
    StartGateway,
    StartPipelineRun,
    StartRun,
    TakeSnapshot,
    WriteRelease,
)
from gnomon.operator.controllers.wanted import run_window
from gnomon.operator.events import EventLog
from gnomon.operator.gateway import GatewayControl
from gnomon.operator.index_jobs import IndexJobs
from gnomon.operator.jobs import IntakeJobs
from gnomon.operator.run_jobs import RunJobs
from gnomon.operator.run_requests import RunRequests
from gnomon.operator.state import Blocked, Desired
from gnomon.operator.writeback import ReleaseRequest, ReleaseWriter, WriteOutcome
from gnomon.resources.canonical import declaration_json
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.status import Status
from gnomon.stores.records.interface import Records, ResourceRecord, RunRecord
from gnomon.stores.repositories.interface import Identity

_LOG = logging.getLogger(__name__)
_RUNNERS = frozenset({"Model", "Pipeline"})
"""The kinds that have runs."""
_WRITE_DEADLINE = timedelta(seconds=30)
_BLOCKED_AT_LEAST = timedelta(seconds=5)
_BLOCKED_AT_MOST = timedelta(minutes=5)


@dataclass
class Executor:
    """Does what a plan says."""

    records: Records
    gateway: GatewayControl
    intakes: IntakeJobs
    indexes: IndexJobs
    runs: RunJobs
    requests: RunRequests
    writer: Callable[[Identity], ReleaseWriter]
    clock: Callable[[], datetime]
    blocked: dict[ResourceKey, Blocked] = field(default_factory=dict)
    _attempts: dict[ResourceKey, int] = field(default_factory=dict, init=False)

    def act(self, actions: Sequence[Action], desired: Desired) -> bool:
        """Do the actions in order; return whether Git has moved on from the desired state, so that it is worth asking."""
        events = EventLog(self.records)
        for action in actions:
            try:
                self._do(action, desired, events)
            except GnomonError as error:
                # One action that fails does not keep the others from being done; the next pass asks for it again.
                _LOG.error("action_failed", extra={"action": str(action), "cause": error.cause, "mend": error.mend})
        writes = [action for action in actions if isinstance(action, WriteRelease)]
        return self._write(writes, desired, events)

    def _do(self, action: Action, desired: Desired, events: EventLog) -> None:  # noqa: C901, PLR0912 - one case for each action
        """Do one action."""
        match action:
            case StartGateway():
                self.gateway.revive()
            case Apply():
                self._apply(action, events)
            case Prune(key=key):
                for run in self.records.runs(owner=key, state="running") if key.kind in _RUNNERS else ():
                    self.runs.cancel(run.id, f"the {key.kind.lower()} left the repository")
                self.requests.forget(key)
                self.records.delete_resource(key)
                events.normal(key, "Pruned", "it left the repository", self.clock(), desired.revision)
            case TakeSnapshot(key=key, spec_digest=spec_digest, fingerprint=fingerprint):
                dataset = desired.compiled.declared[key].resource
                if isinstance(dataset, Dataset):
                    self.intakes.start(dataset, spec_digest, fingerprint, desired.revision, desired.tree)
            case IndexWindows(request=request, snapshot=snapshot):
                self.indexes.start(request, snapshot)
            case StartRun():
                self._start_run(action, desired)
            case StartPipelineRun():
                self._start_pipeline(action, desired)
            case CancelRun(run=run, why=why):
                if self.runs.cancel(run, why):
                    events.normal(action.key, "RunCancelled", f"run {run}: {why}", self.clock(), desired.revision, run)
            case SetRoutes(routes=routes, why=why):
                self.gateway.write(routes)
                _LOG.info("routes_written", extra={"why": why})
            case WriteRelease():
                return  # all releases are written in one push, when everything else is done

    def _apply(self, action: Apply, events: EventLog) -> None:
        declared = action.declared
        record = self.records.resource(action.key)
        generation = record.generation if record is not None else 0
        self.records.put_resource(
            ResourceRecord(
                key=action.key,
                declaration=declaration_json(declared.resource),
                spec_digest=declared.spec_digest,
                generation=generation if action.change == "moved" else generation + 1,
                path=declared.path,
                line=declared.line,
                blob=declared.blob,
                revision=action.revision,
                status=record.status if record is not None else Status(),
            )
        )
        if action.change != "moved":
            word = "Created" if action.change == "create" else "Updated"
            events.normal(action.key, word, f"declared in {declared.path}", self.clock(), action.revision)

    def _start_run(self, action: StartRun, desired: Desired) -> None:
        model = desired.compiled.declared[action.key].resource
        if not isinstance(model, Model):
            return
        dataset = desired.compiled.declared[ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset)].resource
        if isinstance(dataset, Dataset):
            self.runs.start(action, model, dataset, desired.revision)

    def _start_pipeline(self, action: StartPipelineRun, desired: Desired) -> None:
        pipeline = desired.compiled.declared[action.key].resource
        if isinstance(pipeline, Pipeline):
            run = self.runs.start_pipeline(action, pipeline, desired.revision)
            self.requests.settle(action.key, run)

    def _write(self, writes: Sequence[WriteRelease], desired: Desired, events: EventLog) -> bool:
        """Write all releases that are due in one push."""
        requests = {write.key: request for write in writes if (request := self._request(write)) is not None}
        if not requests:
            return False
        author = desired.project.write_back.author
        writer = self.writer(Identity(author.name, author.email))
        try:
            outcomes = writer.write(tuple(requests.values()), _WRITE_DEADLINE)
        except GnomonError as error:
            _LOG.error("write_back_failed", extra={"cause": error.cause, "mend": error.mend})
            outcomes = [WriteOutcome(request, "deferred", str(error)) for request in requests.values()]
        for (key, request), outcome in zip(requests.items(), outcomes, strict=True):
            self._told(key, request, outcome, events)
        # What others pinned or took back meanwhile, the plan did not know either.
        return any(outcome.state in {"landed", "present", "withdrawn"} for outcome in outcomes)

    def _told(self, key: ResourceKey, request: ReleaseRequest, outcome: WriteOutcome, events: EventLog) -> None:
        now = self.clock()
        if outcome.state in {"landed", "present", "withdrawn"}:
            self.blocked.pop(key, None)
            self._attempts.pop(key, None)
            if outcome.state == "landed":
                message = f"v{request.version} of {request.model} is pinned by {(outcome.revision or '')[:10]}"
                events.normal(key, "Released", message, now, outcome.revision, request.run)
            return
        attempts = self._attempts.get(key, 0)
        self._attempts[key] = attempts + 1
        until = now + min(_BLOCKED_AT_MOST, _BLOCKED_AT_LEAST * 2**attempts)
        is_final = outcome.state == "blocked"
        self.blocked[key] = Blocked(request.digest, outcome.message, until, is_final)
        reason = "WriteBackBlocked" if is_final else "WriteBackDeferred"
        events.warning(key, reason, outcome.message, now, None, request.run)

    def _request(self, write: WriteRelease) -> ReleaseRequest | None:
        run = self.records.run(write.run)
        if run is None:
            return None
        return ReleaseRequest(
            namespace=write.key.namespace,
            service=write.key.name,
            model=write.model,
            version=write.version,
            digest=write.digest,
            evidence=_evidence(run),
            reason=str(run.summary.get("why", "")),
            run=run.id,
            body=_body(run),
        )


def _evidence(run: RunRecord) -> dict[str, object]:
    gates: Sequence[Mapping[str, object]] = run.summary.get("gates", [])
    return {
        "run": run.id,
        "code": run.revision,
        "data": run.snapshot,
        **({"window": window.window.label} if (window := run_window(run)) is not None else {}),
        "winner": run.summary.get("winner"),
        "candidates": len(run.summary.get("candidates", [])),
        "gates": {str(gate["description"]): gate["measured"] for gate in gates},
    }


def _body(run: RunRecord) -> str:
    why = run.summary.get("why", "")
    lines = [f"Why: {why}." if why else "", run.message, "", str(run.summary.get("gatesTable", ""))]
    return "\n".join(lines).strip()
