"""One run of a pipeline: a checkout and its data become results. What is known already is taken, and not made again.

Everything here may die at any moment: each step's result is kept under its key, so that running again from the top costs
nothing that was finished. A run goes by what it recorded when it began, whatever is declared by then.
"""

import tempfile
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import gnomon
from gnomon.data.snapshot import Snapshot
from gnomon.errors import ConflictError, StepFailedError, StoreError
from gnomon.operator.actions import PipelineInputs, StartPipelineRun
from gnomon.operator.cancellation import RunCancelledError
from gnomon.operator.checkouts import Checkouts, code_files
from gnomon.operator.listening import hear_nothing
from gnomon.operator.pipeline_code import is_pattern
from gnomon.operator.run_ids import new_run_id
from gnomon.pipeline.dag import Argument, Dag, Environment, FromStep, FromStore, FunctionRef, Step
from gnomon.pipeline.declared import bind, named_files, steps
from gnomon.pipeline.driver import execute
from gnomon.pipeline.environments import built, declared
from gnomon.resources.canonical import canonical_json
from gnomon.resources.identity import Digest, Revision
from gnomon.resources.pipeline import Pipeline, PipelineSpec
from gnomon.runners.interface import Runner
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Journal, Records, RunRecord, StepRecord
from gnomon.stores.repositories.interface import TreeEntry

_PACKAGE_ROOT = Path(gnomon.__file__).resolve().parent.parent
_FINISHED = frozenset({"done", "cached"})
_MOST_RUNNING = 1000
_TABLE_STEP = "input:"
"""Before the name of an input, the name of the step that makes its table; no declared step can have it."""


@dataclass(frozen=True)
class PipelineContext:
    """What a run of a pipeline works with."""

    records: Journal
    objects: ObjectStore
    checkouts: Checkouts
    tree_of: Callable[[Revision], tuple[TreeEntry, ...]]
    environments: Path
    runner: Runner
    workspace: Path
    process: str
    clock: Callable[[], datetime]
    cancelled: Callable[[], bool]
    progress: Callable[[str], None]
    kept_blobs: MutableMapping[str, Digest] = field(default_factory=dict)
    """Files of commits that are in the object store already, by blob."""
    listen: Callable[[StepRecord], None] = hear_nothing
    """Told of each attempt at a step that starts or ends."""


def begun_run(
    action: StartPipelineRun, pipeline: Pipeline, revision: Revision, objects: ObjectStore, now: datetime
) -> RunRecord:
    """Return the record of a run that begins, holding everything that it goes by."""
    spec = with_params(pipeline.spec, action.params)
    inputs = {"snapshots": dict(action.inputs.snapshots), "files": {name: list(blobs) for name, blobs in action.inputs.files}}
    return RunRecord(
        id=action.run or new_run_id(now),
        owner=pipeline.key,
        fingerprint=action.fingerprint,
        revision=revision,
        snapshot=objects.put(canonical_json(inputs)),
        state="running",
        reason="Running",
        message=action.why,
        started_at=now,
        summary={
            "parts": dict(action.parts),
            "why": action.why,
            "cause": action.cause,
            "params": dict(action.params),
            "inputs": inputs,
            "checkout": action.checkout,
            "spec": spec.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        },
    )


def with_params(spec: PipelineSpec, params: Mapping[str, Any]) -> PipelineSpec:
    """Return the spec with values that a person gave instead of those that are declared."""
    return spec.model_copy(update={"params": {**spec.params, **params}}) if params else spec


def perform_pipeline(context: PipelineContext, run: RunRecord) -> RunRecord:
    """Carry a run out, from wherever it got to before, and return it with its verdict.

    Raises:
        RunCancelledError: It was told to stop.
        GnomonError: It cannot be carried out.
    """
    return PipelineRun(context, run).perform()


@dataclass
class PipelineRun:
    """One run under way."""

    context: PipelineContext
    run: RunRecord
    _records: dict[str, StepRecord] = field(default_factory=dict, init=False)
    _planned: int = field(default=0, init=False)

    def perform(self) -> RunRecord:
        """See ``perform_pipeline``."""
        spec = spec_of(self.run)
        tree = self.context.tree_of(self.run.revision)
        root = self.context.checkouts.of(code_files(tree, named_files(spec)))
        bound, problems = bind(spec, root)
        if problems:
            raise ConflictError(f"{problems[0].cause}, at {self.run.revision[:10]}", problems[0].mend)
        given = self.run.summary["inputs"]
        inputs, made = self._inputs(
            spec, PipelineInputs(tuple(given["snapshots"].items()), tuple((k, tuple(v)) for k, v in given["files"].items()))
        )
        environment = self._environment(spec, root)
        return self._verdict(self._execute((*made, *steps(bound, inputs, spec, environment))))

    def _inputs(self, spec: PipelineSpec, given: PipelineInputs) -> tuple[Mapping[str, Argument], Sequence[Step]]:
        """Return where each input is kept, and the steps that make tables of snapshots."""
        inputs: dict[str, Argument] = {}
        made: list[Step] = []
        for name, digest in given.snapshots:
            snapshot = Snapshot.from_json(self.context.objects.get(digest))
            files = tuple(FromStore(file.digest, "path") for file in snapshot.files)
            if spec.inputs[name].as_ == "files":
                inputs[name] = files
                continue
            work = FunctionRef(_PACKAGE_ROOT, "gnomon/data/snapshot_table.py", "snapshot_table")
            made.append(Step(f"{_TABLE_STEP}{name}", work, inputs={"snapshot": FromStore(digest, "bytes"), "files": files}))
            inputs[name] = FromStep(f"{_TABLE_STEP}{name}")
        for name, blobs in given.files:
            kept = tuple(FromStore(self._kept(blob), "path") for blob in blobs)
            inputs[name] = kept if is_pattern(spec.inputs[name].files or "") else kept[0]
        return inputs, made

    def _kept(self, blob: str) -> Digest:
        known = self.context.kept_blobs.get(blob)
        if known is not None and self.context.objects.exists(known):
            return known
        with tempfile.TemporaryDirectory(prefix="blob-", dir=self.context.workspace) as folder:
            part = Path(folder) / "part"
            self.context.checkouts.export_blob(blob, part)
            digest = self.context.objects.put_file(part, move=True)
        self.context.kept_blobs[blob] = digest
        return digest

    def _environment(self, spec: PipelineSpec, root: Path) -> Environment | None:
        """Return what the steps run with, built where it is not there yet.

        Raises:
            StoreError: It cannot be built, which another time may go better: installing asks a network.
        """
        if spec.environment is None:
            return None
        wanted = declared(root, spec.environment)
        if wanted is None:
            return None
        self.context.progress(f"making the environment of {spec.environment}")
        try:
            return built(wanted, self.context.environments)
        except StepFailedError as error:
            raise StoreError(f"the environment of {spec.environment} cannot be made: {error.cause}", error.mend) from error

    def _execute(self, planned: tuple[Step, ...]) -> Mapping[str, StepRecord]:
        context = self.context
        self._planned = len(planned)
        return execute(
            Dag(planned),
            run=self.run.id,
            journal=context.records,
            objects=context.objects,
            runner=context.runner,
            workspace=context.workspace,
            clock=context.clock,
            process=context.process,
            cancelled=context.cancelled,
            observe=self._observe,
        )

    def _observe(self, step: StepRecord) -> None:
        self.context.listen(step)
        self._records[step.name] = step
        finished = sum(1 for known in self._records.values() if known.state in _FINISHED)
        running = sorted(known.name for known in self._records.values() if known.state == "running")
        now = f", now {', '.join(running)}" if running else ""
        self.context.progress(f"{finished} of {self._planned} steps{now}")

    def _verdict(self, records: Mapping[str, StepRecord]) -> RunRecord:
        if self.context.cancelled():
            raise RunCancelledError(f"run {self.run.id} was cancelled", "it starts again if its inputs are wanted again")
        counts = {state: sum(1 for step in records.values() if step.state == state) for state in ("done", "cached")}
        summary = {**self.run.summary, "steps": {"planned": self._planned, "done": counts["done"], "known": counts["cached"]}}
        run = replace(self.run, ended_at=self.context.clock(), summary=summary)
        failed = [step for step in records.values() if step.state not in {*_FINISHED, "cancelled"}]
        if failed:
            told = "; ".join(f"step {step.name} {_word(step)}: {step.error}" for step in failed)
            return replace(run, state="failed", reason="StepFailed", message=told)
        known = f", {counts['cached']} of them known already" if counts["cached"] else ""
        return replace(run, state="passed", reason="StepsDone", message=f"{self._planned} steps done{known}")


def checkouts_in_use(records: Records) -> frozenset[str]:
    """Return the names of the checkouts that runs under way, or left behind by a crash, still need."""
    running = records.runs(state="running", limit=_MOST_RUNNING)
    return frozenset(str(run.summary["checkout"]) for run in running if run.summary.get("checkout"))


def spec_of(run: RunRecord) -> PipelineSpec:
    """Return what a run goes by."""
    return PipelineSpec.model_validate_json(canonical_json(run.summary["spec"]), by_alias=True, by_name=False)


def _word(step: StepRecord) -> str:
    return {"timed-out": "ran out of time", "killed": "was killed"}.get(step.state, step.state)
