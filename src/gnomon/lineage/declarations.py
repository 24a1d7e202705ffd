"""What a commit declared when a run began: the manifests come from the mirror, whatever is declared by now."""

from collections.abc import Iterator

from gnomon.errors import NotFoundError
from gnomon.operator.fingerprint import NamedSpec, model_fingerprint
from gnomon.operator.source import is_manifest
from gnomon.resources.compile import ParseCache, compile_tree
from gnomon.resources.compiled import Compiled, ManifestFile
from gnomon.resources.dataset import Dataset
from gnomon.resources.identity import ResourceKey, Revision
from gnomon.resources.model import Model
from gnomon.stores.records.interface import RunRecord
from gnomon.stores.repositories.interface import Repository

_MOST_COMMITS = 500
"""How far back the last good declaration of a model is looked for, where the run's own commit broke it."""


def compiled_at(repository: Repository, revision: Revision, cache: ParseCache | None = None) -> Compiled:
    """Return what a commit declares.

    Raises:
        RepositoryError: The mirror does not hold it.
    """
    entries = [entry for entry in repository.tree(revision) if is_manifest(entry)]
    contents = repository.read_blobs([entry.blob for entry in entries])
    return compile_tree([ManifestFile(entry.path, entry.blob, contents[entry.blob]) for entry in entries], None, cache)


def declared_for(repository: Repository, run: RunRecord) -> tuple[Model, Dataset, Revision]:
    """Return the model and the dataset that a run went by, and the commit that declares them so.

    That is the run's commit, unless its manifests were broken there: then an earlier one, whose declaration was in force.

    Raises:
        NotFoundError: No commit declares what the run recorded.
        RepositoryError: The mirror does not hold the commit.
    """
    recorded = dict(run.summary.get("parts") or {}).get("spec")
    cache = ParseCache()
    for revision in _commits(repository, run.revision):
        compiled = compiled_at(repository, revision, cache)
        cache.turn()
        declared = compiled.declared.get(run.owner)
        if declared is None or not isinstance(declared.resource, Model):
            continue
        model = declared.resource
        found = compiled.declared.get(ResourceKey("Dataset", model.metadata.namespace, model.spec.dataset))
        if found is None or not isinstance(found.resource, Dataset):
            continue
        dataset = found.resource
        named = NamedSpec(declared.spec_digest, model.spec)
        if recorded in (None, model_fingerprint(named, dataset.spec, run.snapshot, "").spec):
            return model, dataset, revision
    raise NotFoundError(
        f"no commit up to {run.revision[:10]} declares {run.owner} as run {run.id} went by it",
        "its manifests were made by a newer version of gnomon, or the history was rewritten: reproduce a newer run",
    )


def _commits(repository: Repository, revision: Revision) -> Iterator[Revision]:
    """Yield the commit and then those before it; most often the first will do."""
    yield revision
    for commit in repository.first_parent_log(revision, _MOST_COMMITS)[1:]:
        yield commit.revision
