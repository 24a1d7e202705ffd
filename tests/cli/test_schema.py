import json

import pytest

from gnomon.cli.main import main
from gnomon.resources.json_schema import kind_schema, manifest_schema


@pytest.mark.parametrize("kind", ["Model", "models"])
def test_the_schema_of_a_kind_is_printed(capsys: pytest.CaptureFixture[str], kind: str) -> None:
    assert main(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out) == kind_schema("Model")


def test_the_schema_of_all_kinds_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == manifest_schema()


def test_the_keys_of_a_kind_are_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "service", "--fields"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["KEY", "TYPE", "DEFAULT", "MEANING"]
    assert any(line.split()[:3] == ["spec.limits.timeout", "duration", "`10s`"] for line in lines)


def test_a_wrong_kind_is_a_wrong_argument(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema", "modle"]) == 2
    assert 'did you mean "Model"?' in capsys.readouterr().err
    assert main(["schema", "--fields"]) == 2
