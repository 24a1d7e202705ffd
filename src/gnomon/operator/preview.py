"""What the operator would do with other files: the same plan, over files that somebody sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gnomon.errors import ConflictError
from gnomon.operator.actions import Apply, action_json
from gnomon.operator.loop import Operator
from gnomon.operator.pipeline_parts import PipelineCode
from gnomon.operator.plan import plan
from gnomon.operator.source import declared_of, is_manifest, source_files
from gnomon.operator.state import Desired, SourceFiles
from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import Compiled, ManifestFile
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.stores.repositories.interface import Repository, TreeEntry

_UNCOMMITTED = Revision("uncommitted")


@dataclass(frozen=True)
class SentTree:
    """A folder of files as a commit would hold it."""

    files: Sequence[ManifestFile]
    tree: tuple[TreeEntry, ...]
    bases: tuple[Revision, ...] = ()
    """The commits that the folder stands on, newest first."""
    pipelines: Mapping[str, PipelineCode] = field(default_factory=dict)
    """What the code of each pipeline comes to there, by its key as text."""


def preview(operator: Operator, here: SentTree) -> dict[str, Any]:
    """Return the actions and problems that a commit with these files would bring. Changes nothing.

    Where the branch has moved on since the folder's commit, as it does with every release, the folder is planned as if the
    branch had been merged into it: a file that only the branch changed is the branch's.

    Raises:
        ConflictError: The folder is of another repository.
    """
    current = operator.source.desired()
    moved_to = ""
    if current is not None:
        base = _base(operator.source.repository, here.bases, current.revision)
        if base is None and here.bases:
            raise ConflictError(
                f"this folder shares no commit with {operator.source.state.url}, which the operator follows",
                "set GNOMON_URL to the operator of this repository; a history that was rewritten must be pushed first",
            )
        if base not in {None, current.revision}:
            here, moved_to = _merged(operator.source.repository, here, base, current.revision), current.revision
    last_good = {record.key: declared_of(record) for record in operator.executor.records.resources()}
    compiled = compile_tree(here.files, last_good)
    desired = Desired(
        revision=_UNCOMMITTED,
        compiled=compiled,
        sources={**source_files(compiled, here.tree), **_seen_outside(compiled, current)},
        locks=current.locks if current is not None else {},
        pipelines={key: here.pipelines[str(key)] for key in compiled.declared if str(key) in here.pipelines},
    )
    planned = plan(desired, operator.observer.observe(desired, operator.executor.blocked), operator.clock())
    # Where a file stands is provenance: moving it is nothing that would be done.
    actions = [action for action in planned.actions if not (isinstance(action, Apply) and action.change == "moved")]
    return {
        "actions": [action_json(action) for action in actions],
        "problems": [str(problem) for problem in compiled.problems],
        "pruneRefused": planned.prune_refused,
        "mergedWith": moved_to,
    }


def _seen_outside(compiled: Compiled, current: Desired | None) -> dict[ResourceKey, SourceFiles]:
    """Return what the operator has seen of the sources outside Git that the folder declares as the branch does."""
    if current is None:
        return {}
    declared = {dataset.key: dataset for _, dataset in current.datasets()}
    return {
        key: current.sources[key]
        for key, d in compiled.declared.items()
        if isinstance(d.resource, Dataset)
        and d.resource.spec.source.is_outside
        and key in current.sources
        and declared[key].spec.source == d.resource.spec.source
    }


def _base(repository: Repository, bases: Sequence[Revision], tip: Revision) -> Revision | None:
    """Return the newest of the folder's commits that the branch contains."""
    return next((base for base in bases if base == tip or repository.is_ancestor(base, tip)), None)


def _merged(repository: Repository, here: SentTree, base: Revision, tip: Revision) -> SentTree:
    """Return the folder with the files that the branch alone changed since ``base``."""
    ours, before = _blobs(here.tree), _blobs(repository.tree(base))
    theirs = {entry.path: entry for entry in repository.tree(tip)}
    taken = {
        path
        for path in before.keys() | theirs.keys()
        if ours.get(path) == before.get(path) and (theirs[path].blob if path in theirs else None) != before.get(path)
    }
    news = [theirs[path] for path in sorted(taken & theirs.keys())]
    wanted = [entry for entry in news if is_manifest(entry)]
    contents = repository.read_blobs([entry.blob for entry in wanted])
    files = [file for file in here.files if file.path not in taken]
    files += [ManifestFile(entry.path, entry.blob, contents[entry.blob]) for entry in wanted]
    tree = [entry for entry in here.tree if entry.path not in taken] + news
    merged = tuple(sorted(tree, key=lambda entry: entry.path))
    return replace(here, files=sorted(files, key=lambda file: file.path), tree=merged)


def _blobs(tree: Sequence[TreeEntry]) -> dict[str, str]:
    return {entry.path: entry.blob for entry in tree}
