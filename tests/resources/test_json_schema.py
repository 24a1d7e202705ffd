import json
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given, settings

from gnomon.resources.canonical import declaration_json
from gnomon.resources.compiled import AnyResource
from gnomon.resources.field_table import field_rows
from gnomon.resources.json_schema import kind_schema, manifest_schema
from gnomon.resources.kinds import KINDS
from tests.strategies.resources import resources

ANY = jsonschema.Draft202012Validator(manifest_schema())
EACH = {kind: jsonschema.Draft202012Validator(kind_schema(kind)) for kind in KINDS}
MODEL = """
apiVersion: gnomon.dev/v1alpha1
kind: Model
metadata: {name: a}
spec:
  task: regression
  dataset: d
  target: t
  candidates: [{algorithm: ridge, search: {alpha: {log: [0.1, 1], n: 3}}}]
  gates: [{metric: rmse, max: 45}]
"""


@pytest.mark.parametrize("schema", [manifest_schema(), *map(kind_schema, KINDS)], ids=["all", *KINDS])
def test_every_schema_is_a_schema(schema: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator.check_schema(schema)


@settings(max_examples=60, deadline=None)
@given(resources)
def test_what_we_accept_the_schema_accepts(resource: AnyResource) -> None:
    declaration = json.loads(json.dumps(declaration_json(resource)))
    EACH[resource.kind].validate(declaration)
    ANY.validate(declaration)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("apiVersion: gnomon.dev/v1alpha1\n", ""),
        ("v1alpha1", "v9"),
        ("kind: Model\n", ""),
        ("kind: Model", "kind: Service"),
        ("kind: Model", "kind: Playbook"),
        ("name: a}", "name: A}"),
        ("name: a}", "nam: a}"),
        ("  task: regression\n", ""),
        ("regression", "regresion"),
        ("target: t", "traget: t"),
        ("target: t", "target: 5"),
        ("[{algorithm: ridge,", "[{algorithm: rigde,"),
        ("{algorithm: ridge, search: {alpha: {log: [0.1, 1], n: 3}}}", ""),
        ("n: 3", "n: 0"),
        ("n: 3", "n: 3, m: 4"),
        ("log: [0.1, 1]", "log: [0.1]"),
        ("max: 45", "maximum: 45"),
        ("target: t", "target: t\n  split: {test: 20}"),
        ("target: t", "target: t\n  split: {gap: 1 day}"),
        ("target: t", "target: t\n  resources: {memory: 5}"),
        ("spec:", "status: {}\nspec:"),
    ],
)
def test_what_we_refuse_the_schema_refuses(old: str, new: str) -> None:
    assert ANY.is_valid(yaml.safe_load(MODEL))
    assert old in MODEL
    assert not ANY.is_valid(yaml.safe_load(MODEL.replace(old, new)))


@pytest.mark.parametrize("kind", KINDS)
def test_every_mapping_of_ours_is_closed_and_every_key_is_explained(kind: str) -> None:
    schema = kind_schema(kind)
    for name, definition in {**schema["$defs"], kind: schema}.items():
        assert definition["description"], name
        assert definition["additionalProperties"] is False, name
        for key, described in definition["properties"].items():
            assert described.get("description"), f"{name}.{key}"
    assert all(row.meaning and row.type for row in field_rows(kind))


def test_defaults_stand_in_the_schema_as_people_write_them() -> None:
    rows = {row.path: row for row in field_rows("Service")}
    assert rows["spec.limits.timeout"].default == "`10s`"
    assert rows["spec.limits.body"].default == "`8MiB`"
    assert rows["spec.model"].default == "required"
    assert {row.path: row for row in field_rows("Project")}["spec.sync.prune.maxFraction"].default == "`25%`"


def test_types_are_told_in_words() -> None:
    words = {row.path: row.type for row in field_rows("Model")}
    assert words["spec.split.gap"] == "duration"
    assert words["spec.split.test"] == "percentage"
    assert words["spec.resources.memory"] == "size"
    assert words["spec.features"] == "list of text or mapping"
    assert words["spec.candidates[].search"] == "mapping to list of value or mapping"
    assert words["spec.candidates[].search.NAME.log"] == "two of: number"
    assert words["spec.split.by"] == "`time`, `random`, `stratified`, `group`"
