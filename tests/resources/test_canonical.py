import json

import pytest
import yaml
from hypothesis import given, settings

from gnomon.errors import ManifestError
from gnomon.resources.canonical import canonical_json, declaration_json, resource_from_json, resource_yaml, spec_digest
from gnomon.resources.compiled import AnyResource
from gnomon.resources.parse import parse_file
from tests.strategies.resources import resources


@settings(max_examples=150, deadline=None)
@given(resources)
def test_a_resource_survives_yaml(resource: AnyResource) -> None:
    parsed = parse_file(resource_yaml(resource).encode())
    assert parsed.finding is None
    assert [(document.resource, document.findings) for document in parsed.documents] == [(resource, ())]
    assert parsed.documents[0].spec_digest == spec_digest(resource)


@settings(max_examples=50, deadline=None)
@given(resources)
def test_a_resource_survives_records(resource: AnyResource) -> None:
    assert resource_from_json(json.loads(json.dumps(declaration_json(resource)))) == resource


@settings(max_examples=50, deadline=None)
@given(resources)
def test_yaml_1_1_reads_the_same_texts(resource: AnyResource) -> None:
    """Other tools, such as kubectl, read what we write by the older rules."""
    theirs = yaml.safe_load(resource_yaml(resource))
    ours = resource.model_dump(mode="json", by_alias=True, exclude_unset=True)
    assert canonical_json(theirs["spec"]) == canonical_json(ours["spec"])


def _digest(text: str) -> str:
    (document,) = parse_file(text.encode()).documents
    assert document.findings == ()
    return document.spec_digest


SERVICE = """
apiVersion: gnomon.dev/v1alpha1
kind: Service
metadata: {name: a}
spec: {model: m, limits: {timeout: 5m}}
"""
SAME_SERVICE = """
# Moved, commented, in another order, with a default spelled out and another unit.
kind: Service
metadata: {labels: {team: x}, name: a}
spec:
  limits:
    timeout: 300s
  suspend: false
  model: m
apiVersion: gnomon.dev/v1alpha1
"""


def test_the_digest_tells_what_is_wanted_and_not_how_it_is_written() -> None:
    assert _digest(SERVICE) == _digest(SAME_SERVICE)
    assert _digest(SERVICE) != _digest(SERVICE.replace("5m", "6m"))


def test_the_digest_of_a_spec_is_the_same_in_every_version() -> None:
    """A digest that changes with the program would look like a change of every resource."""
    assert _digest(SERVICE) == "sha256:d0462797db0eff728facd6b3f9ade97c7f42ce172d11befa1ed1af2d7da64a99"


def test_a_stored_kind_that_is_gone_is_refused_with_a_mend() -> None:
    with pytest.raises(ManifestError, match="Gadget") as caught:
        resource_from_json({"kind": "Gadget"})
    assert "Model" in caught.value.mend


def test_a_stored_resource_that_no_longer_fits_is_refused_by_name() -> None:
    with pytest.raises(ManifestError, match=r"Service called 'a' .* at spec\.gone"):
        resource_from_json({"kind": "Service", "metadata": {"name": "a"}, "spec": {"model": "m", "gone": 1}})
