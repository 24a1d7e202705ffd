"""Observed state: what records, stores and the gateway say, gathered for one pass."""

import os
from dataclasses import dataclass, field

import msgspec

from gnomon.errors import NotFoundError, StoreError
from gnomon.inference.artifact import ArtifactConfig
from gnomon.operator.controllers.wanted import index_requests
from gnomon.operator.gateway import GatewayControl
from gnomon.operator.index_jobs import IndexJobs
from gnomon.operator.jobs import IntakeJobs, intake_of
from gnomon.operator.machine import Machine
from gnomon.operator.quality_jobs import quality_of
from gnomon.operator.run_jobs import RunJobs
from gnomon.operator.run_requests import RunRequests
from gnomon.operator.state import Blocked, Desired, Observed
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.resources.model import Model
from gnomon.stores.artifacts.interface import ArtifactReader
from gnomon.stores.records.interface import Records

_RECENT_RUNS = 50
_RUNS_OF_WINDOWS = 5000
"""Of a model with windows: each window has its own last run, which may be long ago."""


@dataclass
class Observer:
    """Looks at everything; changes nothing."""

    records: Records
    artifacts: ArtifactReader
    gateway: GatewayControl
    intakes: IntakeJobs
    indexes: IndexJobs
    runs: RunJobs
    requests: RunRequests
    code: str
    machine: Machine = field(default_factory=Machine)
    _models: dict[Digest, str] = field(default_factory=dict, init=False)

    def observe(self, desired: Desired, blocked: dict[ResourceKey, Blocked]) -> Observed:
        """Return what is, as far as the desired state asks for it."""
        # Progress is read first: a run that ends in between is then seen as under way for one pass more, never as lost.
        under_way, read_now, indexed_now = self.runs.under_way(), self.intakes.under_way(), self.indexes.under_way()
        return Observed(
            resources={record.key: record for record in self.records.resources()},
            intakes={
                d.resource.key: intake for d, _ in desired.datasets() if (intake := intake_of(self.records, d.resource.key))
            },
            intakes_under_way=read_now,
            quality={d.key: known for _, d in desired.datasets() if (known := quality_of(self.records, d.key)) is not None},
            indexes={asked: index for asked in index_requests(desired) if (index := self.indexes.found(asked)) is not None},
            indexes_under_way=indexed_now,
            runs={
                **{m.key: tuple(self.records.runs(owner=m.key, limit=_most_runs(m))) for _, m in desired.models()},
                **{p.key: tuple(self.records.runs(owner=p.key, limit=_RECENT_RUNS)) for _, p in desired.declared_pipelines()},
            },
            run_requests={p.key: asked for _, p in desired.declared_pipelines() if (asked := self.requests.of(p.key))},
            variables=frozenset(os.environ),
            runs_under_way=under_way,
            at_once=self.runs.at_once,
            code=self.code,
            machine=self.machine,
            artifacts=self._artifacts(desired),
            routes=self.gateway.routes(),
            gateway=self.gateway.view(),
            blocked=blocked,
        )

    def _artifacts(self, desired: Desired) -> dict[Digest, str]:
        """Return the model of each artifact that a release names or named; what is not kept here is left out."""
        named = {Digest(past.digest) for lock in desired.locks.values() for past in lock.history}
        named |= {Digest(release.spec.digest) for _, s in desired.services() if (release := desired.release_of(s)) is not None}
        known = dict(self._models)  # others may look at the same time
        found = {digest: model for digest in named if (model := known.get(digest) or self._model_of(digest)) is not None}
        self._models.update(found)
        return found

    def _model_of(self, digest: Digest) -> str | None:
        try:
            manifest = self.artifacts.manifest(digest)
            return msgspec.json.decode(self.artifacts.blob(manifest.config.digest), type=ArtifactConfig).model
        except (NotFoundError, StoreError, msgspec.DecodeError):
            return None


def _most_runs(model: Model) -> int:
    return _RECENT_RUNS if model.spec.window is None else _RUNS_OF_WINDOWS
