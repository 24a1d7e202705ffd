"""A pipeline run here, from a folder as it is now: the same keys and the same results as an operator, without one."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gnomon.data.sources import on_machine
from gnomon.errors import ManifestError, NotFoundError, UsageError
from gnomon.operator.actions import PipelineInputs, StartPipelineRun
from gnomon.operator.checkouts import Checkouts, code_files
from gnomon.operator.home import Home
from gnomon.operator.pipeline_code import read_code
from gnomon.operator.pipeline_run import PipelineContext, begun_run, perform_pipeline, with_params
from gnomon.operator.working_folder import WorkingFolder
from gnomon.pipeline.declared import named_files
from gnomon.pipeline.driver import process_identity
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import Compiled, ManifestFile
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import Digest, ResourceKey, Revision
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.wording import did_you_mean
from gnomon.runners.processes import ProcessRunner
from gnomon.stores.objects.disk import DiskObjectStore
from gnomon.stores.records.interface import Records, RunRecord, StepRecord
from gnomon.stores.records.remembering import open_records

_UNCOMMITTED = Revision("working-tree")
_HOME = ".gnomon"


@dataclass(frozen=True)
class LocalRun:
    """How a run here ended."""

    run: RunRecord
    steps: tuple[StepRecord, ...]
    objects: DiskObjectStore


def run_locally(
    root: Path,
    key: ResourceKey,
    params: Mapping[str, Any],
    manifests: list[ManifestFile],
    progress: Callable[[str], None],
    *,
    variables: frozenset[str],
    slots: int,
) -> LocalRun:
    """Run a pipeline of a folder, and return how that ended.

    Args:
        root: The folder of the repository; results are kept in its ``.gnomon``.
        key: The pipeline.
        params: Values instead of those that are declared.
        manifests: The folder's manifests.
        progress: Told how it goes, in words.
        variables: Names of the environment variables, which secrets are taken from.
        slots: Steps at the same time, where the pipeline does not say.

    Raises:
        ManifestError: The pipeline is not valid, or its code is not.
        UsageError: A parameter is not declared, or a secret is not set.
        DataError: An input cannot be read.
    """
    compiled = compile_tree(manifests)
    pipeline = _declared(compiled, key)
    for name in params:
        if name not in pipeline.spec.params:
            raise UsageError(f"{key} declares no parameter {name}", did_you_mean(name, pipeline.spec.params, what="params"))
    spec = with_params(pipeline.spec, params)
    missing = sorted({name for step in spec.steps for name in step.secrets} - variables)
    if missing:
        raise UsageError(f"the environment has no {', '.join(missing)}", "set it, as the operator's environment would")
    home = _home(root)
    folder = WorkingFolder(root)
    folder.look()
    checkouts = Checkouts(home.checkouts, folder.read_blobs, folder.export_blob)
    checkout = checkouts.of(code_files(folder.tree, named_files(spec)))
    code = read_code(spec, checkout, folder.tree)
    if code.error:
        raise ManifestError(f"{key} cannot be run: {code.error}", "`gnomon validate` tells the lines")
    records, objects = open_records(home.records), DiskObjectStore(home.objects)
    runner = ProcessRunner(spec.parallel or slots, ["gnomon.pipeline.child"])
    try:
        snapshots = _snapshots(pipeline, compiled, root, objects, records)
        action = StartPipelineRun(
            key,
            fingerprint="",
            parts=(),
            inputs=PipelineInputs(snapshots, tuple(code.inputs.items())),
            checkout=checkout.name,
            why="run here",
            cause="person",
            params=params,
        )
        run = begun_run(action, pipeline, _UNCOMMITTED, objects, datetime.now(UTC))
        records.put_run(run)
        workspace = home.workspaces / run.id
        workspace.mkdir(parents=True)
        context = PipelineContext(
            records=records,
            objects=objects,
            checkouts=checkouts,
            tree_of=lambda _: folder.tree,
            environments=home.environments,
            runner=runner,
            workspace=workspace,
            process=process_identity(),
            clock=lambda: datetime.now(UTC),
            cancelled=lambda: False,
            progress=progress,
        )
        ended = perform_pipeline(context, run)
        records.put_run(ended)
        checkouts.collect({checkout.name})
        return LocalRun(ended, tuple(records.steps(run.id)), objects)
    finally:
        runner.close()
        records.close()


def _declared(compiled: Compiled, key: ResourceKey) -> Pipeline:
    problem = next((problem for problem in compiled.problems if problem.key == key), None)
    if problem is not None:
        raise ManifestError(f"{problem.path}:{problem.line}: {problem.cause}", problem.mend)
    declared = compiled.declared.get(key)
    if declared is None or not isinstance(declared.resource, Pipeline):
        names = [other.name for other in compiled.declared if (other.kind, other.namespace) == ("Pipeline", key.namespace)]
        raise NotFoundError(f"there is no {key} in this folder", did_you_mean(key.name, names, what="pipelines"))
    return declared.resource


def _home(root: Path) -> Home:
    """Return the folder for results, which Git is told to leave alone."""
    home = Home(root / _HOME)
    home.path.mkdir(exist_ok=True)
    ignored = home.path / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n")
    home.workspaces.mkdir(exist_ok=True)
    return home


def _snapshots(
    pipeline: Pipeline, compiled: Compiled, root: Path, objects: DiskObjectStore, records: Records
) -> tuple[tuple[str, Digest], ...]:
    """Read the datasets of the inputs; files that have not changed are not read again."""
    taken: list[tuple[str, Digest]] = []
    for name, source in pipeline.spec.inputs.items():
        if source.dataset is None:
            continue
        dataset = compiled.declared[ResourceKey("Dataset", pipeline.metadata.namespace, source.dataset)].resource
        if isinstance(dataset, Dataset):
            setting = f"known-files/{dataset.key}"
            from gnomon.data.intake import take_in  # noqa: PLC0415 - half a second, for runs that read a dataset only

            found = take_in(_on_machine(dataset, root), (), objects, _nothing_to_export, records.setting(setting) or {})
            records.put_setting(setting, dict(found.known))
            taken.append((name, found.digest))
    return tuple(taken)


def _on_machine(dataset: Dataset, root: Path) -> Dataset:
    """Return a dataset whose files of the repository are those of the folder."""
    source = on_machine(dataset.spec.source, root)
    return dataset.model_copy(update={"spec": dataset.spec.model_copy(update={"source": source})})


def _nothing_to_export(blob: str, _: Path) -> None:
    raise UsageError(f"there is no commit here to take {blob} from", "name files of the folder")
