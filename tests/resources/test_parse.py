import random
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import ManifestError
from gnomon.resources.canonical import resource_yaml
from gnomon.resources.compiled import AnyResource
from gnomon.resources.identity import ResourceKey
from gnomon.resources.parse import ParsedDocument, parse_file, parse_release, place_in
from tests.golden import assert_golden
from tests.strategies.resources import releases, resources

GOLDEN = Path(__file__).parent / "golden"
HEAD = "apiVersion: gnomon.dev/v1alpha1\n"
JARGON = re.compile(
    r"input|should be|valid |_type|validation error|pydantic|tuple|dict\b|\bNone\b|\bstr\b|\bint\b", re.IGNORECASE
)


def one(text: str) -> ParsedDocument:
    (document,) = parse_file(text.encode()).documents
    return document


def told(text: str) -> list[str]:
    """Return everything that is wrong with a text, as people see it."""
    parsed = parse_file(text.encode())
    findings = [parsed.finding] if parsed.finding is not None else [f for d in parsed.documents for f in d.findings]
    return [f"{finding.line}:{finding.column}: {finding.cause} ({finding.mend})" for finding in findings]


def test_all_that_is_wrong_is_told_at_once_golden() -> None:
    text = "\n".join(told((GOLDEN / "broken.yaml").read_text()))
    assert_golden(GOLDEN / "broken.txt", f"{text}\n")


def test_findings_speak_of_manifests_and_not_of_python() -> None:
    for line in told((GOLDEN / "broken.yaml").read_text()):
        assert not JARGON.search(line), line


@pytest.mark.parametrize(
    ("key", "suggestion"),
    [
        ("improve_by", "improveBy"),
        ("improvBy", "improveBy"),
        ("Confidence", "confidence"),
        ("mx", "max"),
        ("metrics", "metric"),
    ],
)
def test_an_unknown_key_suggests_the_right_one(key: str, suggestion: str) -> None:
    gates = f"gates: [{{metric: rmse, {key}: 1}}]"
    spec = f"{{task: regression, dataset: d, target: t, candidates: [{{algorithm: ridge}}], {gates}}}"
    (finding,) = told(f"{HEAD}kind: Model\nmetadata: {{name: a}}\nspec: {spec}\n")
    assert f'"{key}" is not a key of spec.gates[0] (did you mean "{suggestion}"?)' in finding


def test_a_far_unknown_key_lists_the_keys() -> None:
    (finding,) = told(f"{HEAD}kind: Service\nmetadata: {{name: a}}\nspec: {{model: m, limits: {{zzz: 1}}}}\n")
    assert finding.endswith('"zzz" is not a key of spec.limits (the keys of spec.limits are body, timeout)')


@pytest.mark.parametrize("kind", ["Playbook", "Budget", "Access", "Receiver"])
def test_a_planned_kind_is_said_to_be_planned(kind: str) -> None:
    (finding,) = told(f"{HEAD}kind: {kind}\nmetadata: {{name: a}}\nspec: {{}}\n")
    assert f"the kind {kind} is planned, and not part of this version yet" in finding


@pytest.mark.parametrize("key", ["scale", "log", "monitor", "access"])
def test_a_planned_key_is_said_to_be_planned(key: str) -> None:
    (finding,) = told(f"{HEAD}kind: Service\nmetadata: {{name: a}}\nspec: {{model: m, {key}: {{}}}}\n")
    assert f"spec.{key} is planned, and not part of this version yet" in finding


def test_the_identity_of_a_broken_document_is_still_told() -> None:
    text = f"{HEAD}kind: Service\nmetadata: {{name: a, namespace: b}}\nspec: {{modle: m}}\n"
    assert one(text).key == ResourceKey("Service", "b", "a")
    assert one(text).resource is None
    assert one(f"{text}spec: {{}}\n").key == ResourceKey("Service", "b", "a")


def test_the_version_and_the_kind_decide_how_all_else_is_read() -> None:
    assert told("kind: Service\nmetadata: {name: a}\nspec: {model: m}\n") == [
        "1:1: apiVersion is missing (add apiVersion: gnomon.dev/v1alpha1)"
    ]
    (finding,) = told("apiVersion: gnomon.dev/v2\nkind: Service\nmetadata: {name: a}\nspec: {}\n")
    assert 'apiVersion is "gnomon.dev/v2", which this version does not know' in finding
    (finding,) = told("apiVersion: gnomom.dev/v1alpha1\nkind: Service\nmetadata: {name: a}\nspec: {}\n")
    assert "write gnomon.dev/v1alpha1" in finding
    (finding,) = told(f"{HEAD}metadata: {{name: a}}\nspec: {{}}\n")
    assert "kind is missing" in finding


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {annotations: {gnomon.dev/sequence: '4'}}\n",
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\n",
        "apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\n",
        "services: {web: {image: ghcr.io/gnomon.dev/web}}\n",
    ],
)
def test_documents_of_other_systems_are_left_alone(text: str) -> None:
    assert parse_file(text.encode()).documents == ()


def test_a_document_that_is_no_mapping_is_refused() -> None:
    assert told("- a\n") == ["1:1: the document is a list (write apiVersion, kind, metadata and spec)"]


def test_places_are_found_again_after_parsing() -> None:
    content = b"a: 1\n---\nspec:\n  model: m\n"
    assert place_in(content, 3, ("spec", "model")) == (4, 10)
    assert place_in(content, 1, ("a",)) == (1, 4)


@settings(max_examples=200, deadline=None)
@given(resources, st.integers(0, 2**32), st.integers(1, 4))
def test_a_damaged_manifest_never_raises(resource: AnyResource, seed: int, cuts: int) -> None:
    """Whatever becomes of the bytes, there is a resource or a finding."""
    content = bytearray(resource_yaml(resource).encode())
    chance = random.Random(seed)
    for _ in range(cuts):
        at = chance.randrange(len(content))
        content[at : at + chance.randrange(4)] = chance.choice(
            [b"", b": ", b"\n", b"- ", b"{", b'"', b"\t", b"\xff", b"1", b"#"]
        )
    parsed = parse_file(bytes(content))
    for document in parsed.documents:
        assert (document.resource is None) == bool(document.findings)
        for finding in document.findings:
            assert finding.line > 0
            assert finding.cause
            assert finding.mend
            assert not re.search(r"should be|_type|pydantic", f"{finding.cause} {finding.mend}")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-2, 2) | st.sampled_from(["", "rmse", "5m", "20%", "x"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["a", "log", "n", "name"]), inner, max_size=2),
    max_leaves=4,
)


@settings(max_examples=200, deadline=None)
@given(resources, st.data())
def test_a_wrong_value_anywhere_is_a_resource_or_a_finding(resource: AnyResource, data: st.DataObject) -> None:
    declaration = yaml.safe_load(resource_yaml(resource))
    place = declaration
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        if not isinstance(place[key], dict | list) or not place[key] or data.draw(st.booleans()):
            break
        place = place[key]
    place[key] = data.draw(JSON_VALUES)
    parsed = parse_file(yaml.safe_dump(declaration).encode())
    for document in parsed.documents:
        assert (document.resource is None) == bool(document.findings)
        for finding in document.findings:
            assert not re.search(r"should be|_type|pydantic", f"{finding.cause} {finding.mend}")


@settings(max_examples=20, deadline=None)
@given(releases)
def test_a_lock_file_is_read(release: AnyResource) -> None:
    assert parse_release(resource_yaml(release).encode()) == release


@pytest.mark.parametrize(
    ("content", "cause"),
    [
        (b"", "does not hold one Release"),
        (
            b"apiVersion: gnomon.dev/v1alpha1\nkind: Service\nmetadata: {name: a}\nspec: {model: m}\n",
            "does not hold one Release",
        ),
        (b"apiVersion: gnomon.dev/v1alpha1\nkind: Release\nmetadata: {name: a}\nspec: {}\n", "line 4: spec.service is missing"),
        (b"kind: Release\n<<<<<<< HEAD\nspec: {}\n=======\n", "line 2: a merge left conflict marks here"),
    ],
)
def test_a_broken_lock_file_is_refused(content: bytes, cause: str) -> None:
    with pytest.raises(ManifestError, match=cause):
        parse_release(content)
