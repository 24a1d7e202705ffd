"""Features in manifests: what is refused, at which place, with which words."""

from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from gnomon.resources.compile import compile_tree
from gnomon.resources.compiled import ManifestFile

DATASET: dict[str, Any] = {
    "source": {"files": "data/*.parquet"},
    "time": "at",
    "schema": [
        {"name": "at", "type": "timestamp"},
        {"name": "x", "type": "float64"},
        {"name": "y", "type": "float64"},
        {"name": "s", "type": "string"},
    ],
    "features": [{"name": "double", "expr": "x * 2"}, {"name": "before", "expr": "lag(y, 1, by=s)"}],
}
MODEL: dict[str, Any] = {
    "task": "regression",
    "dataset": "d",
    "target": "y",
    "features": ["x", "double", {"name": "own", "expr": "double + before"}, {"python": "features.py:build"}],
    "candidates": [{"algorithm": "ridge"}],
}


def problems(dataset: dict[str, Any], model: dict[str, Any]) -> Iterator[str]:
    specs = (("Dataset", "d", DATASET | dataset), ("Model", "m", MODEL | model))
    documents = [
        {"apiVersion": "gnomon.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        for kind, name, spec in specs
    ]
    content = yaml.safe_dump_all(documents, sort_keys=False, default_flow_style=False).encode()
    for problem in compile_tree([ManifestFile("all.yaml", "b", content)]).problems:
        line = content.decode().splitlines()[problem.line - 1].strip()
        yield f"{line} :: {problem.cause} ({problem.mend})"


def test_columns_features_of_the_dataset_and_ones_own_may_be_named() -> None:
    assert not list(problems({}, {}))
    assert not list(problems({"schema": []}, {}))


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (["x", "doubel"], '- doubel :: the dataset has no column and no feature "doubel" (did you mean "double"?)'),
        (
            [{"name": "a", "expr": "x +"}],
            "expr: x + :: the expression ends where a value is missing at character 4 (complete it)",
        ),
        ([{"name": "a", "expr": "x * s"}], "expr: x * s :: * needs a number and is given a text at character 5"),
        ([{"name": "a", "expr": "b"}, {"name": "b", "expr": "a"}], "the feature needs itself: "),
        ([{"name": "x", "expr": "y"}], 'expr: y :: a column of the dataset is called "x" too'),
        ([{"name": "double", "expr": "x"}], 'name: double :: the dataset has a feature "double" too'),
        ([{"name": "a", "expr": "x"}, {"name": "a", "expr": "x"}], 'there are two features called "a"'),
        (
            [{"name": "a", "expr": "y / 2"}],
            'the feature "a" is computed from the target "y" of its own row (look back: lag(y, 1))',
        ),
        ([{"name": "a"}], "name: a :: the feature is computed by nothing (write one of expr and python)"),
        ([{"expr": "x"}], "expr: x :: the feature has no name (add name)"),
        ([{"name": "a", "expr": "x", "python": "f.py:g"}], "the feature is computed in two ways"),
        ([{"name": "a", "python": "f.py:g"}], "name: a :: a function names its columns itself (remove name)"),
        ([{"python": "../f.py:g"}], "leaves the repository"),
        ([{"python": "f.py"}], 'is "f.py" (write a function of a file of the repository'),
        ([5], "write the name of a column or feature, or {name: speed, expr: distance / air_time}"),
    ],
)
def test_a_feature_that_cannot_be_is_refused_where_it_stands(model: list[Any], told: str) -> None:
    assert any(told in problem for problem in problems({}, {"features": model}))


def test_features_of_a_dataset_are_held_to_its_schema() -> None:
    told = list(problems({"features": [{"name": "a", "expr": "z + 1"}]}, {"features": ["x"]}))
    assert any("there is no column or feature z at character 1" in problem for problem in told)
    told = list(problems({"features": [{"python": "f.py:g"}]}, {"features": ["x"]}))
    assert any("a function makes features of a model, not of a dataset" in problem for problem in told)


def test_looking_back_needs_a_time() -> None:
    told = list(problems({"time": None}, {"features": ["x"]}))
    assert any('"before" looks at earlier rows, and the dataset declares no time column' in problem for problem in told)


def test_without_named_features_the_target_must_not_be_told_either() -> None:
    told = list(problems({"features": [{"name": "half", "expr": "y / 2"}]}, {"features": []}))
    assert any('the feature "half" is computed from the target "y" of its own row' in problem for problem in told)


def test_a_function_that_fits_is_not_given_what_a_graph_computes() -> None:
    told = list(problems({}, {"features": ["x", "before", "double"], "candidates": [{"python": "train.py:fit"}]}))
    cause = '"double" is computed in front of a graph of ours, and train.py:fit sees what a request carries'
    assert told == [f"- double :: {cause} (compute it there, and name the columns that it needs)"]


@pytest.mark.parametrize(
    ("split", "told"),
    [
        ({"by": "group"}, "spec.split.by is group, and no column names the groups"),
        ({"column": "s"}, "spec.split.column means nothing"),
        ({"by": "group", "column": "z"}, 'the schema of d has no column "z"'),
        ({"by": "group", "column": "s", "gap": "1d"}, "spec.split.gap means nothing where rows are split by group"),
    ],
)
def test_groups_need_a_column_that_there_is(split: dict[str, Any], told: str) -> None:
    assert any(told in problem for problem in problems({}, {"split": split}))
    assert not list(problems({}, {"split": {"by": "group", "column": "s"}}))
