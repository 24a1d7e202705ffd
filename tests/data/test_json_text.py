import gzip
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gnomon.errors import DataError
from gnomon.resources.dataset import Column
from tests.data.tables import spec_of, table_of, taken, written


def json_table(folder: Path, content: str | bytes, columns: tuple[Column, ...] = ()) -> pl.DataFrame:
    return table_of(spec_of(written(folder, {"t.jsonl": content}) / "t.jsonl", columns))


def test_values_get_the_types_that_csv_gives_and_quoted_numbers_stay_text(tmp_path: Path) -> None:
    table = json_table(
        tmp_path,
        '\ufeff{"id":1,"zip":"12345","when":"2013-01-01T00:00:00Z","x":1,"ok":true}\r\n\n'
        '{"id":2,"x":2.5,"ok":null,"when":"","late":"NA"}\n',
    )
    when = datetime(2013, 1, 1, tzinfo=UTC)
    assert table.to_dict(as_series=False) == {
        "id": [1, 2],
        "zip": ["12345", None],
        "when": [when, None],
        "x": [1.0, 2.5],
        "ok": [True, None],
        "late": [None, "NA"],
    }


def test_identifiers_beyond_a_float_keep_their_digits(tmp_path: Path) -> None:
    table = json_table(tmp_path, '{"id":123456789012345678901}\n{"id":7}\n')
    assert table["id"].to_list() == ["123456789012345678901", "7"]


def test_numbers_that_are_quoted_later_make_the_column_text(tmp_path: Path) -> None:
    assert json_table(tmp_path, '{"a":5}\n{"a":"six"}\n{"a":"7"}\n')["a"].to_list() == ["5", "six", "7"]


def test_a_schema_leaves_out_what_is_nested_and_types_the_rest(tmp_path: Path) -> None:
    columns = (Column(name="a", type="float64"),)
    assert json_table(tmp_path, '{"a":"1.5","b":{"c":[1]}}\n{"b":{},"a":2}\n', columns)["a"].to_list() == [1.5, 2.0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (
            '{"a":1}\n{"a":{"b":1}}\n',
            "t.jsonl, line 2: a holds an object (write its parts under keys of their own, such as a_1",
        ),
        ('{"a":[1]}\n', "t.jsonl, line 1: a holds a list"),
        ('[{"a":1}]\n', "t.jsonl, line 1 is a list, not an object (write one object a line, for example: jq -c '.[]' t.jsonl"),
        ('[\n{"a":1}\n]\n', "t.jsonl, line 1 is not a whole object"),
        ('{"a":1}\n\n{"a":\n', "t.jsonl, line 3, is not JSON"),
        ("5\n", "t.jsonl, line 1 is a single value, not an object"),
        ('{"a":1}\n{"":2}\n', "t.jsonl, line 2: a key has no name"),
        ("", "t.jsonl is empty"),
        ("\n \n", "t.jsonl is empty"),
        ("{}\n{}\n", "t.jsonl: the objects are empty"),
        ('{"a":"\xff"}\n'.encode("latin1"), "t.jsonl, line 1: byte 0xff is not UTF-8 (save it as UTF-8"),
        ('{"a":1}\n'.encode("utf-16"), "t.jsonl is encoded as UTF-16"),
        ('{"a":NaN}\n', "t.jsonl, line 1, is not JSON"),
    ],
)
def test_what_is_no_flat_object_a_line_is_refused_by_its_line(tmp_path: Path, content: str | bytes, told: str) -> None:
    with pytest.raises(DataError) as caught:
        json_table(tmp_path, content)
    assert told in str(caught.value)


def test_a_column_that_no_line_has_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"has no column prize \(did you mean price\?\)"):
        json_table(tmp_path, '{"price":1}\n', (Column(name="prize", type="int64"),))


def test_packed_lines_have_the_digest_of_unpacked_ones(tmp_path: Path) -> None:
    rows = b'{"a":1}\n{"a":2}\n'
    written(tmp_path, {"one.jsonl": rows, "two.jsonl.gz": gzip.compress(rows), "three.ndjson": rows})
    assert len({taken(spec_of(tmp_path / name)).digest for name in ("one.jsonl", "two.jsonl.gz", "three.ndjson")}) == 1
    (tmp_path / "two.jsonl.gz").write_bytes(gzip.compress(rows)[:-9])
    with pytest.raises(DataError, match="is not a whole gzip file"):
        taken(spec_of(tmp_path / "two.jsonl.gz"))


_values = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=25)
@given(st.lists(_values, min_size=1, max_size=8))
def test_numbers_come_out_as_they_went_in(tmp_path_factory: pytest.TempPathFactory, values: list[Any]) -> None:
    content = b"".join(orjson.dumps({"row": row, "a": value}) + b"\n" for row, value in enumerate(values))
    column = json_table(tmp_path_factory.mktemp("json"), content)["a"]
    for value, found in zip(values, column.to_list(), strict=True):
        number = orjson.loads(found) if isinstance(found, str) else found
        assert (value is None) == (number is None)
        assert value is None or math.isclose(float(value), float(number), rel_tol=1e-15)
