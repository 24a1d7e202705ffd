import json
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.pipeline.commands import filled
from gnomon.pipeline.dag import Command, FromStep, FunctionRef
from gnomon.pipeline.declared import BoundStep, bind, named_files, steps
from gnomon.resources.parse import parse_file
from gnomon.resources.pipeline import Pipeline, PipelineSpec
from tests.pipeline.projects import write

HEAD = "apiVersion: gnomon.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n"


def spec_of(text: str) -> PipelineSpec:
    (document,) = parse_file((HEAD + text).encode()).documents
    assert isinstance(document.resource, Pipeline), document.findings
    return document.resource.spec


def told(spec: PipelineSpec, root: Path) -> list[str]:
    return [f"{problem.cause} ({problem.mend})" for problem in bind(spec, root)[1]]


def bound(spec: PipelineSpec, root: Path) -> dict[str, BoundStep]:
    found, problems = bind(spec, root)
    assert problems == ()
    return {each.declared.name: each for each in found}


def test_a_parameter_is_what_has_its_name(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "a.py": """
            def clean(flights, rate): ...
            def split(clean_rows, depth=3): ...
            def fit(train, test_part, split, power, config, optional=None): ...
            """
        },
    )
    spec = spec_of("""\
  params: {rate: 0.1, power: 2}
  inputs: {flights: {dataset: flights}, config: {files: c.json}}
  steps:
    - {name: clean-rows, python: "a.py:clean"}
    - {name: split, python: "a.py:split", outputs: [train, test-part]}
    - {name: fit, python: "a.py:fit", params: {power: 3}, needs: [clean-rows], secrets: [TOKEN], seed: 4}
""")
    found = bound(spec, tmp_path)
    assert found["clean-rows"].params == {"rate": 0.1}
    assert found["clean-rows"].inputs == {"flights": "flights"}
    assert found["split"].results == {"clean_rows": FromStep("clean-rows")}
    assert found["split"].params == {}
    fit = found["fit"]
    assert fit.params == {"power": 3}
    assert fit.results == {
        "train": FromStep("split", "train"),
        "test_part": FromStep("split", "test-part"),
        "split": FromStep("split"),
    }
    made = {step.name: step for step in steps(tuple(found.values()), {"flights": (), "config": ()}, spec)}
    assert made["split"].results == ("train", "test-part")
    assert (made["fit"].needs, made["fit"].secrets, made["fit"].seed) == (("clean-rows",), ("TOKEN",), 4)
    assert made["fit"].work == FunctionRef(tmp_path, "a.py", "fit")


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        (
            "def f(fligths): ...",
            "  inputs: {flights: {dataset: flights}}\n  steps: [{name: f, python: 'a.py:f'}]\n",
            "the parameter fligths of f at a.py:1 is no result, no input and no parameter of the pipeline (did you mean",
        ),
        (
            "def f(x): ...",
            "  steps: [{name: f, python: 'a.py:f', params: {x: 1, why: 2}}]\n",
            "f at a.py:1 has no parameter why (it takes x)",
        ),
        (
            "def f(rate=1): ...",
            "  params: {rat: 2}\n  steps: [{name: f, python: 'a.py:f'}]\n",
            "no step has a parameter rat (did you mean rate?)",
        ),
        (
            "def f(): ...",
            "  inputs: {x: {files: a.py}}\n  steps: [{name: f, python: 'a.py:f'}]\n",
            "no step takes the input x (remove it)",
        ),
        (
            "def f(g): ...\ndef g(h): ...\ndef h(f): ...",
            "  steps: [{name: f, python: 'a.py:f'}, {name: g, python: 'a.py:g'}, {name: h, python: 'a.py:h'}]\n",
            "steps need each other: f needs g needs h needs f (take one of the needs out)",
        ),
        ("def f(f): ...", "  steps: [{name: f, python: 'a.py:f'}]\n", "the parameter f of f at a.py:1 is no result"),
        ("", '  steps: [{name: f, command: "wc \'x > {outputs.n}", outputs: [n]}]\n', "cannot be read: No closing quotation"),
        ("", "  steps: [{name: f, command: [x], outputs: [n], files: [gone.sh]}]\n", "needs gone.sh, which is not in the repo"),
    ],
)
def test_what_does_not_fit_is_told_in_words(tmp_path: Path, code: str, text: str, expected: str) -> None:
    write(tmp_path, {"a.py": code})
    found = told(spec_of(text), tmp_path)
    assert len(found) == 1
    assert expected in found[0]


def test_every_step_tells_what_is_wrong_with_it(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def f(x): ...\n"})
    found = told(
        spec_of("  steps: [{name: f, python: 'a.py:f'}, {name: g, python: 'b.py:g'}, {name: h, python: 'a.py:h'}]\n"), tmp_path
    )
    assert len(found) == 3


def test_a_function_that_takes_anything_is_given_its_own_params(tmp_path: Path) -> None:
    write(tmp_path, {"a.py": "def f(x, **rest): ...\n"})
    spec = spec_of("  params: {x: 1}\n  steps: [{name: f, python: 'a.py:f', params: {y: 2}}]\n")
    assert bound(spec, tmp_path)["f"].params == {"x": 1, "y": 2}


def test_a_plain_command_is_run_without_a_shell(tmp_path: Path) -> None:
    write(tmp_path, {"tools/count.py": "", "f.py": "def f(): ..."})
    spec = spec_of("""\
  params: {rate: 2}
  steps:
    - {name: f, python: "f.py:f"}
    - {name: n, command: "python tools/count.py --in {inputs.f} 'a b' {params.rate} {outputs.n}", outputs: {n: n.json}}
""")
    step = bound(spec, tmp_path)["n"]
    words = ("python", "tools/count.py", "--in", "{inputs.f}", "a b", "{params.rate}", "{outputs.n}")
    assert step.work == Command(tmp_path, words, {"n": "n.json"}, ())
    assert (step.params, step.results) == ({"rate": 2}, {"f": FromStep("f")})


def test_files_that_only_a_shell_would_see_are_the_commands_too(tmp_path: Path) -> None:
    write(tmp_path, {"tools/a.sh": "", "tools/b.sql": "", "lib/x.txt": ""})
    spec = spec_of(
        "  steps: [{name: n, command: 'sh tools/a.sh <./tools/b.sql|cat>{outputs.n}', outputs: [n], files: [lib]}]\n"
    )
    work = bound(spec, tmp_path)["n"].work
    assert isinstance(work, Command)
    assert set(work.files) == {"lib", "tools/a.sh", "tools/b.sql"}
    assert {"lib", "tools/a.sh", "tools/b.sql"} <= named_files(spec)


def test_the_whole_repository_is_not_named_by_a_dot() -> None:
    assert "." not in named_files(spec_of("  steps: [{name: n, command: 'find . > {outputs.n}', outputs: [n]}]\n"))


def said(script: str, value: str, folder: Path) -> str:
    """What a command writes when its input lies at a path with any name."""
    write(folder, {"f.py": "def f(): ..."})
    text = f"  steps: [{{name: f, python: 'f.py:f'}}, {{name: n, command: {json.dumps(script)}, outputs: [n]}}]\n"
    work = bound(spec_of(text), folder)["n"].work
    assert isinstance(work, Command)
    argv = filled(work.argv, {"inputs": {"f": value}, "params": {}, "outputs": {"n": "n"}}, 0)
    environment = {"GNOMON_INPUT_F": value, "GNOMON_OUTPUT_N": str(folder / "n"), "GNOMON_SEED": "7", "PATH": "/usr/bin:/bin"}
    subprocess.run(argv, env=environment, check=True, cwd=folder)
    return (folder / "n").read_bytes().decode()


@settings(max_examples=12)
@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12))
def test_no_value_is_taken_for_a_piece_of_script(tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
    folder = tmp_path_factory.mktemp("script")
    script = "printf '%s;' {inputs.f} \"<{inputs.f}x>\" '<{inputs.f}>' {seed} '{{}}' > {outputs.n}"
    assert said(script, value, folder) == f"{value};<{value}x>;<{value}>;7;{{}};"
