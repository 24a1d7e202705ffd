"""Desired and observed state: all that a plan looks at, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from gnomon.data.window_index import SnapshotIndex
from gnomon.operator.actions import IndexRequest, ServiceRoute
from gnomon.operator.machine import Machine
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.operator.revert import LockState
from gnomon.operator.run_requests import RunRequest
from gnomon.resources.compiled import Compiled, Declared
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.project import Project, ProjectSpec
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.stores.records.interface import ResourceRecord, RunRecord
from gnomon.stores.repositories.interface import TreeEntry


@dataclass(frozen=True)
class SourceFiles:
    """The files of a dataset's source at this moment: a fingerprint of their identities, or why there is none."""

    fingerprint: str = ""
    error: str = ""
    is_pending: bool = False
    """Nobody has been there yet: what was read last is what is known."""


@dataclass(frozen=True)
class Desired:
    """What one commit declares."""

    revision: Revision
    compiled: Compiled
    tree: tuple[TreeEntry, ...] = ()
    """The files of the commit."""
    sources: Mapping[ResourceKey, SourceFiles] = field(default_factory=dict)
    """By dataset."""
    pipelines: Mapping[ResourceKey, PipelineCode] = field(default_factory=dict)
    """By pipeline: what its steps come to."""
    locks: Mapping[ResourceKey, LockState] = field(default_factory=dict)
    """By service: the state of its release file, from history and the high-water mark."""
    allowed_prunes: int | None = None
    """How many resources the commit's ``Gnomon-Allow-Prune`` trailer lets go."""

    @cached_property
    def in_order(self) -> tuple[tuple[ResourceKey, Declared], ...]:
        """What is declared, in the order of the keys."""
        return tuple(sorted(self.compiled.declared.items()))

    @cached_property
    def project(self) -> ProjectSpec:
        """The project's settings, declared or default."""
        return next((d.resource.spec for _, d in self.in_order if isinstance(d.resource, Project)), ProjectSpec())

    def datasets(self) -> list[tuple[Declared, Dataset]]:
        """Return the declared datasets in the order of their keys."""
        return [(d, d.resource) for _, d in self.in_order if isinstance(d.resource, Dataset)]

    def models(self) -> list[tuple[Declared, Model]]:
        """Return the declared models in the order of their keys."""
        return [(d, d.resource) for _, d in self.in_order if isinstance(d.resource, Model)]

    def declared_pipelines(self) -> list[tuple[Declared, Pipeline]]:
        """Return the declared pipelines in the order of their keys."""
        return [(d, d.resource) for _, d in self.in_order if isinstance(d.resource, Pipeline)]

    def services(self) -> list[tuple[Declared, Service]]:
        """Return the declared services in the order of their keys."""
        return [(d, d.resource) for _, d in self.in_order if isinstance(d.resource, Service)]

    def release_of(self, service: Service) -> Release | None:
        """Return the release that the commit pins for a service."""
        key = ResourceKey("Release", service.metadata.namespace, service.metadata.name)
        declared = self.compiled.declared.get(key)
        return declared.resource if declared is not None and isinstance(declared.resource, Release) else None


@dataclass(frozen=True)
class Intake:
    """How the last reading of a dataset ended. ``snapshot`` is the last good one, also where this reading failed."""

    spec_digest: str
    fingerprint: str
    revision: Revision
    snapshot: Digest | None
    rows: int = 0
    error: str = ""
    warnings: tuple[str, ...] = ()
    retry_at: str = ""
    """Where it was not the data that was at fault: when to read again, in RFC 3339."""

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {**self.__dict__, "warnings": list(self.warnings)}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> "Intake":
        """Return the intake that ``to_json`` wrote."""
        return Intake(**{**value, "warnings": tuple(value["warnings"])})


@dataclass(frozen=True)
class Indexed:
    """What is known of a snapshot's rows by event time, or why it is not known."""

    snapshot: Digest
    index: SnapshotIndex | None = None
    error: str = ""
    retry_at: str = ""
    """When to try again, in RFC 3339."""


@dataclass(frozen=True)
class Blocked:
    """A release that could not be written back. ``is_final``: a person must act; else trying again later is right."""

    digest: Digest
    message: str
    until: datetime
    is_final: bool = True


@dataclass(frozen=True)
class GatewayView:
    """What the gateway says that it does. ``active`` holds, by service, the digest that every worker serves."""

    is_up: bool = False
    applied: bool = False
    """Whether every worker has taken the routes that are written now."""
    active: Mapping[str, Digest] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    written_at: datetime | None = None
    """When the routes that are not applied yet were written."""
    problem: str = ""
    """Why the gateway cannot be started, or cannot be asked."""


@dataclass(frozen=True)
class Observed:
    """What is."""

    resources: Mapping[ResourceKey, ResourceRecord] = field(default_factory=dict)
    intakes: Mapping[ResourceKey, Intake] = field(default_factory=dict)
    intakes_under_way: frozenset[ResourceKey] = frozenset()
    quality: Mapping[ResourceKey, Mapping[str, Any]] = field(default_factory=dict)
    """What was found about the quality of datasets: ``snapshot``, ``counts``, first ``findings``."""
    indexes: Mapping[IndexRequest, Indexed] = field(default_factory=dict)
    """What was last found, for each way of asking that a model's windows need."""
    indexes_under_way: frozenset[IndexRequest] = frozenset()
    runs: Mapping[ResourceKey, tuple[RunRecord, ...]] = field(default_factory=dict)
    """By model or pipeline, newest first."""
    runs_under_way: Mapping[str, str] = field(default_factory=dict)
    """Progress in words, by run id, of the runs that this process drives."""
    at_once: int = 2
    """How many runs can go on at the same time."""
    run_requests: Mapping[ResourceKey, tuple[RunRequest, ...]] = field(default_factory=dict)
    """Runs that people asked for, the oldest first."""
    variables: frozenset[str] = frozenset()
    """Names of the operator's environment variables, which secrets are taken from."""
    code: str = ""
    """Digest of the code that trains and judges."""
    machine: Machine = field(default_factory=Machine)
    """What steps find on this machine."""
    artifacts: Mapping[Digest, str] = field(default_factory=dict)
    """By digest that a release names: the model (``namespace/name``) whose artifact is kept under it."""
    routes: tuple[ServiceRoute, ...] | None = None
    """What the gateway's routes file holds; None where it is missing or not ours."""
    gateway: GatewayView = GatewayView()
    blocked: Mapping[ResourceKey, Blocked] = field(default_factory=dict)

    @cached_property
    def route_of(self) -> Mapping[ResourceKey, ServiceRoute]:
        """The routes by service."""
        return {route.key: route for route in self.routes or ()}
