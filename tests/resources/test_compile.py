import hashlib
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.resources.canonical import resource_yaml
from gnomon.resources.compile import ParseCache, compile_tree, is_manifest_path
from gnomon.resources.compiled import AnyResource, Compiled, ManifestFile
from gnomon.resources.identity import ResourceKey
from gnomon.resources.parse import ParsedFile, parse_file
from gnomon.resources.release import Release
from tests.strategies.resources import resources

HEAD = "apiVersion: gnomon.dev/v1alpha1\n"
DATASET = f"""{HEAD}kind: Dataset
metadata: {{name: flights}}
spec:
  source: {{files: data/*.csv}}
  time: at
  schema:
    - {{name: at, type: timestamp}}
    - {{name: carrier, type: string}}
    - {{name: delay, type: float64}}
"""
MODEL = f"""{HEAD}kind: Model
metadata: {{name: delay}}
spec:
  task: regression
  dataset: flights
  target: delay
  features: [carrier, at]
  split: {{by: time}}
  candidates: [{{algorithm: ridge}}]
"""
SERVICE = f"{HEAD}kind: Service\nmetadata: {{name: delays}}\nspec: {{model: delay}}\n"
RELEASE = f"""{HEAD}kind: Release
metadata: {{name: delays}}
spec: {{service: delays, model: delay, version: 1, sequence: 1, digest: "sha256:{"0" * 64}"}}
"""
TREE = {
    "datasets/flights.yaml": DATASET,
    "models/delay.yaml": MODEL,
    "services/delays.yaml": SERVICE,
    "releases/default/delays.yaml": RELEASE,
}
ALL = f"{DATASET}---\n{MODEL}---\n{SERVICE}"
KEYS = {
    "Dataset": ResourceKey("Dataset", "default", "flights"),
    "Model": ResourceKey("Model", "default", "delay"),
    "Service": ResourceKey("Service", "default", "delays"),
    "Release": ResourceKey("Release", "default", "delays"),
}


def files(tree: Mapping[str, str | bytes]) -> list[ManifestFile]:
    contents = {path: text if isinstance(text, bytes) else text.encode() for path, text in tree.items()}
    return [ManifestFile(path, hashlib.sha256(content).hexdigest(), content) for path, content in contents.items()]


def compiled(tree: Mapping[str, str | bytes], before: Compiled | None = None) -> Compiled:
    return compile_tree(files(tree), before.declared if before is not None else None)


def told(result: Compiled) -> list[str]:
    return [str(problem) for problem in result.problems]


def test_a_good_tree_is_declared_whole() -> None:
    result = compiled(TREE)
    assert told(result) == []
    assert set(result.declared) == set(KEYS.values())
    assert result.held == frozenset()
    declared = result.declared[KEYS["Model"]]
    assert (declared.path, declared.line) == ("models/delay.yaml", 1)
    assert declared.blob == hashlib.sha256(MODEL.encode()).hexdigest()


def test_moving_a_file_changes_the_provenance_alone() -> None:
    before, after = compiled(TREE), compiled({**TREE, "models/delay.yaml": "", "elsewhere/m.yml": f"# moved\n{MODEL}"})
    one, other = before.declared[KEYS["Model"]], after.declared[KEYS["Model"]]
    assert (one.resource, one.spec_digest) == (other.resource, other.spec_digest)
    assert (other.path, other.line) == ("elsewhere/m.yml", 2)


def test_a_resource_whose_file_vanished_is_absent() -> None:
    before = compiled(TREE)
    after = compiled({path: text for path, text in TREE.items() if not path.startswith("releases")}, before)
    assert KEYS["Release"] not in after.declared
    assert after.held == frozenset()


@pytest.mark.parametrize("broken", ["{", "a: b: c\n", b"\xff", "a: &x 1\nb: *x\n", "[" * 50])
def test_a_broken_file_holds_what_was_last_good_in_it_and_the_rest_goes_on(broken: str | bytes) -> None:
    before = compiled(TREE)
    changed = DATASET.replace("data/*.csv", "new/*.csv")
    after = compiled({**TREE, "models/delay.yaml": broken, "datasets/flights.yaml": changed}, before)
    assert after.held == {KEYS["Model"]}
    assert after.declared[KEYS["Model"]] == before.declared[KEYS["Model"]]
    assert after.declared[KEYS["Dataset"]] != before.declared[KEYS["Dataset"]]
    assert set(after.declared) == set(before.declared)
    assert {problem.path for problem in after.problems} == {"models/delay.yaml"}


def test_a_broken_file_without_a_past_declares_nothing() -> None:
    result = compiled({"a.yaml": f"{SERVICE}---\n{{"})
    assert result.declared == {}
    assert len(result.problems) == 1


def test_a_broken_document_holds_itself_alone() -> None:
    tree = {"all.yaml": ALL}
    before = compiled(tree)
    broken = MODEL.replace("target: delay", "traget: delay")
    after = compiled({"all.yaml": "---\n".join([DATASET.replace("data/*", "new/*"), broken, SERVICE])}, before)
    assert after.held == {KEYS["Model"]}
    assert after.declared[KEYS["Model"]] == before.declared[KEYS["Model"]]
    assert after.declared[KEYS["Dataset"]] != before.declared[KEYS["Dataset"]]
    assert told(after) == [
        'all.yaml:18:3: "traget" is not a key of spec (did you mean "target"?)',
    ]


def test_a_document_that_lost_its_name_holds_all_that_its_file_had() -> None:
    before = compiled({"all.yaml": ALL})
    nameless = SERVICE.replace("name: delays", "nam: delays")
    after = compiled({"all.yaml": f"{DATASET}---\n{MODEL}---\n{nameless}"}, before)
    assert after.held == {KEYS["Service"]}
    assert set(after.declared) == set(before.declared)


def test_a_held_resource_that_moved_is_declared_from_its_new_place() -> None:
    before = compiled(TREE)
    after = compiled({**TREE, "models/delay.yaml": "{", "models/new.yaml": MODEL}, before)
    assert after.held == frozenset()
    assert after.declared[KEYS["Model"]].path == "models/new.yaml"


def test_the_same_key_twice_is_refused_in_both_places() -> None:
    before = compiled(TREE)
    after = compiled({**TREE, "services/again.yaml": SERVICE.replace("model: delay", "model: delay, suspend: true")}, before)
    assert after.held == {KEYS["Service"]}
    assert told(after) == [
        "services/again.yaml:1:1: service/default/delays is declared here and at services/delays.yaml:1 (keep one of them)",
        "services/delays.yaml:1:1: service/default/delays is declared here and at services/again.yaml:1 (keep one of them)",
    ]
    assert KEYS["Service"] not in compiled({"a.yaml": SERVICE, "b.yaml": SERVICE, "m.yaml": MODEL, "d.yaml": DATASET}).declared


def test_a_service_has_its_name_for_itself_over_all_namespaces() -> None:
    before = compiled(TREE)
    others = "---\n".join(text.replace("metadata: {", "metadata: {namespace: other, ") for text in (DATASET, MODEL, SERVICE))
    after = compiled({**TREE, "other.yaml": others}, before)
    assert after.held == {KEYS["Service"]}
    assert ResourceKey("Service", "other", "delays") not in after.declared
    assert ResourceKey("Model", "other", "delay") in after.declared
    assert [problem.path for problem in after.problems] == ["other.yaml", "services/delays.yaml"]
    assert all("clients know a service by its name alone" in problem.cause for problem in after.problems)


def test_a_service_that_is_held_keeps_its_name() -> None:
    before = compiled(TREE)
    others = "---\n".join(text.replace("metadata: {", "metadata: {namespace: other, ") for text in (DATASET, MODEL, SERVICE))
    after = compiled({**TREE, "services/delays.yaml": "{", "other.yaml": others}, before)
    assert after.held == {KEYS["Service"]}
    assert ResourceKey("Service", "other", "delays") not in after.declared


def test_a_repository_has_one_project() -> None:
    project = f"{HEAD}kind: Project\nmetadata: {{name: %s}}\n"
    before = compiled({"gnomon.yaml": project % "a"})
    after = compiled({"gnomon.yaml": project % "a", "more.yaml": project % "b"}, before)
    assert set(after.declared) == after.held == {ResourceKey("Project", "default", "a")}
    assert [problem.path for problem in after.problems] == ["gnomon.yaml", "more.yaml"]


def test_a_release_stands_where_the_operator_writes_it() -> None:
    elsewhere = {**TREE, "releases/default/delays.yaml": "", "releases/delays.yaml": RELEASE}
    (line,) = told(compiled(elsewhere))
    assert line.startswith("releases/delays.yaml:1:1: release/default/delays stands in releases/delays.yaml")
    assert line.endswith("(move it to releases/default/delays.yaml)")


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    [
        (
            "models/delay.yaml",
            "dataset: flights",
            "dataset: fligts",
            '6:12: there is no Dataset "fligts" in the namespace default (did you mean "flights"?)',
        ),
        (
            "services/delays.yaml",
            "model: delay",
            "model: other",
            '4:15: there is no Model "other" in the namespace default (the models of that namespace are delay)',
        ),
        (
            "models/delay.yaml",
            "target: delay",
            "target: dealy",
            '7:11: the schema of flights has no column "dealy" (did you mean "delay"?)',
        ),
        (
            "models/delay.yaml",
            "[carrier, at]",
            "[carier, at]",
            '8:14: the dataset has no column and no feature "carier" (did you mean "carrier"?)',
        ),
        (
            "models/delay.yaml",
            "target: delay",
            "target: at",
            '8:23: the target "at" is also a feature (remove it from the features)',
        ),
        (
            "models/delay.yaml",
            "target: delay\n  features: [carrier, at]",
            "target: carrier\n  features: [at]",
            (
                '7:11: the target "carrier" is of type string, and a regression predicts numbers '
                "(name a numeric column, or use task: classification)"
            ),
        ),
        (
            "datasets/flights.yaml",
            "  time: at\n",
            "",
            (
                "models/delay.yaml:9:15: rows are split by time, and the Dataset flights declares no time column"
                " (add time to the spec of dataset/default/flights, or split by random)"
            ),
        ),
    ],
)
def test_resources_that_do_not_fit_each_other_are_held_at_the_right_line(path: str, old: str, new: str, expected: str) -> None:
    before = compiled(TREE)
    assert old in TREE[path]
    after = compiled({**TREE, path: TREE[path].replace(old, new)}, before)
    where = "" if expected.startswith("models/") else f"{path}:"
    assert told(after) == [f"{where}{expected}"]
    assert len(after.held) == 1
    assert set(after.declared) == set(before.declared)


def test_all_columns_that_are_absent_are_told_at_once() -> None:
    model = MODEL.replace("[carrier, at]", "[a, b, carrier]").replace("target: delay", "target: c")
    assert [
        problem.line for problem in compiled({**TREE, "models/delay.yaml": model}).problems if problem.key == KEYS["Model"]
    ] == [
        7,
        8,
        8,
    ]


def test_who_leans_on_a_refused_resource_is_told_so() -> None:
    lines = told(compiled({**TREE, "datasets/flights.yaml": DATASET.replace("kind: Dataset", "kind: Dataset\nstatus: {}")}))
    assert [line.partition(" (")[0].partition(": ")[2] for line in lines] == [
        "status is observed, and never read from Git",
        "the Dataset flights is refused in this commit",
        "the Service delays is refused in this commit",
        "the Model delay is refused in this commit",
        "the Model delay is refused in this commit",
    ]


def test_references_stay_within_a_namespace() -> None:
    other = MODEL.replace("metadata: {", "metadata: {namespace: other, ")
    (line,) = told(compiled({"d.yaml": DATASET, "m.yaml": other}))
    assert line.endswith("(there is one in the namespace default, and references stay within a namespace)")


def test_dependents_of_a_held_resource_keep_the_last_good_edge() -> None:
    before = compiled(TREE)
    after = compiled({**TREE, "datasets/flights.yaml": "{"}, before)
    assert after.held == {KEYS["Dataset"]}
    assert len(after.problems) == 1


def test_a_fixed_tree_has_no_memory_of_its_faults() -> None:
    before = compiled(TREE)
    broken = compiled({**TREE, "models/delay.yaml": "{"}, before)
    assert compiled(TREE, broken) == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.yaml", True),
        ("a/b.yml", True),
        (".github/a.yaml", False),
        ("a/.b/c.yaml", False),
        ("a.yaml.txt", False),
        ("a.json", False),
    ],
)
def test_manifests_are_yaml_outside_of_dot_folders(path: str, *, expected: bool) -> None:
    assert is_manifest_path(path) == expected


def test_yaml_of_other_systems_is_passed_over() -> None:
    result = compiled({**TREE, "compose.yaml": "{{ not yaml", ".github/workflows/a.yaml": SERVICE, "notes.md": SERVICE})
    assert told(result) == []


def test_a_file_that_was_ours_stays_ours_when_it_breaks() -> None:
    before = compiled(TREE)
    after = compiled({**TREE, "models/delay.yaml": "api"}, before)
    assert after.held == {KEYS["Model"]}


def test_unchanged_files_are_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    parsed: list[bytes] = []

    def counting(content: bytes) -> ParsedFile:
        parsed.append(content)
        return parse_file(content)

    monkeypatch.setattr("gnomon.resources.compile.parse_file", counting)
    cache = ParseCache()
    first = compile_tree(files(TREE), None, cache)
    assert len(parsed) == len(TREE)
    changed = {**TREE, "services/delays.yaml": f"# changed\n{SERVICE}"}
    compile_tree(files(changed), first.declared, cache)
    assert parsed[len(TREE) :] == [changed["services/delays.yaml"].encode()]


def test_a_cached_file_is_told_by_its_present_path() -> None:
    cache = ParseCache()
    broken = SERVICE.replace("model", "modle")
    compile_tree(files({"a.yaml": broken}), None, cache)
    again = compile_tree(files({"b.yaml": broken}), None, cache)
    assert {problem.path for problem in again.problems} == {"b.yaml"}


@settings(max_examples=40, deadline=None)
@given(st.lists(resources, max_size=5), st.binary(max_size=20))
def test_nothing_that_was_good_vanishes_while_its_file_is_broken(declared: list[AnyResource], noise: bytes) -> None:
    tree: dict[str, str | bytes] = {}
    for index, resource in enumerate(declared):
        key = resource.key
        path = f"releases/{key.namespace}/{key.name}.yaml" if isinstance(resource, Release) else f"{index}.yaml"
        tree[path] = resource_yaml(resource)
    before = compiled(tree)
    after = compiled(dict.fromkeys(tree, b"{gnomon.dev/" + noise + b"\xff"), before)
    assert after.declared == before.declared
    assert after.held == set(before.declared)


def test_a_manifest_that_forgot_or_misspelt_its_api_version_is_not_passed_over() -> None:
    forgotten = b"kind: Service\nmetadata: {name: a}\nspec: {model: b}\n"
    misspelt = b"apiVersion: gnomen.dev/v1alpha1\n" + forgotten
    foreign = b"apiVersion: v1\n" + forgotten
    template = b"kind: Service\nspec:\n  {{ if .Values.on }}\n"
    files = {"a.yaml": forgotten, "b.yaml": misspelt, "c.yaml": foreign, "d.yaml": template}
    compiled = compile_tree([ManifestFile(path, path, content) for path, content in files.items()])
    assert {problem.path for problem in compiled.problems} == {"a.yaml", "b.yaml"}
    assert "apiVersion is missing" in str(compiled.problems[0])
    assert not compiled.declared
