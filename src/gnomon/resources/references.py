"""What must hold between the resources of one commit: names that resolve, and columns that exist."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from gnomon.resources.compiled import AnyResource, Declared
from gnomon.resources.dataset import NUMERIC_TYPES, Dataset
from gnomon.resources.documents import NodePath
from gnomon.resources.feature import feature_names
from gnomon.resources.feature_rules import unfit_features, unfit_model_features
from gnomon.resources.identity import ResourceKey
from gnomon.resources.model import Model
from gnomon.resources.pipeline import Pipeline
from gnomon.resources.release import Release
from gnomon.resources.service import Service
from gnomon.resources.violation import Violation
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
            yield from _unfit_features(resource, dataset.resource)
            yield from _unfit_slices(resource, dataset.resource)


def _references(resource: AnyResource) -> Iterator[tuple[NodePath, ResourceKey]]:
    namespace = resource.metadata.namespace
    match resource:
        case Model():
            yield ("spec", "dataset"), ResourceKey("Dataset", namespace, resource.spec.dataset)
        case Pipeline():
            for name, source in resource.spec.inputs.items():
                if source.dataset is not None:
                    yield ("spec", "inputs", name, "dataset"), ResourceKey("Dataset", namespace, source.dataset)
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


_LABEL_TYPES = frozenset({"boolean", "int64", "int32"})


def _article(task: str) -> str:
    return "a regression" if task == "regression" else task


def _unfit_split(model: Model, dataset: Dataset) -> Iterator[Broken]:
    if dataset.spec.time is not None:
        return
    name = dataset.metadata.name
    if model.spec.window is not None:
        cause = f"windows are of event time, and the Dataset {name} declares no time column"
        yield Broken(("spec", "window"), cause, f"add time to the spec of {dataset.key}, or remove window")
    if model.spec.task == "forecasting":
        cause = f"forecasting needs to know when rows happened, and the Dataset {name} declares no time column"
        yield Broken(("spec", "task"), cause, f"add time to the spec of {dataset.key}")
        return
    if model.spec.split.by == "time":
        cause = f"rows are split by time, and the Dataset {name} declares no time column"
        yield Broken(("spec", "split", "by"), cause, f"add time to the spec of {dataset.key}, or split by random")
    elif model.spec.split.gap and model.spec.split.by is None:
        cause = f"a gap divides rows in time, and the Dataset {name} declares no time column"
        yield Broken(("spec", "split", "gap"), cause, f"add time to the spec of {dataset.key}, or remove gap")


def _unfit_slices(model: Model, dataset: Dataset) -> Iterator[Broken]:
    types = [column.name for column in dataset.spec.columns]
    known = {*types, *feature_names(model.spec.features), *feature_names(dataset.spec.features)}
    for index, gate in enumerate(model.spec.gates):
        if types and gate.by is not None and gate.by not in known:
            cause = f'the schema of {dataset.metadata.name} has no column "{gate.by}" to cut the test rows by'
            yield Broken(("spec", "gates", index, "by"), cause, did_you_mean(gate.by, types, what="columns"))


def _unfit_features(model: Model, dataset: Dataset) -> Iterator[Broken]:
    types = {column.name: column.type for column in dataset.spec.columns}
    yield from _broken(unfit_features(model.spec.features, dataset.spec.features, types, dataset.spec.time))
    yield from _broken(unfit_model_features(model.spec, dataset.spec.features, types))


def _broken(violations: Iterable[Violation]) -> Iterator[Broken]:
    return (Broken(unfit.path, unfit.cause, unfit.mend) for unfit in violations)


def _unfit_columns(model: Model, dataset: Dataset) -> Iterator[Broken]:
    """Compare with the declared schema; without one, the columns are known only when there is a snapshot."""
    types = {column.name: column.type for column in dataset.spec.columns}
    if not types:
        return
    spec = model.spec
    named: list[tuple[NodePath, str]] = [] if spec.target is None else [(("spec", "target"), spec.target)]
    named += [(("spec", "series", index), name) for index, name in enumerate(spec.series)]
    if spec.split.column is not None:
        named.append((("spec", "split", "column"), spec.split.column))
    for path, column in named:
        if column not in types:
            cause = f'the schema of {dataset.metadata.name} has no column "{column}"'
            others = types if path[1] == "target" else (name for name in types if name != spec.target)
            yield Broken(path, cause, did_you_mean(column, others, what="columns"))
    if spec.task != "forecasting" and not spec.features and set(types) <= {spec.target}:
        yield Broken(
            ("spec", "target"), f"the schema of {dataset.metadata.name} has no column besides the target", "add columns to it"
        )
    target_type = types.get(spec.target or "")
    if target_type is None:
        return
    if spec.task == "anomaly" and target_type not in _LABEL_TYPES:
        cause = f'the target "{spec.target}" is of type {target_type}, and labels of anomalies are booleans, or 0 and 1'
        yield Broken(("spec", "target"), cause, "name a column of labels, or remove target")
    if spec.task in {"regression", "forecasting"} and target_type not in NUMERIC_TYPES:
        cause = f'the target "{spec.target}" is of type {target_type}, and {_article(spec.task)} predicts numbers'
        yield Broken(("spec", "target"), cause, "name a numeric column, or use task: classification")
    if spec.task == "classification" and target_type in {"timestamp", "date"}:
        cause = f'the target "{spec.target}" is of type {target_type}, which is no class'
        yield Broken(("spec", "target"), cause, "name a column of classes")
