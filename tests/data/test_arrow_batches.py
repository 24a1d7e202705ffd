from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from pyarrow import ipc

from gnomon.errors import DataError
from gnomon.resources.dataset import Column
from tests.data.tables import spec_of, table_of, taken, written

TABLE = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int32()),
        "kind": pa.array(["low", None, "low"]).dictionary_encode(),
        "at": pa.array([0, 1_000_000, None], pa.timestamp("us", "UTC")),
        "tags": pa.array([[1], [], None]),
    }
)


def stored(path: Path, *, is_stream: bool = False, compression: str | None = None) -> Path:
    options = ipc.IpcWriteOptions(compression=compression)
    opened = ipc.new_stream if is_stream else ipc.new_file
    with opened(path, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, max_chunksize=2)
    return path


@pytest.mark.parametrize(
    ("name", "is_stream", "compression"),
    [("a.arrow", False, None), ("a.feather", False, "zstd"), ("a.arrows", True, "lz4"), ("a.arrow", True, None)],
)
def test_files_and_streams_hold_the_same_rows(tmp_path: Path, name: str, *, is_stream: bool, compression: str | None) -> None:
    spec = spec_of(stored(tmp_path / name, is_stream=is_stream, compression=compression))
    table = table_of(spec)
    assert table.schema == {"id": pl.Int32(), "kind": pl.String(), "at": pl.Datetime("us", "UTC")}
    assert table.select("id", "kind").rows() == [(1, "low"), (2, None), (3, "low")]
    assert taken(spec).warnings == ("column tags is left out: it holds List(Int64)",)


def test_declared_types_bind(tmp_path: Path) -> None:
    path = stored(tmp_path / "a.arrow")
    assert table_of(spec_of(path, (Column(name="id", type="float64"),)))["id"].to_list() == [1.0, 2.0, 3.0]
    with pytest.raises(DataError, match="column kind holds 2 values that do not fit int64: 'low' \\(row 1\\)"):
        taken(spec_of(path, (Column(name="kind", type="int64"),)))
    with pytest.raises(DataError, match=r"column at holds .* cannot become boolean"):
        taken(spec_of(path, (Column(name="at", type="boolean"),)))


@pytest.mark.parametrize("share", [0.0, 0.2, 0.6, 0.95])
@pytest.mark.parametrize("is_stream", [True, False])
def test_a_file_that_is_cut_off_is_refused(tmp_path: Path, share: float, *, is_stream: bool) -> None:
    whole = stored(tmp_path / "whole.arrow", is_stream=is_stream).read_bytes()
    written(tmp_path, {"cut.arrow": whole[: int(len(whole) * share)]})
    with pytest.raises(DataError, match=r"cut.arrow (cannot be read as Arrow|: no rows)"):
        taken(spec_of(tmp_path / "cut.arrow"))


def test_other_files_under_such_a_name_are_refused(tmp_path: Path) -> None:
    written(tmp_path, {"old.feather": b"FEA1" + bytes(40), "text.arrow": "a,b\n1,2\n"})
    with pytest.raises(DataError, match="is a Feather file of version 1"):
        taken(spec_of(tmp_path / "old.feather"))
    with pytest.raises(DataError, match=r"text.arrow cannot be read as Arrow"):
        taken(spec_of(tmp_path / "text.arrow"))
