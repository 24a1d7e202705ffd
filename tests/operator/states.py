"""Desired and observed states for tests, built from manifests as people write them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from gnomon.operator.actions import ServiceRoute, TargetVersion
from gnomon.operator.controllers.model import wanted_fingerprint
from gnomon.operator.fingerprint import Fingerprint
from gnomon.operator.state import Desired, GatewayView, Intake, Observed, SourceFiles
from gnomon.resources.canonical import declaration_json
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import Declared, ManifestFile
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.status import Status
from gnomon.stores.records.interface import ResourceRecord, RunRecord

NOW = datetime(2026, 4, 1, 9, 30, tzinfo=UTC)
COMMIT = Revision("c" * 40)
DATASET = ResourceKey("Dataset", "default", "flights")
MODEL = ResourceKey("Model", "default", "delay")
SERVICE = ResourceKey("Service", "default", "delay")

DATASET_YAML = """\
apiVersion: gnomon.dev/v1alpha1
kind: Dataset
metadata: {name: flights}
spec:
  source: {files: data/*.csv}
"""
MODEL_YAML = """\
apiVersion: gnomon.dev/v1alpha1
kind: Model
metadata: {name: delay}
spec:
  task: regression
  dataset: flights
  target: delay
  candidates: [{algorithm: ridge}]
"""
SERVICE_YAML = """\
apiVersion: gnomon.dev/v1alpha1
kind: Service
metadata: {name: delay}
spec:
  model: delay
"""
MANIFESTS = {"dataset.yaml": DATASET_YAML, "model.yaml": MODEL_YAML, "service.yaml": SERVICE_YAML}


def digest(letter: str) -> Digest:
    """Return a digest made of one hexadecimal letter."""
    return Digest(f"sha256:{letter * 64}")


def release_yaml(version: int, letter: str, sequence: int | None = None) -> str:
    """Return a release file as the operator writes it."""
    pin = f"version: {version}, sequence: {sequence or version}, digest: '{digest(letter)}'"
    head = "apiVersion: gnomon.dev/v1alpha1\nkind: Release\nmetadata: {name: delay}\n"
    return f"{head}spec: {{service: delay, model: delay, {pin}}}\n"


def desired_of(manifests: Mapping[str, str], last_good: Mapping[ResourceKey, Declared] | None = None) -> Desired:
    """Return the desired state of a commit; every dataset's files have the fingerprint ``files-1``."""
    files = [ManifestFile(path, f"blob-{hash(text)}", text.encode()) for path, text in manifests.items()]
    compiled = compile_tree(files, last_good or {})
    sources = {key: SourceFiles("files-1") for key in compiled.declared if key.kind == "Dataset"}
    return Desired(COMMIT, compiled, sources=sources)


def recorded(desired: Desired) -> dict[ResourceKey, ResourceRecord]:
    """Return the records of a desired state that was applied."""
    return {
        key: ResourceRecord(
            key, declaration_json(d.resource), d.spec_digest, 1, d.path, d.line, d.blob, desired.revision, Status()
        )
        for key, d in desired.compiled.declared.items()
    }


def settled(desired: Desired) -> Observed:
    """Return an observed state:  resources recorded, data read, the gateway up without routes."""
    intake = Intake(desired.compiled.declared[DATASET].spec_digest, "files-1", COMMIT, digest("d"), rows=100)
    return Observed(
        resources=recorded(desired),
        intakes={DATASET: intake},
        code="code-1",
        routes=(),
        gateway=GatewayView(is_up=True, applied=True),
    )


def fingerprint(desired: Desired, observed: Observed) -> Fingerprint:
    """Return the fingerprint of the run that the model wants."""
    model = desired.models()[0][1]
    found = wanted_fingerprint(model, desired, observed)
    assert found is not None
    return found


def run_of(desired: Desired, observed: Observed, state: str, version: int | None = None, letter: str = "1") -> RunRecord:
    """Return a run for the model as it is wanted now."""
    wanted = fingerprint(desired, observed)
    return RunRecord(
        id=f"run-{letter}",
        owner=MODEL,
        fingerprint=wanted.digest,
        revision=COMMIT,
        snapshot=Digest(wanted.data),
        state=state,  # type: ignore[arg-type]  # tests name the states
        reason="",
        message=f"{state} in a test",
        started_at=NOW - timedelta(hours=1),
        ended_at=NOW - timedelta(minutes=50),
        artifact=digest(letter) if version else None,
        version=version,
        summary={"parts": dict(wanted.parts())},
    )


def route(version: int | None, letter: str = "1", warm: tuple[TargetVersion, ...] = ()) -> ServiceRoute:
    """Return a route of the service with its default limits."""
    active = TargetVersion(version, digest(letter)) if version else None
    return ServiceRoute(SERVICE, active, warm, 8 * 2**20, timedelta(seconds=10))


def with_runs(observed: Observed, *runs: RunRecord) -> Observed:
    """Return the observed state with these runs, newest first."""
    return replace(observed, runs={MODEL: runs})
