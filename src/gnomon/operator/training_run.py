"""One run: a snapshot becomes candidates, the best one an artifact, the artifact a verdict, a pass a version.

Everything here may die at any moment: each step's result is kept under its key, packing is content-addressed, and
registering is idempotent, so running again from the top costs nothing that was finished.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

import gnomon
from gnomon.data.snapshot import Snapshot
from gnomon.evaluation.dag import evaluate_step, render_step
from gnomon.evaluation.gates import GateResult, gates_table, judge
from gnomon.evaluation.report import build_report
from gnomon.inference.artifact import ArtifactConfig
from gnomon.inference.golden import GoldenRows
from gnomon.inference.signature import Signature
from gnomon.operator.cancellation import RunCancelledError
from gnomon.pipeline.dag import Dag, FromStore, Step
from gnomon.pipeline.driver import execute
from gnomon.pipeline.values import read_result
from gnomon.registry.pack import pack
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import DEFAULT_NAMESPACE, Digest
from gnomon.resources.model import Model
from gnomon.runners.interface import Runner
from gnomon.stores.artifacts.interface import ArtifactStore
from gnomon.stores.objects.interface import ObjectStore
from gnomon.stores.records.interface import Records, RunRecord, StepRecord
from gnomon.training.candidates import CandidatePlan, expand
from gnomon.training.dag import refit_step, training_steps
from gnomon.training.selection import ranked_reports, selection_metric

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
    return _Run(context, run).perform()


class _Run:
    def __init__(self, context: RunContext, run: RunRecord) -> None:
        self._context = context
        self._run = run
        self._steps: dict[str, StepRecord] = {}
        self._planned = 0

    def perform(self) -> RunRecord:
        """See ``perform``."""
        snapshot = Snapshot.from_json(self._context.objects.get(self._run.snapshot))
        plans = expand(self._context.model.spec)
        fits = self._fit(snapshot)
        ranked = self._ranked(plans, fits)
        candidates = self._candidates(plans, fits)
        if not ranked:
            self._raise_if_cancelled()
            return self._ended("failed", "NoCandidate", self._why_none(fits), candidates=candidates)
        prepare = _kept(fits["prepare"])
        trained = self._refit(ranked, prepare)
        if isinstance(trained, str):
            return self._ended("failed", "NoCandidate", trained, candidates=candidates)
        artifact = pack(self._context.artifacts, self._config(trained), trained.model, trained.golden)
        measured = self._execute(
            (
                evaluate_step(
                    self._context.model.spec, prepare, artifact, self._run.champion, self._context.layout, PACKAGE_ROOT
                ),
            )
        )["evaluate"]
        if measured.state not in {"done", "cached"}:
            self._raise_if_cancelled()
            return self._ended("failed", "NotMeasured", measured.error, candidates=candidates)
        evaluation = self._read(measured, "report")
        gates = judge(self._context.model.spec.gates, evaluation)
        return self._verdict(trained, artifact, evaluation, gates, candidates)

    def _fit(self, snapshot: Snapshot) -> Mapping[str, StepRecord]:
        context = self._context
        steps = training_steps(
            context.model.spec, context.dataset.spec, snapshot, self._run.snapshot, PACKAGE_ROOT, self._champion_inputs()
        )
        # After the fits come one refit, one evaluation and one page.
        self._planned = len(steps) + 3
        return self._execute(steps)

    def _champion_inputs(self) -> tuple[str, ...]:
        """Return the columns that the champion reads, where there is one."""
        if self._run.champion is None:
            return ()
        artifacts = self._context.artifacts
        config = artifacts.blob(artifacts.manifest(self._run.champion).config.digest)
        return tuple(column.name for column in msgspec.json.decode(config, type=ArtifactConfig).signature.inputs)

    def _ranked(self, plans: Sequence[CandidatePlan], fits: Mapping[str, StepRecord]) -> list[CandidatePlan]:
        """Return the candidates that were fitted, the best on the validation rows first; equal ones in declared order."""
        steps = {candidate.name: fits[f"fit-{candidate.name}"] for candidate in plans}
        reports = [
            {**self._read(step, "report"), "candidate": name} for name, step in steps.items() if step.state in {"done", "cached"}
        ]
        by_name = {candidate.name: candidate for candidate in plans}
        return [by_name[report["candidate"]] for report in ranked_reports(self._context.model.spec, reports)]

    def _refit(self, ranked: Sequence[CandidatePlan], prepare: Mapping[str, FromStore]) -> _Trained | str:
        """Refit the best candidate on all but the test rows; if its graph is refused there, the next best."""
        refused: list[str] = []
        for candidate in ranked:
            step = refit_step(self._context.model.spec, candidate, prepare, PACKAGE_ROOT)
            record = self._execute((step,))[step.name]
            if record.state in {"done", "cached"}:
                return _Trained(
                    plan=candidate,
                    step=record,
                    model=self._read(record, "model"),
                    signature=msgspec.convert(self._read(record, "signature"), Signature),
                    golden=msgspec.convert(self._read(record, "golden"), GoldenRows),
                    report=self._read(record, "report"),
                )
            self._raise_if_cancelled()
            refused.append(f"{candidate.name}: {record.error}")
        return "; ".join(refused)

    def _config(self, trained: _Trained) -> ArtifactConfig:
        key = self._context.model.key
        return ArtifactConfig(
            model=f"{key.namespace}/{key.name}",
            signature=trained.signature,
        )

    def _verdict(
        self,
        trained: _Trained,
        artifact: Digest,
        evaluation: Mapping[str, Any],
        gates: Sequence[GateResult],
        candidates: list[dict[str, Any]],
    ) -> RunRecord:
        context = self._context
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
            (render_step(self._context.objects.put(msgspec.json.encode(report, order="sorted")), PACKAGE_ROOT),)
        )
        step = next(iter(record.values()))
        if step.state not in {"done", "cached"} or step.result is None:
            self._raise_if_cancelled()
            _LOG.warning("report_page_failed", extra={"run": self._run.id, "cause": step.error})
            return None
        return Digest(step.result["page"]["digest"])

    def _execute(self, steps: Sequence[Step]) -> Mapping[str, StepRecord]:
        context = self._context
        results = execute(
            Dag(tuple(steps)),
            run=self._run.id,
            journal=context.records,
            objects=context.objects,
            runner=context.runner,
            workspace=context.workspace,
            clock=context.clock,
            process=context.process,
            cancelled=context.cancelled,
            observe=self._observe,
        )
        self._steps.update(results)
        return results

    def _observe(self, step: StepRecord) -> None:
        self._steps[step.name] = step
        ended = sum(1 for known in self._steps.values() if known.state != "running")
        running = [known.name for known in self._steps.values() if known.state == "running"]
        what = f", now {', '.join(sorted(running))}" if running else ""
        self._context.progress(f"{ended} of {self._planned} steps{what}")

    def _read(self, step: StepRecord, item: str) -> Any:
        return read_result(step.result or {}, item, self._context.objects)

    def _candidates(self, plans: Sequence[CandidatePlan], fits: Mapping[str, StepRecord]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for candidate in plans:
            step = fits[f"fit-{candidate.name}"]
            fitted = self._read(step, "report") if step.state in {"done", "cached"} else {}
            rows.append(
                {
                    "name": candidate.name,
                    "algorithm": candidate.algorithm,
                    "params": dict(candidate.params),
                    "state": "fitted" if fitted else step.state,
                    "metrics": fitted.get("metrics", {}),
                    "parity": fitted.get("parity", {}),
                    "error": step.error,
                    "cpuSeconds": round(step.cpu_s, 3),
                }
            )
        return rows

    def _why_none(self, fits: Mapping[str, StepRecord]) -> str:
        if fits["prepare"].state not in {"done", "cached"}:
            return fits["prepare"].error
        errors = dict.fromkeys(step.error for name, step in fits.items() if name != "prepare" and step.error)
        return f"no candidate could be fitted: {'; '.join(errors) or 'none has a finite metric'}"

    def _raise_if_cancelled(self) -> None:
        if self._context.cancelled():
            raise RunCancelledError(f"run {self._run.id} was cancelled", "it starts again if its inputs are wanted again")

    def _ended(self, state: str, reason: str, message: str, **summary: Any) -> RunRecord:
        return replace(
            self._run,
            state=state,  # type: ignore[arg-type]  # one of the literals above
            reason=reason,
            message=message,
            ended_at=self._context.clock(),
            summary={**self._run.summary, **summary},
        )


def _tag_name(model: Model) -> str:
    """Return the name that a model's versions are tagged under; teams other than the default one stand in front."""
    name, namespace = model.metadata.name, model.metadata.namespace
    return name if namespace == DEFAULT_NAMESPACE else f"{namespace}/{name}"


def _kept(step: StepRecord) -> dict[str, FromStore]:
    """Return the items of a finished step as arguments for later ones."""
    return {item: FromStore(Digest(value["digest"]), value["codec"]) for item, value in (step.result or {}).items()}


def _flat_metrics(metrics: Mapping[str, Any]) -> dict[str, float]:
    """Return the plain value of each metric, leaving out those that could not be measured."""
    flat: dict[str, float] = {}
    for name, measured in metrics.items():
        value = measured.get("value") if isinstance(measured, Mapping) else measured
        if isinstance(value, int | float):
            flat[name] = float(value)
    return flat
