"""What must hold between the resources of one commit: names that resolve, and columns that exist."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from gnomon.resources.compiled import AnyResource, Declared
from gnomon.resources.dataset import NUMERIC_TYPES, Dataset
from gnomon.resources.documents import NodePath
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.resources.wording import did_you_mean


@dataclass(frozen=True)
class Broken:
    """Why a resource does not fit the others, and the place in it that says so."""

    path: NodePath
    cause: str
    mend: str


def broken_references(
    resource: AnyResource, desired: Mapping[ResourceKey, Declared], refused: Collection[ResourceKey]
) -> Iterator[Broken]:
    """Yield every reason why ``resource`` does not fit the others.

    Args:
        resource: The resource that refers.
        desired: The resources that stand, by key.
        refused: Keys that some document of the commit claims in vain, which is another mistake than a wrong name.
    """
    for path, target in _references(resource):
        if target not in desired:
            yield _dangling(path, target, desired, refused)
    if isinstance(resource, Model):
        dataset = desired.get(ResourceKey("Dataset", resource.metadata.namespace, resource.spec.dataset))
        if dataset is not None and isinstance(dataset.resource, Dataset):
            yield from _unfit_split(resource, dataset.resource)
            yield from _unfit_columns(resource, dataset.resource)


def _references(resource: AnyResource) -> Iterator[tuple[NodePath, ResourceKey]]:
    namespace = resource.metadata.namespace
    match resource:
        case Model():
            yield ("spec", "dataset"), ResourceKey("Dataset", namespace, resource.spec.dataset)
        case Service():
            yield ("spec", "model"), ResourceKey("Model", namespace, resource.spec.model)
        case Release():
            yield ("spec", "service"), ResourceKey("Service", namespace, resource.spec.service)
            yield ("spec", "model"), ResourceKey("Model", namespace, resource.spec.model)
        case _:
            return


def _dangling(
    path: NodePath, target: ResourceKey, desired: Mapping[ResourceKey, Declared], refused: Collection[ResourceKey]
) -> Broken:
    if target in refused:
        return Broken(path, f"the {target.kind} {target.name} is refused in this commit", f"mend {target} first")
    cause = f'there is no {target.kind} "{target.name}" in the namespace {target.namespace}'
    elsewhere = sorted(k.namespace for k in desired if (k.kind, k.name) == (target.kind, target.name))
    if elsewhere:
        mend = f"there is one in the namespace {elsewhere[0]}, and references stay within a namespace"
        return Broken(path, cause, mend)
    names = sorted(key.name for key in desired if (key.kind, key.namespace) == (target.kind, target.namespace))
    return Broken(path, cause, did_you_mean(target.name, names, what=f"{target.kind.lower()}s of that namespace"))


def _unfit_split(model: Model, dataset: Dataset) -> Iterator[Broken]:
    if dataset.spec.time is not None:
        return
    name = dataset.metadata.name
    if model.spec.split.by == "time":
        cause = f"rows are split by time, and the Dataset {name} declares no time column"
        yield Broken(("spec", "split", "by"), cause, f"add time to the spec of {dataset.key}, or split by random")
    elif model.spec.split.gap and model.spec.split.by is None:
        cause = f"a gap divides rows in time, and the Dataset {name} declares no time column"
        yield Broken(("spec", "split", "gap"), cause, f"add time to the spec of {dataset.key}, or remove gap")


def _unfit_columns(model: Model, dataset: Dataset) -> Iterator[Broken]:
    """Compare with the declared schema; without one, the columns are known only when there is a snapshot."""
    types = {column.name: column.type for column in dataset.spec.columns}
    if not types:
        return
    spec = model.spec
    named: list[tuple[NodePath, str]] = [(("spec", "target"), spec.target)]
    named += [(("spec", "features", index), feature) for index, feature in enumerate(spec.features)]
    for path, column in named:
        if column not in types:
            cause = f'the schema of {dataset.metadata.name} has no column "{column}"'
            others = (name for name in types if name != spec.target) if path[1] == "features" else types
            yield Broken(path, cause, did_you_mean(column, others, what="columns"))
    if not spec.features and set(types) <= {spec.target}:
        yield Broken(
            ("spec", "target"), f"the schema of {dataset.metadata.name} has no column besides the target", "add columns to it"
        )
    target_type = types.get(spec.target)
    if target_type is None:
        return
    if spec.task == "regression" and target_type not in NUMERIC_TYPES:
        cause = f'the target "{spec.target}" is of type {target_type}, and a regression predicts numbers'
        yield Broken(("spec", "target"), cause, "name a numeric column, or use task: classification")
    if spec.task == "classification" and target_type in {"timestamp", "date"}:
        cause = f'the target "{spec.target}" is of type {target_type}, which is no class'
        yield Broken(("spec", "target"), cause, "name a column of classes")
