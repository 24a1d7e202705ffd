"""What must hold of features: by themselves, and over the columns that a dataset declares."""

from collections.abc import Iterator, Mapping, Sequence

from gnomon.resources.dataset import ColumnType
from gnomon.resources.documents import NodePath
from gnomon.resources.expressions.definitions import looks_back, names_in, reads_own_row, resolved
from gnomon.resources.expressions.reader import parse
from gnomon.resources.expressions.tokens import ExpressionError
from gnomon.resources.feature import Feature, definitions_of, functions_of
from gnomon.resources.model import ModelSpec
from gnomon.resources.violation import Violation
from gnomon.resources.wording import did_you_mean

_PATH: NodePath = ("spec", "features")


def feature_violations(features: Sequence[str | Feature], *, of_dataset: bool = False) -> Iterator[Violation]:
    """Yield what is wrong with features, whatever the columns are."""
    for index, feature in enumerate(features):
        if isinstance(feature, str):
            continue
        path: NodePath = (*_PATH, index)
        if (feature.expr is None) == (feature.python is None):
            cause = "the feature is computed by nothing" if feature.expr is None else "the feature is computed in two ways"
            yield Violation(path, cause, "write one of expr and python")
        elif feature.python is not None and of_dataset:
            mend = "write it in the features of the models that use it"
            yield Violation((*path, "python"), "a function makes features of a model, not of a dataset", mend)
        elif feature.python is not None and (feature.python.startswith("/") or ".." in feature.python.split("/")):
            cause = f"{feature.python} leaves the repository"
            yield Violation((*path, "python"), cause, "write it from the root of the repository, without ..")
        elif feature.python is not None and feature.name is not None:
            yield Violation((*path, "name"), "a function names its columns itself", "remove name")
        elif feature.expr is not None and feature.name is None:
            yield Violation(path, "the feature has no name", "add name")
        elif feature.expr is not None:
            try:
                parse(feature.expr)
            except ExpressionError as error:
                yield Violation((*path, "expr"), error.cause, error.mend)


def unfit_features(
    features: Sequence[str | Feature], others: Sequence[Feature], types: Mapping[str, ColumnType], time: str | None
) -> Iterator[Violation]:
    """Yield what is wrong with features over the columns of a dataset.

    Args:
        features: Those that are looked at.
        others: Those of the dataset, where ``features`` are of a model.
        types: The columns of the dataset; empty where they are not declared.
        time: Its column of event time.
    """
    own = definitions_of(features)
    definitions = {**definitions_of(others), **own}
    if not _all_parse(definitions):
        return
    doubled = definitions_of(others).keys() & own.keys()
    loose = bool(functions_of([*features, *others])) or not types
    nodes, errors = resolved(definitions, types) if not loose else ({}, _circles(definitions))
    for index, feature in enumerate(features):
        if isinstance(feature, str) or feature.name is None:
            continue
        path: NodePath = (*_PATH, index, "expr")
        if feature.name in doubled:
            yield Violation((*_PATH, index, "name"), f'the dataset has a feature "{feature.name}" too', "choose another name")
        elif feature.name in errors:
            yield Violation(path, errors[feature.name].cause, errors[feature.name].mend)
        elif feature.name in nodes and nodes[feature.name].is_batch and time is None:
            cause = f'"{feature.name}" looks at earlier rows, and the dataset declares no time column'
            yield Violation(path, cause, "add time to the spec of the Dataset")


def unfit_model_features(spec: ModelSpec, others: Sequence[Feature], types: Mapping[str, ColumnType]) -> Iterator[Violation]:
    """Yield which named features there are not, which tell the target of their own row, and which no candidate can see."""
    yield from _unseen(spec, others)
    if functions_of([*spec.features, *others]) or not types:
        return
    definitions = {**definitions_of(others), **definitions_of(spec.features)}
    known = [name for name in (*types, *definitions) if name != spec.target]
    for index, feature in enumerate(spec.features):
        if isinstance(feature, str) and feature not in types and feature not in definitions:
            cause = f'the dataset has no column and no feature "{feature}"'
            yield Violation((*_PATH, index), cause, did_you_mean(feature, known, what="columns and features"))
    if spec.target is None or not _all_parse(definitions):
        return
    nodes, _ = resolved(definitions, types)
    asked: list[tuple[NodePath, str]] = [((*_PATH, index), _name(feature)) for index, feature in enumerate(spec.features)]
    for path, name in asked or [(_PATH, name) for name in definitions]:
        if name in nodes and reads_own_row(nodes[name], spec.target):
            cause = f'the feature "{name}" is computed from the target "{spec.target}" of its own row'
            mend = f"look back: lag({spec.target}, 1)" if asked else "name the features of the model, without it"
            yield Violation(path, cause, mend)


def _unseen(spec: ModelSpec, others: Sequence[Feature]) -> Iterator[Violation]:
    """Yield the features that functions which fit would not be given: these see what a request carries."""
    definitions = {**definitions_of(others), **definitions_of(spec.features)}
    user = next((candidate.python for candidate in spec.candidates if candidate.python), None)
    if user is None or not _all_parse(definitions):
        return
    asked: list[tuple[NodePath, str]] = [((*_PATH, index), _name(feature)) for index, feature in enumerate(spec.features)]
    for path, name in asked or [(_PATH, name) for name in definitions]:
        if name in definitions and not looks_back(parse(definitions[name])):
            cause = f'"{name}" is computed in front of a graph of ours, and {user} sees what a request carries'
            yield Violation(path, cause, "compute it there, and name the columns that it needs")


def _name(feature: str | Feature) -> str:
    return feature if isinstance(feature, str) else feature.name or ""


def _all_parse(definitions: Mapping[str, str]) -> bool:
    try:
        for text in definitions.values():
            parse(text)
    except ExpressionError:
        return False
    return True


def _circles(definitions: Mapping[str, str]) -> dict[str, ExpressionError]:
    """Return the features that need themselves, where columns are not known."""
    names = {name for text in definitions.values() for name in names_in(parse(text))}
    columns: dict[str, ColumnType] = dict.fromkeys(names - definitions.keys(), "float64")
    _, errors = resolved(definitions, columns)
    return {name: error for name, error in errors.items() if "needs itself" in error.cause}
