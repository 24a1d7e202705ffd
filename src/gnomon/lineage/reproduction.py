"""A run is made again from its commit, its data and this environment, and compared with what it came to, bit for bit."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gnomon.errors import NotFoundError, UsageError
from gnomon.lineage.comparison import (
    ComparedItem,
    ComparedStep,
    Difference,
    Results,
    compared_steps,
    environment_differences,
)
from gnomon.lineage.declarations import declared_for
from gnomon.lineage.kept import Kept
from gnomon.lineage.workplace import Workplace, workplace
from gnomon.operator.checkouts import code_files
from gnomon.operator.pipeline_run import PipelineContext, perform_pipeline
from gnomon.operator.run_environment import run_environment
from gnomon.operator.training_run import RunContext, perform, remake
from gnomon.pipeline.driver import process_identity
from gnomon.resources.identity import DEFAULT_NAMESPACE, Digest, ResourceKey
from gnomon.runners.warm import Zygote
from gnomon.stores.artifacts.interface import ArtifactReader
from gnomon.stores.records.interface import RunRecord

_ENDED_WELL = frozenset({"passed", "refused"})
_LONGEST_VERSION = 9


@dataclass(frozen=True)
class Reproduction:
    """What making a run again came to.

    Args:
        asked: What was to be reproduced.
        run: The recorded run.
        is_equal: Whether everything that was compared is the same.
        message: All of it in a sentence or two.
        artifact: The digests of the recorded and the remade artifact; None for a pipeline.
        files: The parts of the artifact: its configuration with the signature, its graph, its golden rows.
        steps: The steps that were made again.
        environment: What is another than when the run was made.
    """

    asked: str
    run: RunRecord
    is_equal: bool
    message: str
    artifact: ComparedItem | None
    files: tuple[ComparedItem, ...]
    steps: tuple[ComparedStep, ...]
    environment: tuple[Difference, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON values."""
        return {
            "asked": self.asked,
            "run": self.run.id,
            "revision": self.run.revision,
            "snapshot": self.run.snapshot,
            "equal": self.is_equal,
            "message": self.message,
            "artifact": _item_json(self.artifact) if self.artifact is not None else None,
            "files": [_item_json(file) for file in self.files],
            "steps": [
                {"name": step.name, "verdict": step.verdict, "cause": step.cause, "items": [_item_json(i) for i in step.items]}
                for step in self.steps
            ],
            "environment": [{"name": d.name, "recorded": d.recorded, "here": d.here} for d in self.environment],
        }


def reproduce(
    kept: Kept,
    asked: str,
    *,
    slots: int,
    folder: Path | None = None,
    whole: bool = False,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    progress: Callable[[str], None] = lambda _: None,
    zygote: Zygote | None = None,
) -> Reproduction:
    """Make a run again, and return how that compares with what is recorded.

    Args:
        kept: The home that keeps the run.
        asked: ``MODEL:VERSION`` (or ``NAMESPACE/MODEL:VERSION``, or ``MODEL`` for its newest), or a run.
        slots: How many steps run at the same time; the result does not depend on it.
        folder: A folder to leave everything in; without it, a temporary one that is removed.
        whole: Whether the search is carried out again too, instead of followed.
        clock: Returns the time in UTC; the result does not depend on it.
        progress: Told how it goes, in words.
        zygote: The process that steps are forked from; without it, one of its own.

    Raises:
        NotFoundError: There is no such run or version, or its data is gone.
        UsageError: The run came to nothing, or read files that were in no commit.
        GnomonError: It cannot be made again.
    """
    run = found_run(kept, asked)
    _require_reproducible(run)
    with _place(folder) as place, workplace(place, kept, slots, clock, zygote) as work:
        artifact = None
        if run.owner.kind == "Pipeline":
            error = _run_pipeline(kept, run, work, progress)
        else:
            made = _run_model(kept, run, work, progress, whole=whole)
            error = "" if made.startswith("sha256:") else made
            artifact = ComparedItem("artifact", str(run.artifact), "" if error else made, made == run.artifact)
        recorded = Results(kept.records.steps(run.id), kept.objects, kept.records)
        steps = compared_steps(recorded, Results(work.records.steps(run.id), work.objects, work.records))
        files = _compared_files(kept.artifacts, work.artifacts, artifact) if artifact is not None else ()
    environment = environment_differences(run.summary.get("environment"), run_environment())
    is_equal = not error and (artifact is None or artifact.is_equal) and all(step.verdict == "equal" for step in steps)
    message = _message(run, artifact, steps, environment, error)
    return Reproduction(asked, run, is_equal, message, artifact, files, steps, environment)


def found_run(kept: Kept, asked: str) -> RunRecord:
    """Return the run that made a version, or the run of this name.

    Raises:
        NotFoundError: There is none.
        UsageError: This names neither.
    """
    name, divider, number = asked.rpartition(":")
    if not divider:
        key = model_key(asked)
        return kept.run(kept.version(key, None).run if kept.records.versions(key) else asked)
    if not (number.removeprefix("v").isdecimal() and number.isascii() and len(number) <= _LONGEST_VERSION):
        raise UsageError(f"{asked!r} names no version", "write MODEL:VERSION, such as arrival-delay:7, or a run")
    return kept.run(kept.version(model_key(name), int(number.removeprefix("v"))).run)


def model_key(name: str) -> ResourceKey:
    """Return the model that ``NAME`` or ``NAMESPACE/NAME`` names."""
    namespace, divider, plain = name.partition("/")
    return ResourceKey("Model", namespace, plain) if divider else ResourceKey("Model", DEFAULT_NAMESPACE, name)


def _require_reproducible(run: RunRecord) -> None:
    wanted = {"passed"} if run.owner.kind == "Pipeline" else _ENDED_WELL
    if run.state not in wanted:
        raise UsageError(f"run {run.id} ended as {run.state}: {run.message}", "name a run that came to a result")
    if not all(char in "0123456789abcdef" for char in run.revision):
        raise UsageError(
            f"run {run.id} read the files of a folder, which are in no commit ({run.revision})", "commit them, and run again"
        )


@contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder.absolute()
        return
    place = Path(tempfile.mkdtemp(prefix="gnomon-reproduce-"))
    try:
        yield place
    finally:
        for each in (place / "checkouts").rglob("*"):
            if each.is_dir():
                each.chmod(0o755)  # checkouts let nobody write
        shutil.rmtree(place, ignore_errors=True)


def _run_model(kept: Kept, run: RunRecord, work: Workplace, progress: Callable[[str], None], *, whole: bool) -> Digest | str:
    """Make the artifact of a run again; return its digest, or why there is none."""
    model, dataset, _ = declared_for(kept.repository, run)
    work.bring_snapshot(kept, run.snapshot)
    window = run.summary.get("window")
    if window is not None:
        work.bring(kept, [Digest(window["index"])])
    if run.champion is not None:
        work.bring_artifact(kept, run.champion)
    checkout = work.checkouts.of(code_files(kept.repository.tree(run.revision), ())) if model.spec.functions else None
    context = RunContext(
        model=model,
        dataset=dataset,
        records=work.records,
        objects=work.objects,
        artifacts=work.artifacts,
        layout=work.layout,
        runner=work.runner,
        workspace=work.workspace,
        process=process_identity(),
        clock=work.clock,
        cancelled=lambda: False,
        progress=progress,
        checkout=checkout,
    )
    if not whole:
        return remake(context, run)
    ended = perform(context, _begun(run, work))
    return ended.artifact if ended.artifact is not None else ended.message


def _run_pipeline(kept: Kept, run: RunRecord, work: Workplace, progress: Callable[[str], None]) -> str:
    """Make a run of a pipeline again; return why it did not come to an end, if so."""
    work.bring(kept, [run.snapshot])
    for digest in run.summary["inputs"]["snapshots"].values():
        work.bring_snapshot(kept, digest)
    context = PipelineContext(
        records=work.records,
        objects=work.objects,
        checkouts=work.checkouts,
        tree_of=kept.repository.tree,
        # What is installed is named by its content, and the run was made with it.
        environments=kept.home.environments,
        runner=work.runner,
        workspace=work.workspace,
        process=process_identity(),
        clock=work.clock,
        cancelled=lambda: False,
        progress=progress,
    )
    ended = perform_pipeline(context, _begun(run, work))
    return "" if ended.state == "passed" else ended.message


def _begun(run: RunRecord, work: Workplace) -> RunRecord:
    """Return the run as it was when it began."""
    went_by = ("parts", "window", "inputs", "params", "spec", "checkout", "why", "cause")
    return replace(
        run,
        state="running",
        started_at=work.clock(),
        ended_at=None,
        artifact=None,
        version=None,
        report=None,
        report_page=None,
        summary={name: run.summary[name] for name in went_by if name in run.summary},
    )


def _compared_files(recorded: ArtifactReader, remade: ArtifactReader, artifact: ComparedItem) -> tuple[ComparedItem, ...]:
    """Return the files of both artifacts, as far as they are kept."""
    before, now = _files(recorded, artifact.recorded), _files(remade, artifact.remade)
    return tuple(
        ComparedItem(title, before.get(title, ""), now.get(title, ""), before.get(title) == now.get(title))
        for title in dict.fromkeys((*before, *now))
    )


def _files(artifacts: ArtifactReader, digest: str) -> Mapping[str, str]:
    if not digest:
        return {}
    try:
        manifest = artifacts.manifest(Digest(digest))
    except NotFoundError:
        return {}
    return {each.title: str(each.digest) for each in (manifest.config, *manifest.layers)}


def _message(
    run: RunRecord,
    artifact: ComparedItem | None,
    steps: tuple[ComparedStep, ...],
    environment: tuple[Difference, ...],
    error: str,
) -> str:
    first = next((step for step in steps if step.verdict != "equal"), None)
    others = "; ".join(f"{d.name} is {d.here or 'not there'} and was {d.recorded or 'not there'}" for d in environment)
    told = f" (another environment: {others})" if others else ""
    if first is not None:
        items = ", ".join(item.name for item in first.items if not item.is_equal)
        what = f"gives another {items}" if items else "was not made" if first.verdict == "not made" else "is new"
        same = " - the artifact is the same all the same" if artifact is not None and artifact.is_equal else ""
        unknown = "" if run.summary.get("environment") else " (the run does not tell its environment)"
        return f"different: the first step that is, {first.name}, {what}: {first.cause}{same}{told or unknown}"
    if error:
        return f"different: it cannot be made again: {error}{told}"
    if artifact is not None and not artifact.is_equal:
        return f"different: every step gives the same, and the artifact is packed otherwise{told}"
    what = f"artifact {artifact.recorded}" if artifact is not None else "every result"
    return f"equal: {what}, {len(steps)} steps{told}"


def _item_json(item: ComparedItem) -> dict[str, Any]:
    return {"name": item.name, "recorded": item.recorded, "remade": item.remade, "equal": item.is_equal}
