import pytest

from gnomon.resources.parse import parse_file
from gnomon.resources.placeholders import Placeholder, placeholders

HEAD = "apiVersion: gnomon.dev/v1alpha1\nkind: Pipeline\nmetadata: {name: p}\nspec:\n"
STEP = "  steps: [{name: a, python: 'a.py:f'}]\n"


def told(text: str) -> list[str]:
    parsed = parse_file((HEAD + text).encode())
    assert parsed.finding is None
    return [f"{f.line - 4}:{f.column} {f.cause} ({f.mend})" for document in parsed.documents for f in document.findings]


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("  steps: []\n", "spec.steps is an empty list (write a list of at least 1)"),
        ("  steps: [{name: a}]\n", "spec.steps[0] needs one of python and command"),
        ("  steps: [{name: a, python: 'a.py:f', command: x, outputs: [o]}]\n", "spec.steps[0] needs one of python and command"),
        ("  steps: [{name: a, python: 'a.py'}]\n", "write a function of a file of the repository: pipeline/steps.py:clean"),
        ("  steps: [{name: a, python: '../a.py:f'}]\n", "../a.py is no path inside the repository"),
        ("  steps: [{name: a, python: '/a.py:f'}]\n", "/a.py is no path inside the repository"),
        ("  steps: [{name: 1a, python: 'a.py:f'}]\n", "a name of lowercase letters, digits, - and _, which begins with a"),
        ("  steps: [{name: a, python: 'a.py:f', outputs: {x: y}}]\n", "gives paths, and a function returns values"),
        ("  steps: [{name: a, python: 'a.py:f', files: [x]}]\n", "spec.steps[0].files is for commands"),
        ("  steps: [{name: a, python: 'a.py:f', outputs: [x, x]}]\n", 'there are two results called "x"'),
        ("  steps: [{name: a, python: 'a.py:f', needs: [a]}]\n", 'there is no other step called "a"'),
        ("  steps: [{name: a, python: 'a.py:f', timeout: 0s}]\n", "spec.steps[0].timeout is no time at all"),
        ("  steps: [{name: a, python: 'a.py:f', retry: {backoff: 0s}}]\n", "spec.steps[0].retry.backoff is no time at all"),
        ("  steps: [{name: a, python: 'a.py:f', memory: 0B}]\n", "spec.steps[0].memory is 0 bytes"),
        (
            "  steps: [{name: a, python: 'a.py:f', secrets: ['a-b']}]\n",
            "the name of an environment variable, such as SLACK_TOKEN",
        ),
        ("  steps: [{name: a, python: 'a.py:f', secrets: [A, A]}]\n", '"A" stands twice among the secrets'),
        ("  steps: [{name: a, python: 'a.py:f', params: {1x: 2}}]\n", "the name of a parameter: letters, digits and _"),
        (
            "  steps: [{name: a-b, python: 'a.py:f'}, {name: a_b, python: 'a.py:f'}]\n",
            '"a_b" is the name of step 2 and of step 1',
        ),
        ("  params: {a: 1}\n" + STEP, '"a" is the name of a parameter of the pipeline and of step 1'),
        ("  inputs: {a: {dataset: d}}\n" + STEP, '"a" is the name of an input and of step 1'),
        ("  inputs: {b: {dataset: d, files: x}}\n" + STEP, "spec.inputs.b needs one of dataset and files"),
        ("  inputs: {b: {files: ../x}}\n" + STEP, "../x is no path inside the repository"),
        ("  inputs: {b: {files: x, as: files}}\n" + STEP, "spec.inputs.b.as is for datasets"),
        ("  steps: [{name: a, command: x}]\n", 'the command "a" declares no outputs'),
        (
            "  steps: [{name: a, command: 'x {foo}', outputs: [o]}]\n",
            "{foo} is none of {inputs.NAME}, {params.NAME}, {outputs.NAME}",
        ),
        ("  steps: [{name: a, command: 'x {', outputs: [o]}]\n", "a { stands alone (write {{ for a brace)"),
        ("  steps: [{name: a, command: 'x {inputs.b}', outputs: [o]}]\n", "{inputs.b} in the command of a means nothing"),
        ("  steps: [{name: a, command: 'x {inputs.o}', outputs: [o]}]\n", "{inputs.o} in the command of a means nothing"),
        ("  steps: [{name: a, command: 'x {outputs.p}', outputs: [o]}]\n", "means nothing (the outputs of this step are o)"),
        ("  steps: [{name: a, command: 'x {params.rate}', outputs: [o]}]\n", "{params.rate} in the command of a means nothing"),
        ("  steps: [{name: a, command: x, outputs: {o: /tmp/x}}]\n", "/tmp/x is no path inside the repository"),
        ("  steps: [{name: a, command: x, outputs: {o: '*.csv'}}]\n", "the path of o, *.csv, is a pattern"),
        (STEP + "  schedule: '0 3 * *'\n", "write minute, hour, day, month and weekday"),
        (STEP + "  schedule: '0 0 30 2 *'\n", "write a day that comes: this one never does"),
        (STEP + "  schedule: 'R * * * *'\n", "write minute, hour, day, month and weekday"),
        (STEP + "  schedule: '61 * * * *'\n", "write minute, hour, day, month and weekday"),
        (STEP + "  timezone: Europe/Berlin\n", "spec.timezone is the clock of no schedule"),
        (STEP + "  schedule: '0 3 * * 1'\n  timezone: Mars/Base\n", "write a time zone as Region/City"),
        (STEP + "  triggers: [{}]\n", "spec.triggers[0] needs one of data and commit"),
        (STEP + "  triggers: [{data: d}]\n", 'no input of the pipeline is the Dataset "d"'),
        (STEP + "  triggers: [{alert: drift}]\n", "spec.triggers[0].alert is planned, and not part of this version yet"),
        (STEP + "  triggers: [{commit: {paths: []}}]\n", "write a list of at least 1"),
        (STEP + "  environment: /etc/requirements.txt\n", "/etc/requirements.txt is no path inside the repository"),
    ],
)
def test_a_mistake_is_told_in_words(text: str, finding: str) -> None:
    found = told(text)
    assert len(found) == 1, found
    assert finding in found[0]


@pytest.mark.parametrize(
    "text",
    [
        "  steps: [{name: lines, command: 'wc {inputs.b} > {outputs.lines}', outputs: [lines]}, {name: b, python: 'a.py:f'}]\n",
        STEP + "  schedule: '*/15 8-18 * jan-jun mon-fri'\n  timezone: Asia/Kathmandu\n",
        STEP + "  triggers: []\n",
        STEP + "  inputs: {x: {dataset: d, as: files}, y: {dataset: d}}\n  triggers: [{data: d}, {commit: {}}]\n",
        "  params: {deep: {list: [1, {x: null}], text: a}}\n" + STEP,
    ],
)
def test_what_is_meant_is_taken(text: str) -> None:
    assert told(text) == []


def test_placeholders_are_found_once_in_order() -> None:
    found = placeholders(["a{inputs.x}{seed}", "{{not}} {params.y}{inputs.x}"])
    assert found == (Placeholder("inputs", "x"), Placeholder("seed", ""), Placeholder("params", "y"))
