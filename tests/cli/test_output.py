import json
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from gnomon.cli.output import Column, Format, cell_text, plain, print_document, print_rows
from gnomon.resources.identity import ResourceKey

COLUMNS = (Column("NAME", "name"), Column("ROWS", "rows"), Column("NOTE", "note", wide=True))
ROWS = [{"name": "a", "rows": 1, "note": "x"}, {"name": "long name", "rows": None, "note": None}]


@dataclass(frozen=True)
class Row:
    name: str
    rows: float
    note: ResourceKey


def test_a_table_lines_up_and_leaves_wide_columns_out(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Format.TABLE)
    assert capsys.readouterr().out == "NAME       ROWS\na          1\nlong name\n"


def test_wide_shows_every_column(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Format.WIDE)
    assert capsys.readouterr().out.splitlines()[:2] == ["NAME       ROWS  NOTE", "a          1     x"]


def test_rows_may_be_dataclasses(capsys: pytest.CaptureFixture[str]) -> None:
    row = Row("a", float("nan"), ResourceKey("Model", "b", "c"))
    print_rows([row], COLUMNS, Format.WIDE)
    assert "model/b/c" in capsys.readouterr().out
    print_rows([row], COLUMNS, Format.JSON)
    assert json.loads(capsys.readouterr().out) == [
        {"name": "a", "rows": None, "note": {"kind": "Model", "namespace": "b", "name": "c"}}
    ]


def test_programs_get_whole_documents(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(ROWS, COLUMNS, Format.JSON, documents=[{"kind": "A"}])
    assert json.loads(capsys.readouterr().out) == [{"kind": "A"}]
    print_rows(ROWS, COLUMNS, Format.YAML)
    assert yaml.safe_load(capsys.readouterr().out) == ROWS


def test_an_empty_list_is_valid_json_and_a_word_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([], COLUMNS, Format.TABLE, empty="no models yet")
    assert capsys.readouterr() == ("", "no models yet\n")
    print_rows([], COLUMNS, Format.JSON)
    assert capsys.readouterr().out == "[]\n"


def test_a_terminal_gets_all_of_a_cell_and_no_markup(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "30")
    monkeypatch.setenv("NO_COLOR", "1")
    print_rows([{"name": "[bold]x[/bold]", "rows": "y" * 60}], COLUMNS, Format.TABLE)
    out = capsys.readouterr().out
    assert "[bold]x[/bold]" in out
    assert out.count("y") == 60


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (True, "true"),
        (0.1 + 0.2, "0.3"),
        (12, "12"),
        (["a", 1], "a, 1"),
        (datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC), "2026-03-01 12:00:00+00:00"),
        ("a\nb\x1b[31m\u202ec", "a b [31m c"),
    ],
)
def test_cells_are_one_line_that_commands_no_terminal(value: object, text: str) -> None:
    assert cell_text(value) == text


def test_values_become_what_json_knows() -> None:
    value = {1: (timedelta(seconds=90), {"b", "a"}, float("inf"), datetime(2026, 3, 1, tzinfo=UTC))}
    assert plain(value) == {"1": [90.0, ["a", "b"], None, "2026-03-01T00:00:00+00:00"]}


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.binary(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.frozensets(st.text()),
        max_leaves=8,
    )
)
def test_anything_prints_as_valid_json_and_yaml(value: Any) -> None:
    json.dumps(plain(value), allow_nan=False)
    yaml.safe_dump(plain(value))


def test_a_document_prints_in_the_order_in_which_it_was_made(capsys: pytest.CaptureFixture[str]) -> None:
    print_document({"b": 1, "a": "é"}, Format.YAML)
    assert capsys.readouterr().out == "b: 1\na: é\n"
    print_document({"b": 1, "a": "é"}, Format.JSON)
    assert capsys.readouterr().out == '{\n  "b": 1,\n  "a": "é"\n}\n'
