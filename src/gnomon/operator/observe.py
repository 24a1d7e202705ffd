"""Observed state: what records, stores and the gateway say, gathered for one pass."""

from dataclasses import dataclass, field

import msgspec

from gnomon.errors import NotFoundError, StoreError
from gnomon.inference.artifact import ArtifactConfig
from gnomon.operator.gateway import GatewayControl
from gnomon.operator.jobs import IntakeJobs, RunJobs, intake_of
from gnomon.operator.state import Blocked, Desired, Observed
from gnomon.resources.identity import Digest, ResourceKey
from gnomon.stores.artifacts.interface import ArtifactReader
from gnomon.stores.records.interface import Records

_RECENT_RUNS = 50


@dataclass
class Observer:
    """Looks at everything; changes nothing."""

    records: Records
    artifacts: ArtifactReader
    gateway: GatewayControl
    intakes: IntakeJobs
    runs: RunJobs
    code: str
    _models: dict[Digest, str] = field(default_factory=dict, init=False)

    def observe(self, desired: Desired, blocked: dict[ResourceKey, Blocked]) -> Observed:
        """Return what is, as far as the desired state asks for it."""
        # Progress is read first: a run that ends in between is then seen as under way for one pass more, never as lost.
        under_way, read_now = self.runs.under_way(), self.intakes.under_way()
        return Observed(
            resources={record.key: record for record in self.records.resources()},
            intakes={
                d.resource.key: intake for d, _ in desired.datasets() if (intake := intake_of(self.records, d.resource.key))
            },
            intakes_under_way=read_now,
            runs={m.key: tuple(self.records.runs(owner=m.key, limit=_RECENT_RUNS)) for _, m in desired.models()},
            runs_under_way=under_way,
            code=self.code,
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
