"""One run: a snapshot becomes candidates, the best one an artifact, the artifact a verdict, a pass a version.

Everything here may die at any moment: each step's result is kept under its key, packing is content-addressed, and
registering is idempotent, so running again from the top costs nothing that was finished.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

import gnomon
from gnomon.data.snapshot import Snapshot
from gnomon.data.window_index import SnapshotIndex
from gnomon.data.windows import microseconds
from gnomon.errors import NotFoundError
from gnomon.estimators.payload import is_payload
from gnomon.evaluation.dag import evaluate_step, render_step
from gnomon.evaluation.gate_result import GateResult
from gnomon.evaluation.gates import gates_of, gates_table, judge
from gnomon.evaluation.report import build_report
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import Signature
from gnomon.operator.actions import RunWindow
from gnomon.operator.cancellation import RunCancelledError
from gnomon.operator.listening import hear_nothing
from gnomon.operator.run_environment import run_environment
from gnomon.pipeline.dag import Dag, FromStore, Step
from gnomon.pipeline.driver import execute
from gnomon.pipeline.values import as_arguments, read_result
from gnomon.registry.pack import pack
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import DEFAULT_NAMESPACE, Digest
from gnomon.resources.model import Model
from gnomon.runners.interface import Runner
from gnomon.stores.artifacts.interface import ArtifactStore
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, RunRecord, StepRecord
from gnomon.training.candidates import CandidatePlan
from gnomon.training.dag import refit_step, training_steps
from gnomon.training.search.driver import Found, follow, search
from gnomon.training.selection import selection_metric

_LOG = logging.getLogger(__name__)
PACKAGE_ROOT = Path(gnomon.__file__).resolve().parent.parent


@dataclass(frozen=True)
class RunContext:
    """What a run works with."""

    model: Model
    dataset: Dataset
    records: Records
    objects: ObjectStore
    artifacts: ArtifactStore
    layout: Path
    runner: Runner
    workspace: Path
    process: str
    clock: Callable[[], datetime]
    cancelled: Callable[[], bool]
    progress: Callable[[str], None]
    released: Mapping[Digest, int] = field(default_factory=dict)
    """The numbers that Git's history names, by digest."""
    listen: Callable[[StepRecord], None] = hear_nothing
    """Told of each attempt at a step that starts or ends."""
    checkout: Path | None = None
    """The files of the commit, where candidates are functions of the repository."""


@dataclass(frozen=True)
class _Trained:
    """A refitted winner."""

    plan: CandidatePlan
    step: StepRecord
    model: bytes
    signature: Signature
    golden: GoldenRows
    report: Mapping[str, Any]


def perform(context: RunContext, run: RunRecord) -> RunRecord:
    """Carry a run out, from wherever it got to before, and return it with its verdict."""
    return _Run(context, replace(run, summary={**run.summary, "environment": dict(run_environment())})).perform()


def remake(context: RunContext, run: RunRecord) -> Digest | str:
    """Make the artifact of an ended run again by what it decided, and return its digest, or why there is none.

    The rows are prepared, the recorded winner is refitted with what the search found for it, and packed. Nothing is searched
    for, measured, judged or registered.

    Raises:
        NotFoundError: The run has no winner, or recorded none.
    """
    return _Run(context, run).remake()


class _Run:
    def __init__(self, context: RunContext, run: RunRecord) -> None:
        self.context = context
        self._run = run

    def perform(self) -> RunRecord:
        """See ``perform``."""
        found = self._search()
        candidates = found.rows
        if not found.ranked:
            self.raise_if_cancelled()
            return self._ended("failed", "NoCandidate", found.error, candidates=candidates, search=found.record)
        prepare = self.arguments(found.prepare)
        trained = self._refit(found.ranked, prepare)
        if isinstance(trained, str):
            return self._ended("failed", "NoCandidate", trained, candidates=candidates, search=found.record)
        self._run = replace(self._run, summary={**self._run.summary, "search": found.record})
        artifact = pack(self.context.artifacts, self._config(trained), trained.model, trained.golden)
        measured = self._execute(
            (evaluate_step(self.context.model.spec, prepare, artifact, self._run.champion, self.context.layout, PACKAGE_ROOT),)
        )["evaluate"]
        if measured.state not in {"done", "cached"}:
            self.raise_if_cancelled()
            return self._ended("failed", "NotMeasured", measured.error, candidates=candidates)
        evaluation = self.read(measured, "report")
        gates = judge(gates_of(self.context.model.spec), evaluation)
        return self._verdict(trained, artifact, evaluation, gates, candidates)

    def remake(self) -> Digest | str:
        """See the function of this name."""
        summary = self._run.summary
        recorded = follow(summary["search"]) if "search" in summary else ()
        winner = next((plan for plan in recorded if plan.name == summary.get("winner")), None)
        if winner is None:
            raise NotFoundError(f"run {self._run.id} recorded no winner", "carry the whole search out again")
        prepared = self._execute(self._training_steps()[:1])["prepare"]
        if prepared.state not in {"done", "cached"}:
            return prepared.error
        trained = self._refit((winner,), self.arguments(prepared))
        if isinstance(trained, str):
            return trained
        return pack(self.context.artifacts, self._config(trained), trained.model, trained.golden)

    def _search(self) -> Found:
        return search(self.context.model.spec, self._training_steps(), PACKAGE_ROOT, _SearchWork(self))

    def _training_steps(self) -> tuple[Step, ...]:
        context, (snapshot, digest, window) = self.context, self._rows()
        return training_steps(
            context.model.spec,
            context.dataset.spec,
            snapshot,
            digest,
            PACKAGE_ROOT,
            self._champion_inputs(),
            window,
            context.checkout,
        )

    def _rows(self) -> tuple[Snapshot, Digest, Mapping[str, int] | None]:
        """Return the snapshot to read, its digest and the window of it.

        For a window, that is the part of the run's snapshot whose files have rows of it: others do not change its steps.
        """
        objects = self.context.objects
        snapshot = Snapshot.from_json(objects.get(self._run.snapshot))
        recorded = self._run.summary.get("window")
        if recorded is None:
            return snapshot, self._run.snapshot, None
        asked = RunWindow.from_json(recorded)
        index = SnapshotIndex.from_json(asked.index, objects.get(asked.index))
        narrowed = index.narrowed(snapshot, asked.window)
        bounds = {"start": microseconds(asked.window.start), "end": microseconds(asked.window.end)}
        return narrowed, objects.put(narrowed.to_json()), bounds

    def _champion_inputs(self) -> tuple[str, ...]:
        """Return the columns that the champion reads, where there is one."""
        if self._run.champion is None:
            return ()
        artifacts = self.context.artifacts
        config = artifacts.blob(artifacts.manifest(self._run.champion).config.digest)
        return tuple(column.name for column in msgspec.json.decode(config, type=ArtifactConfig).signature.inputs)

    def _refit(self, ranked: Sequence[CandidatePlan], prepare: Mapping[str, FromStore]) -> _Trained | str:
        """Refit the best candidate on all but the test rows; if its graph is refused there, the next best."""
        refused: list[str] = []
        for candidate in ranked:
            step = refit_step(self.context.model.spec, candidate, prepare, PACKAGE_ROOT, self.context.checkout)
            record = self._execute((step,))[step.name]
            if record.state in {"done", "cached"}:
                return _Trained(
                    plan=candidate,
                    step=record,
                    model=self.read(record, "model"),
                    signature=msgspec.convert(self.read(record, "signature"), Signature),
                    golden=msgspec.convert(self.read(record, "golden"), GoldenRows),
                    report=self.read(record, "report"),
                )
            self.raise_if_cancelled()
            refused.append(f"{candidate.name}: {record.error}")
        return "; ".join(refused)

    def _config(self, trained: _Trained) -> ArtifactConfig:
        key = self.context.model.key
        return ArtifactConfig(
            model=f"{key.namespace}/{key.name}",
            signature=trained.signature,
            libraries=dict(trained.report["libraries"]) if is_payload(trained.model) else {},
        )

    def _verdict(
        self,
        trained: _Trained,
        artifact: Digest,
        evaluation: Mapping[str, Any],
        gates: Sequence[GateResult],
        candidates: list[dict[str, Any]],
    ) -> RunRecord:
        context = self.context
        passed = all(gate.passed for gate in gates)
        report = build_report(
            run=self._run,
            model=context.model,
            candidates=candidates,
            winner=trained.plan.name,
            refit=trained.report,
            artifact=artifact,
            evaluation=evaluation,
            gates=gates,
        )
        page = self._page(report)
        run = replace(
            self._run,
            artifact=artifact,
            report=context.objects.put(msgspec.json.encode(report, order="sorted")),
            report_page=page,
            summary={
                **self._run.summary,
                "winner": trained.plan.name,
                "metrics": evaluation["metrics"],
                "champion": evaluation.get("champion"),
                "gates": [msgspec.to_builtins(gate) for gate in gates],
                "gatesTable": gates_table(gates),
                "candidates": candidates,
            },
        )
        self._run = run
        metric = selection_metric(context.model.spec)
        measured = _flat_metrics(evaluation["metrics"])
        headline = f"{metric} {measured[metric]:.5g}" if metric in measured else ""
        if not passed:
            failed = [gate.message for gate in gates if not gate.passed]
            return self._ended("refused", "GatesRefused", f"{trained.plan.name} ({headline}) was refused: {'; '.join(failed)}")
        version = context.records.register_version(
            context.model.key, artifact, run.id, context.clock(), measured, context.released
        )
        context.artifacts.tag(f"{_tag_name(context.model)}:{version.version}", artifact)
        self._run = replace(run, version=version.version)
        gates_text = f"{len(gates)} of {len(gates)} gates passed" if gates else "no gates are declared"
        return self._ended("passed", "GatesPassed", f"v{version.version} {trained.plan.name}: {headline}; {gates_text}")

    def _page(self, report: Mapping[str, Any]) -> Digest | None:
        record = self._execute(
            (render_step(self.context.objects.put(msgspec.json.encode(report, order="sorted")), PACKAGE_ROOT),)
        )
        step = next(iter(record.values()))
        if step.state not in {"done", "cached"} or step.result is None:
            self.raise_if_cancelled()
            _LOG.warning("report_page_failed", extra={"run": self._run.id, "cause": step.error})
            return None
        return Digest(step.result["page"]["digest"])

    def _execute(self, steps: Sequence[Step]) -> Mapping[str, StepRecord]:
        return self.execute(steps, self.context.cancelled, self._observe)

    def execute(
        self, steps: Sequence[Step], cancelled: Callable[[], bool], observe: Callable[[StepRecord], None]
    ) -> Mapping[str, StepRecord]:
        """Run steps of this run."""
        context = self.context

        def heard(step: StepRecord) -> None:
            context.listen(step)
            observe(step)

        return execute(
            Dag(tuple(steps)),
            run=self._run.id,
            journal=context.records,
            objects=context.objects,
            runner=context.runner,
            workspace=context.workspace,
            clock=context.clock,
            process=context.process,
            cancelled=cancelled,
            observe=heard,
        )

    def _observe(self, step: StepRecord) -> None:
        """Tell of what comes after the search: one refit, one evaluation and one page."""
        if step.state == "running":
            self.context.progress(f"now {step.name}")

    def read(self, step: StepRecord, item: str) -> Any:
        """Return an item of what a step gave."""
        return read_result(step.result or {}, item, self.context.objects)

    def arguments(self, step: StepRecord) -> dict[str, FromStore]:
        """Return the items of a finished step as arguments for later ones."""
        return as_arguments(step.result or {}, self.context.objects)

    def earlier_seconds(self) -> dict[str, float]:
        """Return how long the steps of the model's last run took that were not taken from the cache."""
        records = self.context.records
        before = next((run for run in records.runs(owner=self.context.model.key, limit=2) if run.id != self._run.id), None)
        steps = records.steps(before.id) if before is not None else ()
        return {
            step.name: (step.ended_at - step.started_at).total_seconds()
            for step in steps
            if step.state == "done" and step.ended_at is not None
        }

    def raise_if_cancelled(self) -> None:
        """End the run where it was told to stop."""
        if self.context.cancelled():
            raise RunCancelledError(f"run {self._run.id} was cancelled", "it starts again if its inputs are wanted again")

    def _ended(self, state: str, reason: str, message: str, **summary: Any) -> RunRecord:
        return replace(
            self._run,
            state=state,  # type: ignore[arg-type]  # one of the literals above
            reason=reason,
            message=message,
            ended_at=self.context.clock(),
            summary={**self._run.summary, **summary},
        )


@dataclass
class _SearchWork:
    """What a search needs of its run."""

    run: _Run

    @property
    def slots(self) -> int:
        """See ``Work``."""
        return self.run.context.runner.slots

    @cached_property
    def earlier(self) -> Mapping[str, float]:
        """See ``Work``."""
        return self.run.earlier_seconds()

    def execute(
        self, steps: Sequence[Step], stop: Callable[[], bool], observe: Callable[[StepRecord], None]
    ) -> Mapping[str, StepRecord]:
        """See ``Work``."""
        cancelled = self.run.context.cancelled
        ended = self.run.execute(steps, lambda: cancelled() or stop(), observe)
        self.run.raise_if_cancelled()
        return ended

    def read(self, step: StepRecord, item: str) -> Any:
        """See ``Work``."""
        return self.run.read(step, item)

    def arguments(self, step: StepRecord) -> Mapping[str, FromStore]:
        """See ``Work``."""
        return self.run.arguments(step)

    def now(self) -> datetime:
        """See ``Work``."""
        return self.run.context.clock()

    def say(self, words: str) -> None:
        """See ``Work``."""
        self.run.context.progress(words)


def _tag_name(model: Model) -> str:
    """Return the name that a model's versions are tagged under; teams other than the default one stand in front."""
    name, namespace = model.metadata.name, model.metadata.namespace
    return name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}"


def _flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the plain value of each metric, leaving out those that could not be measured."""
    flat: dict[str, float] = {}
    for name, measured in metrics.items():
        value = measured.get("value") if isinstance(measured, Mapping) else measured
        if isinstance(value, int | float):
            flat[name] = float(value)
    return flat
